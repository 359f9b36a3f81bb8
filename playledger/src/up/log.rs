//! The log of local mode: the one in the folder, or a Kafka cluster's; with its topics.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use daemon::Clock;
use eventlog::EventLog;
use eventlog::embedded::EmbeddedLog;
use eventlog::kafka::KafkaFlags;
use tokio::task::JoinHandle;

use super::Arguments;
use crate::folder::{Folder, describe};
use crate::output::Usage;
use crate::topics;

/// Partitions in local mode.
const PARTITIONS: i32 = 4;
/// How often old records are looked for.
const MAINTAIN_EVERY: Duration = Duration::from_mins(1);

/// The log, and what keeps it in order.
pub(super) struct Log {
    /// What the daemons get.
    pub(super) shared: Arc<dyn EventLog>,
    embedded: Option<(EmbeddedLog, JoinHandle<()>)>,
}

/// Opens the log and makes the topics that are missing.
///
/// # Errors
/// A sentence: the file or the cluster can't be used, or a topic is not as it must be.
pub(super) async fn open(arguments: &Arguments, folder: &Folder, clock: &Clock) -> anyhow::Result<Log> {
    let log = match &arguments.kafka {
        Some(brokers) => open_kafka(brokers, &arguments.kafka_set)?,
        None => open_embedded(folder, clock).await?,
    };
    // Of a cluster's own topics, partitions and copies are the operator's business.
    let specs = topics::specs(&arguments.topic_prefix, PARTITIONS, 1);
    if let Some((embedded, _)) = &log.embedded {
        // A folder of a release before is taken up again.
        embedded.widen_topics(&specs).await?;
    }
    for check in log.shared.ensure_topics(&specs).await? {
        if topics::is_wrong(&check) {
            if arguments.kafka.is_none() {
                bail!("{}: the topic {}", folder.path().display(), topics::words(&check));
            }
            tracing::info!("the topic {}", topics::words(&check));
        }
    }
    Ok(log)
}

impl Log {
    /// Closes it: what was appended is on disk.
    pub(super) async fn close(self) {
        if let Some((log, maintenance)) = self.embedded {
            maintenance.abort();
            log.close().await;
        }
    }
}

fn open_kafka(brokers: &str, settings: &[String]) -> anyhow::Result<Log> {
    let settings = settings.iter().map(|setting| match setting.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(Usage(format!("--kafka-set {setting}: must be KEY=VALUE, such as security.protocol=ssl"))),
    });
    let flags = KafkaFlags { kafka: brokers.to_owned(), kafka_set: settings.collect::<Result<_, _>>()? };
    Ok(Log { shared: Arc::new(flags.open("playledger")?), embedded: None })
}

async fn open_embedded(folder: &Folder, clock: &Clock) -> anyhow::Result<Log> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = crate::folder::log_file(folder.path());
    if let Some(home) = path.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(home);
        made.map_err(|error| anyhow::anyhow!(describe("can't make the folder of the log", home, &error)))?;
    }
    let log = EmbeddedLog::open(&path).await?;
    let maintenance = tokio::spawn(maintain(log.clone(), clock.clone()));
    Ok(Log { shared: Arc::new(log.clone()), embedded: Some((log, maintenance)) })
}

async fn maintain(log: EmbeddedLog, clock: Clock) {
    loop {
        tokio::time::sleep(MAINTAIN_EVERY).await;
        if let Err(error) = log.maintain(clock.now_ms()).await {
            tracing::warn!(%error, "old records of the log could not be dropped; trying again in a minute");
        }
    }
}
