//! One log with its topics, a credential, and the daemons that run on it, each as a process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use eventlog::embedded::EmbeddedLog;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use eventlog::{EventLog, TopicPartition};
use ingest_gateway::credentials::Scope;
use playledger::topics;
use playledger_tests::kafka::KafkaBroker;
use schemas::topics::Topic;

use crate::daemons::{GATEWAY, PROJECTOR, WORKER};
use crate::key::new_key;
use crate::process::{Process, program};
use crate::send::Gateway;

/// Partitions of every topic, as in local mode.
pub(crate) const PARTITIONS: i32 = 4;
/// What the names of the topics begin with.
pub(crate) const PREFIX: &str = "play.";
/// The group that the worker joins.
const GROUP: &str = "playledger-worker";

/// Which log a world stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One SQLite file that the processes share.
    Embedded,
    /// Apache Kafka, one broker on this machine.
    Kafka,
}

/// A log, and what is needed to run the daemons on it.
pub struct World {
    /// Which log.
    pub kind: Kind,
    /// The log itself, to look at.
    pub log: Arc<dyn EventLog>,
    ground: Ground,
    folder: PathBuf,
    database_url: String,
    key: String,
}

enum Ground {
    File(PathBuf, EmbeddedLog),
    Broker(KafkaBroker),
}

/// Which tables a projector fills.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// Their schema; the projector's group is named after it.
    pub schema: &'static str,
    /// Whether they hold a row for every event.
    pub event_log: bool,
}

impl Kind {
    /// Its name in the figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Kafka => "kafka",
        }
    }
}

impl World {
    /// A new log with empty topics; everything of it lies in `folder`.
    ///
    /// # Errors
    /// When the log can't be made.
    pub async fn new(kind: Kind, folder: PathBuf, database_url: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let (ground, log): (_, Arc<dyn EventLog>) = match kind {
            Kind::Embedded => {
                let file = folder.join("log.db");
                let log = EmbeddedLog::open(&file).await?;
                (Ground::File(file, log.clone()), Arc::new(log))
            }
            Kind::Kafka => {
                let broker = tokio::task::spawn_blocking(|| KafkaBroker::start_own(1, &[])).await?;
                let brokers = broker.bootstrap().to_owned();
                let log = KafkaLog::open(KafkaOptions { brokers, client_id: "bench".into(), ..Default::default() })?;
                (Ground::Broker(broker), Arc::new(log))
            }
        };
        let checks = log.ensure_topics(&topics::specs(PREFIX, PARTITIONS, 1)).await?;
        ensure!(!checks.iter().any(topics::is_wrong), "the topics could not be made: {checks:?}");
        // The recorded play is older than what other keys may send.
        let key = new_key(&folder.join("credentials.toml"), vec![Scope::Ingest, Scope::Backfill], "unlimited")?;
        Ok(Self { kind, log, ground, folder, database_url: database_url.to_owned(), key })
    }

    /// Starts a gateway; gives it when it takes events.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn gateway(&self) -> anyhow::Result<(Process, Gateway)> {
        let credentials = self.folder.join("credentials.toml");
        let own = [
            "--listen",
            "127.0.0.1:0",
            "--instance",
            "bench",
            "--address-requests",
            "0",
            "--credentials",
            text(&credentials)?,
        ];
        let (process, ready) = self.start(GATEWAY, GATEWAY, &own).await?;
        let ready: serde_json::Value = serde_json::from_str(&ready)?;
        let address = ready["gateway"].as_str().context("the gateway's ready file names no address")?;
        Ok((process, Gateway::new(address, &self.key)?))
    }

    /// Starts a worker; gives it when its state is restored.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn worker(&self) -> anyhow::Result<Process> {
        let own = ["--instance", "bench", "--group", GROUP];
        Ok(self.start(WORKER, WORKER, &own).await?.0)
    }

    /// Starts a projector that fills these tables; gives it when it has joined its group.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn projector(&self, tables: Tables) -> anyhow::Result<Process> {
        let mut own = vec!["--database-url", &self.database_url, "--schema", tables.schema];
        own.extend(["--group", tables.schema, "--instance", "bench"]);
        if tables.event_log {
            own.push("--event-log");
        }
        Ok(self.start(PROJECTOR, &format!("projector-{}", tables.schema), &own).await?.0)
    }

    /// How far the worker has committed and how far play.events goes, by partition.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn worker_progress(&self) -> anyhow::Result<Vec<(i64, i64)>> {
        let name: Arc<str> = Topic::Events.name(PREFIX).into();
        let partitions: Vec<_> = (0..PARTITIONS).map(|number| TopicPartition::new(Arc::clone(&name), number)).collect();
        let committed = self.log.committed(GROUP, &partitions).await?;
        let mut progress = Vec::with_capacity(partitions.len());
        for (partition, committed) in partitions.iter().zip(committed) {
            progress.push((committed.unwrap_or(0), self.log.offsets(partition).await?.high));
        }
        Ok(progress)
    }

    /// Ends the log; its daemons must have ended.
    pub async fn close(self) {
        match self.ground {
            Ground::File(_, log) => log.close().await,
            Ground::Broker(broker) => {
                drop(self.log);
                // Ending it waits for its processes.
                let _ = tokio::task::spawn_blocking(move || drop(broker)).await;
            }
        }
    }

    async fn start(&self, daemon: &str, name: &str, own: &[&str]) -> anyhow::Result<(Process, String)> {
        let ready = self.folder.join(format!("{name}.ready"));
        if ready.exists() {
            std::fs::remove_file(&ready)?;
        }
        let mut command = program(daemon)?;
        match &self.ground {
            Ground::File(file, _) => command.arg("--log-file").arg(file),
            Ground::Broker(broker) => command.args(["--kafka", broker.bootstrap()]),
        };
        command.args(["--topic-prefix", PREFIX, "--ops", "127.0.0.1:0"]).args(own);
        command.arg("--ready-file").arg(&ready);
        let mut process = Process::start(command, name, &self.folder)?;
        let told = process.ready(&ready).await?;
        Ok((process, told))
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{}: is not UTF-8", path.display()))
}
