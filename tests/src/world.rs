//! Whole worlds: local mode in one process, and daemons of their own on Apache Kafka.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use playledger::folder::{Folder, LogKind};
use playledger::postgres::{self, Server};
use serde::Deserialize;
use tempfile::TempDir;

use crate::client::Client;
use crate::kafka::KafkaBroker;
use crate::process::Process;
use crate::tables::Tables;

/// Local mode as a process, on a folder of its own.
#[derive(Debug)]
pub struct Local {
    folder: TempDir,
    extra: Vec<String>,
    process: Process,
    /// What it printed when it was ready.
    pub line: ReadyLine,
}

/// The line that `playledger up --json` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct ReadyLine {
    /// The gateway's URL.
    pub gateway: String,
    /// The dashboard's URL.
    pub dashboard: String,
    /// The ops port's URL.
    pub ops: String,
    /// The database's URL.
    pub database_url: String,
    /// A key with every scope.
    pub api_key: String,
}

impl Local {
    /// Starts local mode on a new folder.
    pub fn start(extra: &[&str]) -> anyhow::Result<Self> {
        let folder = folder()?;
        let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
        let (process, line) = up(folder.path(), &extra)?;
        Ok(Self { folder, extra, process, line })
    }

    /// kill −9, and up again on the same folder.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.restart()
    }

    /// Up again on the same folder; the process must have ended.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        (self.process, self.line) = up(self.folder.path(), &self.extra)?;
        Ok(())
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A client with its key.
    pub fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.line.api_key)
    }

    /// A reader of its tables.
    pub async fn tables(&self) -> anyhow::Result<Tables> {
        Tables::open(&self.line.database_url).await
    }
}

fn up(folder: &Path, extra: &[String]) -> anyhow::Result<(Process, ReadyLine)> {
    let data = folder.join("data");
    let mut arguments: Vec<String> = ["up", "--json", "--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"]
        .into_iter()
        .map(String::from)
        .collect();
    arguments.extend(["--ops".into(), "127.0.0.1:0".into(), "--data".into(), data.display().to_string()]);
    arguments.extend_from_slice(extra);
    let mut process = Process::start("playledger", "up", &arguments, folder)?;
    let line = process.first_line()?;
    let line = serde_json::from_str(&line).with_context(|| line.clone())?;
    Ok((process, line))
}

/// The daemons as processes of their own, on a real broker and a real Postgres.
#[derive(Debug)]
pub struct Daemons {
    folder: TempDir,
    arguments: BTreeMap<&'static str, Vec<String>>,
    running: BTreeMap<&'static str, Process>,
    broker: KafkaBroker,
    postgres: Server,
    /// A key of tenant `acme`, game `quest`, with every scope for ingest.
    pub key: String,
    /// The gateway's URL.
    pub gateway: String,
    /// What the topics' names begin with.
    pub prefix: String,
}

/// The daemons that hold no page.
pub const PIPELINE: [&str; 3] = ["ingest-gateway", "feature-worker", "projector"];

impl Daemons {
    /// Starts gateway, worker and projector on topics and a database of their own.
    pub async fn start(worker: &[&str]) -> anyhow::Result<Self> {
        let folder = folder()?;
        let broker = KafkaBroker::start();
        let postgres = postgres::start(&Folder::take(&folder.path().join("postgres"), LogKind::Kafka)?).await?;
        let prefix = format!("t{}.", uuid::Uuid::new_v4().simple());
        let credentials = folder.path().join("credentials.toml").display().to_string();
        let bootstrap = broker.bootstrap().to_owned();
        run(
            folder.path(),
            &[
                "topics",
                "create",
                "--kafka",
                &bootstrap,
                "--topic-prefix",
                &prefix,
                "--partitions",
                "4",
                "--replication",
                "1",
            ],
        )?;
        let key = run(
            folder.path(),
            &[
                "keys",
                "create",
                "--credentials",
                &credentials,
                "--tenant",
                "acme",
                "--game",
                "quest",
                "--scope",
                "ingest",
                "--scope",
                "backfill",
            ],
        )?;
        let common = ["--kafka", &bootstrap, "--topic-prefix", &prefix, "--ops", "127.0.0.1:0"];
        let with = |own: &[&str]| common.iter().chain(own).map(ToString::to_string).collect::<Vec<_>>();
        // The worlds of one run share a broker: each has groups of its own, as it has topics.
        let group = |name: &str| format!("{prefix}{name}");
        let arguments = BTreeMap::from([
            ("ingest-gateway", with(&["--listen", "127.0.0.1:0", "--credentials", &credentials])),
            ("feature-worker", with(&[&["--instance", "one", "--group", &group("worker")], worker].concat())),
            ("projector", with(&["--database-url", postgres.url(), "--group", &group("projector")])),
        ]);
        let mut world = Self {
            folder,
            arguments,
            running: BTreeMap::new(),
            broker,
            postgres,
            key: key.trim().to_owned(),
            gateway: String::new(),
            prefix,
        };
        for name in PIPELINE {
            world.launch(name)?;
        }
        // Started again, the gateway is where its clients know it.
        let address = world.gateway.trim_start_matches("http://").to_owned();
        if let Some(listen) = world.arguments.get_mut("ingest-gateway").and_then(|arguments| {
            let flag = arguments.iter().position(|argument| argument == "--listen")?;
            arguments.get_mut(flag + 1)
        }) {
            *listen = address;
        }
        Ok(world)
    }

    /// Starts a daemon and waits until it is ready.
    pub fn launch(&mut self, name: &'static str) -> anyhow::Result<()> {
        let ready = self.folder.path().join(format!("{name}.ready"));
        if ready.exists() {
            std::fs::remove_file(&ready)?;
        }
        let mut arguments = self.arguments.get(name).cloned().context("no such daemon")?;
        arguments.extend(["--ready-file".into(), ready.display().to_string()]);
        let mut process = Process::start(name, name, &arguments, self.folder.path())?;
        let addresses = process.ready(&ready)?;
        if name == "ingest-gateway" {
            let address = addresses.get("gateway").context("the ready file names no gateway")?;
            self.gateway = format!("http://{address}");
        }
        self.running.insert(name, process);
        Ok(())
    }

    /// kill −9 of one daemon, and up again.
    pub fn kill_and_restart(&mut self, name: &'static str) -> anyhow::Result<()> {
        self.running.remove(name).context("it does not run")?.kill()?;
        self.launch(name)
    }

    /// SIGTERM to every daemon, gateway first; each must end with 0.
    pub fn terminate(&mut self) -> anyhow::Result<()> {
        for name in PIPELINE {
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
        self.broker.bootstrap()
    }
}

/// Runs `playledger` to its end; gives what it printed.
fn run(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let mut process = Process::start("playledger", "command", &arguments, folder)?;
    process.output()
}

/// A folder that the `postgres` user may enter, so that a cluster of root's stays inside.
fn folder() -> anyhow::Result<TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::Builder::new().prefix("playledger-").tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}
