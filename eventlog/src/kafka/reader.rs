//! Reads stretches of partitions without a group.

use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::context::LogContext;
use super::error;
use super::link::{Link, Received};
use super::membership::spawn;
use super::native::EventQueue;
use super::observer::{CALL, Observer};
use super::options::KafkaOptions;
use super::reading::{Progress, ReaderLink, Reading, Stop};
use crate::{Batch, LogError, ReadRequest, Reader, Stretch};

/// So many bytes may wait for the task: several readers run at once, each for a short while.
const ROOM: usize = 8 << 20;

/// The task's end.
pub(super) struct KafkaReader {
    link: Arc<ReaderLink>,
    positions: Vec<i64>,
    ends: Vec<Option<i64>>,
    failed: bool,
}

/// Opens a reader; blocks.
pub(super) fn open(
    kafka: &KafkaOptions,
    observer: &Arc<Observer>,
    request: ReadRequest,
) -> Result<KafkaReader, LogError> {
    let mut list = TopicPartitionList::new();
    let mut stretches = Vec::with_capacity(request.stretches.len());
    for stretch in request.stretches {
        let Stretch { partition, from, .. } = &stretch;
        let range = observer.range(partition, CALL)?;
        if *from < range.low || *from > range.high {
            return Err(error::out_of_range(partition, range, *from));
        }
        let progress = Progress::of(stretch);
        if !progress.done {
            let Stretch { partition, from, .. } = &progress.stretch;
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*from))
                .map_err(|failed| LogError::Invalid(format!("{partition} at {from}: {failed}")))?;
        }
        stretches.push(progress);
    }
    let failed = |failed: rdkafka::error::KafkaError| error::of_call(&failed, "the reader");
    let mut config = kafka.reader(request.read_committed);
    // librdkafka assigns only where there is a group's name; it joins none and commits nothing.
    config.set("group.id", "playledger-reader");
    let consumer = BaseConsumer::from_config_and_context(&config, LogContext).map_err(failed)?;
    let queue = EventQueue::of_consumer(consumer.client().native_ptr())
        .ok_or_else(|| LogError::Fatal("the consumer has no queue".into()))?;
    consumer.assign(&list).map_err(failed)?;
    let queue = Arc::new(queue);
    let link = Arc::new(Link::new(Arc::clone(&queue), ROOM));
    let positions = stretches.iter().map(|progress| progress.position).collect();
    let ends = stretches.iter().map(|progress| progress.stretch.until).collect();
    let reading =
        Reading { queue, consumer, link: Arc::clone(&link), observer: Arc::clone(observer), stretches, last: 0 };
    spawn("log-reader", move || reading.run())?;
    Ok(KafkaReader { link, positions, ends, failed: false })
}

#[async_trait]
impl Reader for KafkaReader {
    async fn next(&mut self) -> Result<Option<Batch>, LogError> {
        if self.failed {
            return Err(LogError::Fatal("the reader has failed before".into()));
        }
        match self.link.receive().await {
            Received::Item((stretch, batch)) => {
                self.positions[stretch] = batch.next_offset;
                Ok(Some(batch))
            }
            Received::Ended if self.is_done() => Ok(None),
            Received::Ended => Err(LogError::Fatal("the reader ended before its stretches did".into())),
            Received::Notice(error) => {
                self.failed = true;
                Err(error)
            }
        }
    }

    fn positions(&self) -> Vec<i64> {
        self.positions.clone()
    }
}

impl KafkaReader {
    fn is_done(&self) -> bool {
        self.positions.iter().zip(&self.ends).all(|(position, end)| end.is_some_and(|end| *position >= end))
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        self.link.command(Stop);
    }
}
