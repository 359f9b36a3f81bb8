//! The topics that the worker reads and writes, and their numbers of partitions.

use std::sync::Arc;

use anyhow::ensure;
use eventlog::{EventLog, LogError, TopicPartition};
use schemas::topics::{Topic, partition};

/// Whole names and numbers of partitions.
#[derive(Clone, Debug)]
pub struct Topics {
    /// What games sent.
    pub events: Named,
    /// The worker's own state.
    pub state: Named,
    /// Reports.
    pub sessions: Named,
    /// Snapshots.
    pub live: Named,
    /// Counts.
    pub activity: Named,
    /// What is set aside.
    pub quarantine: Named,
}

/// A topic by name.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its whole name.
    pub name: Arc<str>,
    /// Number of partitions.
    pub partitions: i32,
}

impl Topics {
    /// Asks the log for the topics; checks that those that have to agree do.
    ///
    /// # Errors
    /// [`LogError`] as the cause where the log does not answer or lacks a topic.
    pub async fn find(log: &dyn EventLog, prefix: &str) -> anyhow::Result<Self> {
        let find = async |topic: Topic| -> anyhow::Result<Named> {
            let name = topic.name(prefix);
            let known = log.topic(&name).await.map_err(|error| match error {
                LogError::NotFound(_) => anyhow::anyhow!(
                    "there is no topic {name}: make the topics with `playledger topics create`, or mend --topic-prefix"
                ),
                other => other.into(),
            });
            Ok(Named { partitions: known?.partitions, name: name.into() })
        };
        let topics = Self {
            events: find(Topic::Events).await?,
            state: find(Topic::SessionState).await?,
            sessions: find(Topic::Sessions).await?,
            live: find(Topic::Live).await?,
            activity: find(Topic::Activity).await?,
            quarantine: find(Topic::Quarantine).await?,
        };
        for other in [&topics.state, &topics.sessions] {
            ensure!(
                other.partitions == topics.events.partitions,
                "{} has {} partitions and {} has {}: they must agree; make the topics anew",
                topics.events.name,
                topics.events.partitions,
                other.name,
                other.partitions
            );
        }
        Ok(topics)
    }
}

impl Named {
    /// The partition of a key.
    pub fn keyed(&self, key: &[u8]) -> TopicPartition {
        self.numbered(partition(key, self.partitions))
    }

    /// The partition of a number.
    pub fn numbered(&self, partition: i32) -> TopicPartition {
        TopicPartition { topic: Arc::clone(&self.name), partition }
    }
}

/// Whether trying again may help.
pub fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(LogError::Unavailable(_))))
}
