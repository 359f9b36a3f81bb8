//! Gateways alone, on a real broker: no database, and a worker only to count what had an effect.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::names::Names;
use super::{Home, run};
use crate::kafka::KafkaBroker;
use crate::player::Player;
use crate::process::Process;
use crate::topic::{self, Effects, Events, Outcomes};

/// How long a worker may take to read everything, and a gateway to say how it is; machines are shared.
const PATIENCE: Duration = Duration::from_secs(90);

/// Gateways beside each other on the same topics, with the same keys. Dropped, they end, and nothing of
/// them is left.
#[derive(Debug)]
pub struct Gateways {
    all: Vec<Gateway>,
    worker: Option<Process>,
    credentials: String,
    key: String,
    http: reqwest::Client,
    /// After the processes, so that its topics go when nobody uses them any more.
    names: Names,
    /// Last, so that it goes when all that uses it has ended.
    home: Home,
}

/// One of them.
#[derive(Debug)]
pub struct Gateway {
    /// Its name in stamps and counts.
    pub name: String,
    /// Its URL, the same over restarts.
    pub url: String,
    /// The URL of its ops port, the same over restarts.
    pub ops: String,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Gateways {
    /// Topics and a key, and no gateway as yet. Topics have four partitions and `replication` copies.
    pub fn on(broker: KafkaBroker, replication: u32) -> anyhow::Result<Self> {
        let home = Home::new("data")?;
        let names = Names::new(broker);
        let credentials = home.path().join("credentials.toml").display().to_string();
        let copies = replication.to_string();
        let place = ["--kafka", names.broker().bootstrap(), "--topic-prefix", names.prefix()];
        run(&home, &[&["topics", "create", "--partitions", "4", "--replication", &copies], &place[..]].concat())?;
        let holder =
            ["--tenant", "acme", "--game", "quest", "--scope", "ingest", "--scope", "backfill", "--tier", "unlimited"];
        let key = run(&home, &[&["keys", "create", "--credentials", &credentials], &holder[..]].concat())?;
        let (all, http) = (Vec::new(), reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?);
        Ok(Self { all, worker: None, credentials, key: key.trim().to_owned(), http, names, home })
    }

    /// Starts one more with these flags, and waits until it is ready; which it is. It reaches the broker at
    /// `kafka`, where that is named.
    pub fn add(&mut self, kafka: Option<&str>, flags: &[&str]) -> anyhow::Result<usize> {
        let number = self.all.len();
        let name = format!("gateway-{number}");
        let kafka = kafka.unwrap_or(self.names.broker().bootstrap());
        let mut arguments = vec!["--kafka", kafka, "--topic-prefix", self.names.prefix(), "--instance", &name];
        arguments.extend(["--credentials", &self.credentials, "--address-requests", "0"]);
        arguments.extend(flags);
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let anywhere = "http://127.0.0.1:0".to_owned();
        let gateway = Gateway { name, url: anywhere.clone(), ops: anywhere, arguments, process: None };
        self.all.push(gateway);
        self.start(number)?;
        Ok(number)
    }

    /// Starts gateway `number`, which must have ended, where it was, and waits until it is ready.
    pub fn start(&mut self, number: usize) -> anyhow::Result<()> {
        self.launch(number)?;
        self.ready(number)
    }

    /// Starts gateway `number`, which must have ended, where it was.
    pub fn launch(&mut self, number: usize) -> anyhow::Result<()> {
        let gateway = &mut self.all[number];
        let ready = gateway.ready_file(&self.home);
        if ready.exists() {
            std::fs::remove_file(&ready)?;
        }
        let mut arguments = gateway.arguments.clone();
        for (flag, url) in [("--listen", &gateway.url), ("--ops", &gateway.ops)] {
            arguments.extend([flag.to_owned(), url.trim_start_matches("http://").to_owned()]);
        }
        arguments.extend(["--ready-file".into(), ready.display().to_string()]);
        gateway.process = Some(Process::start("ingest-gateway", &gateway.name, &arguments, self.home.path())?);
        Ok(())
    }

    /// Waits until gateway `number` is ready.
    pub fn ready(&mut self, number: usize) -> anyhow::Result<()> {
        let gateway = &mut self.all[number];
        let file = gateway.ready_file(&self.home);
        let addresses = gateway.process.as_mut().context("it does not run")?.ready(&file)?;
        let url = |name: &str| addresses.get(name).map(|address| format!("http://{address}"));
        gateway.url = url("gateway").context("the ready file names no gateway")?;
        gateway.ops = url("ops").context("the ready file names no ops port")?;
        Ok(())
    }

    /// Gateway `number`.
    pub fn gateway(&self, number: usize) -> &Gateway {
        &self.all[number]
    }

    /// kill −9 of gateway `number`.
    pub fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        self.all[number].process.take().context("it does not run")?.kill()
    }

    /// SIGTERM to gateway `number`: its exit status, within 25 s.
    pub fn terminate(&mut self, number: usize) -> anyhow::Result<ExitStatus> {
        self.all[number].process.take().context("it does not run")?.terminate()
    }

    /// SIGTERM to every gateway that runs; each must end with 0, and so its last counts are in the log.
    pub fn terminate_all(&mut self) -> anyhow::Result<()> {
        for gateway in &mut self.all {
            let Some(mut process) = gateway.process.take() else { continue };
            let status = process.terminate()?;
            ensure!(status.success(), "{} ended with {status}\n{}", gateway.name, process.last_lines());
        }
        Ok(())
    }

    /// The key of all of them: of tenant `acme`, game `quest`, without limits.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A client with an empty book.
    pub fn player(&self) -> anyhow::Result<Player> {
        Player::new(&self.key)
    }

    /// Status and text of a page of gateway `number`'s ops port.
    pub async fn ops(&self, number: usize, page: &str) -> anyhow::Result<(u16, String)> {
        let answer = self.http.get(format!("{}{page}", self.all[number].ops)).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// A number of gateway `number`'s page /metrics; 0 where it has not been told yet.
    pub async fn metric(&self, number: usize, name: &str) -> anyhow::Result<f64> {
        let (_, page) = self.ops(number, "/metrics").await?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Ok(value.unwrap_or_default())
    }

    /// Waits until gateway `number` answers /readyz with this status.
    pub async fn readiness(&self, number: usize, status: u16) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let (found, text) = self.ops(number, "/readyz?verbose").await?;
            if found == status {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "/readyz is {found} and not {status} after {PATIENCE:?}: {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The events in the topic now.
    pub async fn events(&self) -> anyhow::Result<Events> {
        Events::of(&self.read("events").await?)
    }

    /// What gateway `number` says became of the events that it received.
    pub async fn outcomes(&self, number: usize) -> anyhow::Result<Outcomes> {
        Ok(Outcomes::of(&self.read("outcomes").await?, &self.all[number].name))
    }

    /// What a worker makes of all that lies in the topic now; starts one where none runs.
    pub async fn effects(&mut self) -> anyhow::Result<Effects> {
        let records = self.events().await?.all() as u64;
        if self.worker.is_none() {
            self.worker = Some(self.start_worker()?);
        }
        let began = Instant::now();
        loop {
            let effects = Effects::of(&self.read("activity").await?);
            if effects.records() >= records {
                return Ok(effects);
            }
            ensure!(began.elapsed() < PATIENCE, "{effects:?} after {PATIENCE:?}, of {records} records");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn start_worker(&self) -> anyhow::Result<Process> {
        let ready = self.home.path().join("feature-worker.ready").display().to_string();
        let group = self.names.group("worker");
        let place = ["--kafka", self.names.broker().bootstrap(), "--topic-prefix", self.names.prefix()];
        let own = ["--instance", "one", "--group", &group, "--ops", "127.0.0.1:0", "--ready-file", &ready];
        let arguments: Vec<_> = place.iter().chain(&own).map(ToString::to_string).collect();
        let mut process = Process::start("feature-worker", "feature-worker", &arguments, self.home.path())?;
        process.ready(ready.as_ref())?;
        Ok(process)
    }

    async fn read(&self, name: &str) -> anyhow::Result<Vec<topic::Entry>> {
        topic::read(self.names.broker().bootstrap(), &format!("{}{name}", self.names.prefix())).await
    }

    /// The broker.
    pub fn broker(&self) -> &KafkaBroker {
        self.names.broker()
    }
}

impl Gateway {
    fn ready_file(&self, home: &Home) -> PathBuf {
        home.path().join(format!("{}.ready", self.name))
    }

    /// Its process.
    pub fn process(&self) -> anyhow::Result<&Process> {
        self.process.as_ref().context("it does not run")
    }
}

impl Drop for Gateways {
    fn drop(&mut self) {
        for gateway in &mut self.all {
            drop(gateway.process.take());
        }
        // Drained, it leaves its group; killed, it would stay a member for a while.
        if let Some(worker) = self.worker.as_mut().filter(|_| !std::thread::panicking()) {
            let _ = worker.terminate();
        }
    }
}
