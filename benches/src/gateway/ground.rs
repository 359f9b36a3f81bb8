//! A broker, and gateways on topics of their own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use eventlog::EventLog as _;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use ingest_gateway::credentials::Scope;
use playledger::topics;
use playledger_tests::kafka::KafkaBroker;

use crate::daemons::GATEWAY;
use crate::key::new_key;
use crate::process::{Process, program};

/// Partitions of every topic.
pub(super) const PARTITIONS: i32 = 4;

/// Limits that are counted like any other and never met.
const TIERS: &str = r"
[tier.bench]
address = { requests = { per_second = 1_000_000_000 }, events = { per_second = 1_000_000_000 } }
player = { requests = { per_second = 1_000_000_000 }, events = { per_second = 1_000_000_000 } }
key = { requests = { per_second = 1_000_000_000 }, events = { per_second = 1_000_000_000 } }
";

/// One broker, one key.
pub(super) struct Ground {
    broker: KafkaBroker,
    log: KafkaLog,
    folder: PathBuf,
    key: String,
    worlds: AtomicUsize,
}

/// A gateway's process and where it takes events.
pub(super) struct Gateway {
    /// The process.
    pub(super) process: Process,
    /// `HOST:PORT`.
    pub(super) address: String,
}

impl Ground {
    /// Starts the broker; everything else lies in `folder`.
    ///
    /// # Errors
    /// When a client or a file can't be made.
    pub(super) async fn new(folder: &Path) -> anyhow::Result<Self> {
        let broker = tokio::task::spawn_blocking(|| KafkaBroker::start_own(1, &[])).await?;
        let brokers = broker.bootstrap().to_owned();
        let log = KafkaLog::open(KafkaOptions { brokers, client_id: "bench".into(), ..Default::default() })?;
        std::fs::write(folder.join("tiers.toml"), TIERS)?;
        let key = new_key(&folder.join("credentials.toml"), vec![Scope::Ingest], "bench")?;
        Ok(Self { broker, log, folder: folder.to_owned(), key, worlds: AtomicUsize::new(0) })
    }

    /// Where the broker answers.
    pub(super) fn bootstrap(&self) -> &str {
        self.broker.bootstrap()
    }

    /// The key of every gateway here.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Makes the topics of a world that nothing has been sent to; gives what their names begin with.
    ///
    /// # Errors
    /// When the broker does not make them.
    pub(super) async fn new_topics(&self) -> anyhow::Result<String> {
        let prefix = format!("world{}.", self.worlds.fetch_add(1, Ordering::Relaxed));
        let checks = self.log.ensure_topics(&topics::specs(&prefix, PARTITIONS, 1)).await?;
        ensure!(!checks.iter().any(topics::is_wrong), "the topics could not be made: {checks:?}");
        Ok(prefix)
    }

    /// Starts a gateway with everything on, and with these flags; gives it when it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(super) async fn gateway(&self, prefix: &str, name: &str, flags: &[&str]) -> anyhow::Result<Gateway> {
        let name = format!("{prefix}{name}");
        let ready = self.folder.join(format!("{name}.ready"));
        let access_log = self.folder.join(format!("{name}.access"));
        let mut command = program(GATEWAY)?;
        command.args(["--kafka", self.bootstrap(), "--topic-prefix", prefix, "--instance", &name]);
        command.args(["--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--address-requests", "1000000000"]);
        command.arg("--tiers").arg(self.folder.join("tiers.toml"));
        command.arg("--credentials").arg(self.folder.join("credentials.toml"));
        command.arg("--access-log").arg(access_log).arg("--ready-file").arg(&ready).args(flags);
        let mut process = Process::start_logging(command, &name, &self.folder, "info")?;
        let told: serde_json::Value = serde_json::from_str(&process.ready(&ready).await?)?;
        let address = told["gateway"].as_str().context("the gateway's ready file names no address")?.to_owned();
        Ok(Gateway { process, address })
    }

    /// Ends the broker; the gateways must have ended.
    pub(super) async fn close(self) {
        drop(self.log);
        let broker = self.broker;
        // Ending it waits for its process.
        let _ = tokio::task::spawn_blocking(move || drop(broker)).await;
    }
}
