//! The log on Apache Kafka, through rdkafka.
//!
//! What each file does:
//! - `flags`: how a program is told of a cluster; `options`: settings of the clients; `error`: what their errors mean;
//! - `observer`, `admin`, `topic_id`: questions about topics and offsets, and the making of topics;
//! - `appender`, `acknowledge`: records and their acknowledgements (`produce`: a record as librdkafka takes it);
//! - `membership`: a member of a group as the task sees it; `held`: what it keeps of partitions that are held;
//!   `consumer`, `rebalance`, `start`, `slots`: its thread; `question`: what that asks aside; `transaction`,
//!   `deliveries`: its commits; `messages`: what task and thread tell each other;
//! - `reader`: stretches without a group; `reading`: its thread;
//! - `link`, `batch`: what passes between thread and task; `native`, `message`: how events are read.

mod acknowledge;
mod admin;
mod appender;
mod batch;
mod consumer;
mod context;
mod deliveries;
mod error;
mod flags;
mod held;
mod link;
mod membership;
mod message;
mod messages;
mod native;
mod observer;
mod options;
mod produce;
mod question;
mod reader;
mod reading;
mod rebalance;
mod sender;
mod slots;
mod start;
mod topic_id;
mod transaction;

use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::consumer::ConsumerGroupMetadata as Metadata;

pub use flags::KafkaFlags;
use observer::{CALL, Observer};
pub use options::KafkaOptions;

use crate::{
    AppendOptions, Appender, EventLog, GroupOptions, LogError, Membership, OffsetRange, ReadRequest, Reader,
    TopicCheck, TopicInfo, TopicPartition, TopicSpec,
};

/// A log on a Kafka cluster.
///
/// Appends are idempotent and acknowledged by all in-sync replicas. A member's commits are Kafka
/// transactions, fenced by the name of the member and by the generation of the group.
pub struct KafkaLog {
    options: KafkaOptions,
    observer: Arc<Observer>,
}

impl KafkaLog {
    /// A log on the cluster that the options name. Does not wait for its brokers: what is asked of
    /// the log while they do not answer fails with [`LogError::Unavailable`].
    ///
    /// # Errors
    /// [`LogError::Invalid`] when librdkafka refuses a setting.
    pub fn open(options: KafkaOptions) -> Result<Self, LogError> {
        if options.brokers.trim().is_empty() {
            return Err(LogError::Invalid("no Kafka brokers are named; give HOST:PORT".into()));
        }
        let observer = Arc::new(Observer::new(&options)?);
        Ok(Self { options, observer })
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        admin::ensure(&self.observer, specs).await
    }

    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        admin::check(&self.observer, specs).await
    }

    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        let name = name.to_owned();
        asked(&self.observer, move |observer| observer.topic(&name)).await
    }

    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        let partition = partition.clone();
        asked(&self.observer, move |observer| observer.range(&partition, CALL)).await
    }

    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        let partition = partition.clone();
        asked(&self.observer, move |observer| observer.offset_at(&partition, timestamp_ms)).await
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        let (group, partitions) = (group.to_owned(), partitions.to_vec());
        asked(&self.observer, move |observer| observer.committed(&group, &partitions)).await
    }

    async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::new(appender::KafkaAppender::new(&self.options, options)?))
    }

    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        let kafka = self.options.clone();
        let join = move |observer: &Arc<Observer>| membership::join(&kafka, observer, options);
        Ok(Box::new(asked(&self.observer, join).await?))
    }

    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        let kafka = self.options.clone();
        let open = move |observer: &Arc<Observer>| reader::open(&kafka, observer, request);
        Ok(Box::new(asked(&self.observer, open).await?))
    }
}

/// Makes a blocking call beside the runtime's workers.
async fn asked<T: Send + 'static>(
    observer: &Arc<Observer>,
    ask: impl FnOnce(&Arc<Observer>) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let observer = Arc::clone(observer);
    match tokio::task::spawn_blocking(move || ask(&observer)).await {
        Ok(answer) => answer,
        Err(failed) => Err(LogError::Fatal(format!("a call to the cluster failed: {failed}"))),
    }
}
