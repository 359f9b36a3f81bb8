//! Questions to the cluster: topics, offsets, times. All calls here block.

use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::context::LogContext;
use super::options::KafkaOptions;
use super::{error, topic_id};
use crate::{LogError, OffsetRange, TopicInfo, TopicPartition};

/// So long may a question take that nobody has set a limit for.
pub(super) const CALL: Duration = Duration::from_secs(10);

/// Clients that only ask. They see open transactions: a partition's high watermark is the true one.
pub(super) struct Observer {
    consumer: BaseConsumer<LogContext>,
    pub(super) admin: AdminClient<LogContext>,
    options: KafkaOptions,
}

impl Observer {
    pub(super) fn new(options: &KafkaOptions) -> Result<Self, LogError> {
        let mut config = options.observer();
        // Nobody polls these clients for their log lines; what fails is told by the call.
        config.set_log_level(RDKafkaLogLevel::Critical);
        let made = |failed: KafkaError| error::of_call(&failed, "the cluster");
        Ok(Self {
            consumer: BaseConsumer::from_config_and_context(&config, LogContext).map_err(made)?,
            admin: AdminClient::from_config_and_context(&config, LogContext).map_err(made)?,
            options: options.clone(),
        })
    }

    /// A topic's id and number of partitions.
    pub(super) fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        let described = topic_id::describe(self.admin.inner().native_ptr(), name, CALL)?;
        let partitions = i32::try_from(described.partitions)
            .map_err(|_| LogError::Invalid(format!("topic {name} has too many partitions")))?;
        Ok(TopicInfo { id: described.id.to_string(), partitions })
    }

    /// How many copies a topic's partitions have; the fewest of any.
    pub(super) fn replication(&self, name: &str) -> Result<usize, LogError> {
        let metadata =
            self.consumer.fetch_metadata(Some(name), CALL).map_err(|failed| error::of_call(&failed, name))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        let fewest = topic.and_then(|topic| topic.partitions().iter().map(|p| p.replicas().len()).min());
        self.drain();
        fewest.ok_or_else(|| LogError::NotFound(name.to_owned()))
    }

    /// The offsets that a partition holds, those of open transactions included.
    pub(super) fn range(&self, partition: &TopicPartition, wait: Duration) -> Result<OffsetRange, LogError> {
        let ask = || self.consumer.fetch_watermarks(&partition.topic, partition.partition, wait);
        let found = self.fresh(&partition.topic, ask);
        self.drain();
        let (low, high) = found.map_err(|failed| error::of_call(&failed, &partition.to_string()))?;
        Ok(OffsetRange { low, high })
    }

    /// The first offset at or after a time.
    pub(super) fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        let what = partition.to_string();
        let failed = |failed: KafkaError| error::of_call(&failed, &what);
        let mut list = TopicPartitionList::new();
        // Negative times are questions of another kind to Kafka; no record is that old.
        let asked = Offset::Offset(timestamp_ms.max(0));
        list.add_partition_offset(&partition.topic, partition.partition, asked).map_err(failed)?;
        let ask = || {
            let found = self.consumer.offsets_for_times(list.clone(), CALL)?;
            found.elements().into_iter().next().map(|element| element.error().map(|()| element.offset())).transpose()
        };
        let found = self.fresh(&partition.topic, ask);
        self.drain();
        Ok(match found.map_err(failed)?.ok_or_else(|| LogError::NotFound(what.clone()))? {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        })
    }

    /// What a group has committed.
    pub(super) fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        let what = format!("group {group}");
        let failed = |failed: KafkaError| error::of_call(&failed, &what);
        let config = self.options.group_observer(group);
        let consumer: BaseConsumer<LogContext> =
            BaseConsumer::from_config_and_context(&config, LogContext).map_err(failed)?;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        let found = consumer.committed_offsets(list, CALL).map_err(failed)?;
        let offset_of = |partition: &TopicPartition| {
            let Some(element) = found.find_partition(&partition.topic, partition.partition) else { return Ok(None) };
            element.error().map_err(failed)?;
            Ok(match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
        };
        partitions.iter().map(offset_of).collect()
    }

    /// Asks; once more where the first answer came of what a broker had not heard yet. The client keeps that
    /// for as long as what it knows of other topics, a quarter of an hour, unless it is asked for more.
    fn fresh<T>(&self, topic: &str, ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
        let answer = ask();
        if !answer.as_ref().err().and_then(KafkaError::rdkafka_error_code).is_some_and(error::is_hearsay) {
            return answer;
        }
        self.consumer.fetch_metadata(Some(topic), CALL)?;
        ask()
    }

    /// Throws away what the client would tell a poller, so that it does not pile up.
    fn drain(&self) {
        for _ in 0..10 {
            // There is no assignment, so there are no records among it.
            let _ = self.consumer.poll(Duration::ZERO);
        }
    }
}
