//! Daemons of their own, on Apache Kafka and a Postgres.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use playledger::folder::{Folder, LogKind};
use playledger::postgres::{self, Server};

use super::names::Names;
use super::{Home, run};
use crate::behind;
use crate::client::Client;
use crate::process::Process;
use crate::tables::Tables;

/// The daemons as processes of their own, on a real broker and a real Postgres. Dropped, they end, and
/// nothing of them is left, on a broker that was there before neither.
#[derive(Debug)]
pub struct Daemons {
    arguments: BTreeMap<&'static str, Vec<String>>,
    running: BTreeMap<&'static str, Process>,
    postgres: Server,
    /// A key of tenant `acme`, game `quest`, with every scope for ingest.
    pub key: String,
    /// The gateway's URL.
    pub gateway: String,
    /// The second gateway's URL, once it has been launched.
    pub second_gateway: String,
    /// Its topics and groups; after the daemons, so that they go when nobody uses them any more.
    names: Names,
    /// Last, so that it goes when all that uses it has ended.
    home: Home,
}

/// The daemons that hold no page.
pub const PIPELINE: [&str; 3] = ["ingest-gateway", "feature-worker", "projector"];
/// A second gateway, in the worlds that have one.
pub const SECOND_GATEWAY: &str = "second-gateway";

impl Daemons {
    /// Starts gateway, worker and projector on topics and a database of their own.
    pub async fn start(worker: &[&str]) -> anyhow::Result<Self> {
        let home = Home::new("postgres")?;
        let names = Names::new(behind::any());
        let postgres = postgres::start(&Folder::take(home.data(), LogKind::Kafka)?).await?;
        let prefix = names.prefix();
        let credentials = home.path().join("credentials.toml").display().to_string();
        let bootstrap = names.broker().bootstrap();
        let place = ["--kafka", bootstrap, "--topic-prefix", prefix];
        run(&home, &[&["topics", "create", "--partitions", "4", "--replication", "1"], &place[..]].concat())?;
        let holder =
            ["--tenant", "acme", "--game", "quest", "--scope", "ingest", "--scope", "backfill", "--tier", "unlimited"];
        let key = run(&home, &[&["keys", "create", "--credentials", &credentials], &holder[..]].concat())?;
        let common = [&place[..], &["--ops", "127.0.0.1:0"]].concat();
        let with = |own: &[&str]| common.iter().chain(own).map(ToString::to_string).collect::<Vec<_>>();
        let group = |name: &str| names.group(name);
        let gateway = ["--listen", "127.0.0.1:0", "--address-requests", "0", "--credentials", &credentials];
        let arguments = BTreeMap::from([
            ("ingest-gateway", with(&[&["--instance", "first"], &gateway[..]].concat())),
            (SECOND_GATEWAY, with(&[&["--instance", "second"], &gateway[..]].concat())),
            ("feature-worker", with(&[&["--instance", "one", "--group", &group("worker")], worker].concat())),
            ("projector", with(&["--database-url", postgres.url(), "--group", &group("projector"), "--event-log"])),
        ]);
        let key = key.trim().to_owned();
        let (gateway, second_gateway) = Default::default();
        let mut world =
            Self { arguments, running: BTreeMap::new(), postgres, key, gateway, second_gateway, names, home };
        for name in PIPELINE {
            world.launch(name)?;
        }
        Ok(world)
    }

    /// Starts a daemon and waits until it is ready.
    pub fn launch(&mut self, name: &'static str) -> anyhow::Result<()> {
        let ready = self.home.path().join(format!("{name}.ready"));
        if ready.exists() {
            std::fs::remove_file(&ready)?;
        }
        let mut arguments = self.arguments.get(name).cloned().context("no such daemon")?;
        arguments.extend(["--ready-file".into(), ready.display().to_string()]);
        let program = if name == SECOND_GATEWAY { PIPELINE[0] } else { name };
        let mut process = Process::start(program, name, &arguments, self.home.path())?;
        if let Some(address) = process.ready(&ready)?.get("gateway") {
            self.stays(name, address);
        }
        self.running.insert(name, process);
        Ok(())
    }

    /// Started again, a gateway is where its clients know it.
    fn stays(&mut self, name: &'static str, address: &str) {
        let arguments = self.arguments.entry(name).or_default();
        let place = arguments.iter().position(|argument| argument == "--listen").map(|flag| flag + 1);
        if let Some(listen) = place.and_then(|place| arguments.get_mut(place)) {
            address.clone_into(listen);
        }
        let url = if name == SECOND_GATEWAY { &mut self.second_gateway } else { &mut self.gateway };
        *url = format!("http://{address}");
    }

    /// kill −9 of one daemon, and up again.
    pub fn kill_and_restart(&mut self, name: &'static str) -> anyhow::Result<()> {
        self.running.remove(name).context("it does not run")?.kill()?;
        self.launch(name)
    }

    /// SIGTERM to every daemon, gateway first; each must end with 0.
    pub fn terminate(&mut self) -> anyhow::Result<()> {
        let second = self.running.contains_key(SECOND_GATEWAY).then_some(SECOND_GATEWAY);
        for name in second.into_iter().chain(PIPELINE) {
            let mut process = self.running.remove(name).context("it does not run")?;
            let status = process.terminate()?;
            ensure!(status.success(), "{name} ended with {status}\n{}", process.last_lines());
        }
        Ok(())
    }

    /// A client with its key.
    pub fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.key)
    }

    /// A reader of its tables.
    pub async fn tables(&self) -> anyhow::Result<Tables> {
        Tables::open(self.postgres.url()).await
    }

    /// Where the broker answers.
    pub fn bootstrap(&self) -> &str {
        self.names.broker().bootstrap()
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        // Drained, they leave their groups; killed, they would stay members for a while.
        for process in self.running.values_mut().filter(|_| !std::thread::panicking()) {
            let _ = process.terminate();
        }
    }
}
