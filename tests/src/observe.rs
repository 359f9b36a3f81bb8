//! What a plain consumer, which is nobody's of ours, sees of a cluster.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use eventlog::{Headers, Record};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// How long the broker may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A plain reader is a member of none.
const GROUP: &str = "tests-read-without-a-group";

/// What is made of each record that lies in a topic now, without what was aborted.
pub async fn read<T: Send + 'static>(
    bootstrap: &str,
    topic: &str,
    what: impl Fn(&BorrowedMessage<'_>) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<Vec<T>> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read_now(&bootstrap, &topic, what).with_context(|| topic.clone())).await?
}

/// All that lies in a topic now, without what was aborted, partition by partition.
pub async fn records(bootstrap: &str, topic: &str) -> anyhow::Result<Vec<Vec<Record>>> {
    let record = |message: &BorrowedMessage<'_>| {
        let headers = message.headers().into_iter().flat_map(rdkafka::message::Headers::iter);
        let pairs: Vec<_> = headers.map(|header| (header.key, header.value.unwrap_or_default())).collect();
        let record = Record {
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
            key: message.key().unwrap_or_default().to_vec().into(),
            value: message.payload().map(|value| value.to_vec().into()),
            headers: Headers::from_pairs(pairs),
        };
        anyhow::Ok((message.partition(), record))
    };
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    let read = move || {
        let mut partitions = vec![Vec::new(); partitions(&consumer(&bootstrap, GROUP)?, &topic)?];
        for (partition, record) in read_now(&bootstrap, &topic, record).with_context(|| topic.clone())? {
            partitions[usize::try_from(partition)?].push(record);
        }
        Ok(partitions)
    };
    tokio::task::spawn_blocking(read).await?
}

/// Where each partition of a topic ends, and where a group stands in it.
pub async fn standing(bootstrap: &str, topic: &str, group: &str) -> anyhow::Result<Vec<(i64, Option<i64>)>> {
    let (bootstrap, topic, group) = (bootstrap.to_owned(), topic.to_owned(), group.to_owned());
    let ask = move || {
        let consumer = consumer(&bootstrap, &group)?;
        let mut list = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions(&consumer, &topic)?)? {
            list.add_partition(&topic, partition);
        }
        let committed = consumer.committed_offsets(list, PATIENCE)?;
        let end = |place: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let (_, high) = consumer.fetch_watermarks(&topic, place.partition(), PATIENCE)?;
            let next = if let Offset::Offset(next) = place.offset() { Some(next) } else { None };
            anyhow::Ok((high, next))
        };
        committed.elements().into_iter().map(end).collect()
    };
    tokio::task::spawn_blocking(ask).await?
}

/// A partition's end, and where the first open transaction begins.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Committed readers come no further.
    pub stable: i64,
    /// Open transactions included.
    pub end: i64,
}

/// How far each partition of a topic is open.
pub async fn open(bootstrap: &str, topic: &str) -> anyhow::Result<Vec<Open>> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    let ask = move || {
        let committed = consumer(&bootstrap, GROUP)?;
        let all: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &bootstrap)
            .set("isolation.level", "read_uncommitted")
            .create()?;
        let partition = |number: usize| {
            let number = i32::try_from(number)?;
            let (_, stable) = committed.fetch_watermarks(&topic, number, PATIENCE)?;
            let (_, end) = all.fetch_watermarks(&topic, number, PATIENCE)?;
            anyhow::Ok(Open { stable, end })
        };
        (0..partitions(&committed, &topic)?).map(partition).collect()
    };
    tokio::task::spawn_blocking(ask).await?
}

/// Fewest in-sync copies of any partition of the cluster.
pub async fn least_in_sync(bootstrap: &str) -> anyhow::Result<usize> {
    let bootstrap = bootstrap.to_owned();
    let ask = move || {
        let metadata = consumer(&bootstrap, GROUP)?.fetch_metadata(None, PATIENCE)?;
        let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        partitions.map(|partition| partition.isr().len()).min().context("no partition at all")
    };
    tokio::task::spawn_blocking(ask).await?
}

/// The number of the broker that leads a partition.
pub async fn leader(bootstrap: &str, topic: &str, partition: i32) -> anyhow::Result<usize> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    let ask = move || {
        let metadata = consumer(&bootstrap, GROUP)?.fetch_metadata(Some(&topic), PATIENCE)?;
        let mut partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        let found = partitions.find(|found| found.id() == partition).context("no such partition")?;
        Ok(usize::try_from(found.leader())?)
    };
    tokio::task::spawn_blocking(ask).await?
}

fn consumer(bootstrap: &str, group: &str) -> anyhow::Result<BaseConsumer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "error");
    Ok(config.create()?)
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<usize> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = metadata.topics().first().context("no such topic")?.partitions().len();
    ensure!(partitions > 0, "no such topic");
    Ok(partitions)
}

fn read_now<T>(
    bootstrap: &str,
    topic: &str,
    what: impl Fn(&BorrowedMessage<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let consumer = consumer(bootstrap, GROUP)?;
    let partitions = partitions(&consumer, topic)?;
    let mut assigned = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions)? {
        assigned.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assigned)?;
    let (mut found, mut ended, began) = (Vec::new(), BTreeSet::new(), Instant::now());
    while ended.len() < partitions {
        ensure!(began.elapsed() < PATIENCE, "not read within {PATIENCE:?}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => found.push(what(&message)?),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            // A broker that has only just come back is tried again by the client itself.
            Some(Err(_)) | None => {}
        }
    }
    Ok(found)
}
