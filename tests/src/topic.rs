//! What lies in topics, read by a plain consumer that is nobody's of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use eventlog::{Headers, Record};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use uuid::Uuid;

/// How long the broker may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its headers, as text.
    pub headers: BTreeMap<String, String>,
    /// Its value.
    pub value: Value,
}

/// The events of play.events.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// How many records each has.
    pub records: BTreeMap<Uuid, usize>,
}

/// What a worker made of play.events, by play.activity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Events that had an effect.
    pub applied: u64,
    /// Records that told again what was known.
    pub repeats: u64,
    /// Events that were set aside.
    pub set_aside: u64,
    /// Holes.
    pub holes: u64,
}

/// What gateways say became of the events that they received, by play.outcomes.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// Events by outcome.
    pub events: BTreeMap<String, u64>,
    /// Records of each kind: started, alive, counts, stopped.
    pub kinds: BTreeMap<String, u64>,
}

impl Events {
    /// Counts the records of play.events.
    pub fn of(entries: &[Entry]) -> anyhow::Result<Self> {
        let mut records = BTreeMap::new();
        for entry in entries {
            let id = entry.headers.get("event_id").with_context(|| format!("no event_id: {entry:?}"))?;
            *records.entry(id.parse()?).or_default() += 1;
        }
        Ok(Self { records })
    }

    /// Records in the topic.
    pub fn all(&self) -> usize {
        self.records.values().sum()
    }

    /// Records beyond each event's first.
    pub fn again(&self) -> usize {
        self.all() - self.records.len()
    }
}

impl Effects {
    /// Adds up the records of play.activity.
    pub fn of(entries: &[Entry]) -> Self {
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let sum = |value: &Value| value.as_object().into_iter().flatten().map(|(_, count)| number(count)).sum::<u64>();
        entries.iter().fold(Self::default(), |all, Entry { value, .. }| Self {
            applied: all.applied + sum(&value["applied"]),
            repeats: all.repeats + number(&value["repeats"]),
            set_aside: all.set_aside + sum(&value["set_aside"]),
            holes: all.holes + number(&value["holes"]),
        })
    }

    /// Records of play.events that it is about.
    pub fn records(&self) -> u64 {
        self.applied + self.repeats + self.set_aside + self.holes
    }
}

impl Outcomes {
    /// Adds up the records of play.outcomes that come from this gateway.
    pub fn of(entries: &[Entry], gateway: &str) -> Self {
        let mut all = Self::default();
        for value in entries.iter().map(|entry| &entry.value).filter(|value| value["gateway"] == gateway) {
            *all.kinds.entry(value["kind"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
            for (outcome, count) in value["outcomes"].as_object().into_iter().flatten() {
                *all.events.entry(outcome.clone()).or_default() += count.as_u64().unwrap_or_default();
            }
        }
        all
    }

    /// Events with this outcome.
    pub fn count(&self, outcome: &str) -> u64 {
        self.events.get(outcome).copied().unwrap_or_default()
    }

    /// Events with any outcome.
    pub fn all(&self) -> u64 {
        self.events.values().sum()
    }
}

/// All that lies in a topic now, without what was aborted.
pub async fn read(bootstrap: &str, topic: &str) -> anyhow::Result<Vec<Entry>> {
    let entry = |message: &BorrowedMessage<'_>| {
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        let headers = message.headers().into_iter().flat_map(rdkafka::message::Headers::iter);
        anyhow::Ok(Entry {
            partition: message.partition(),
            offset: message.offset(),
            headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
            value: serde_json::from_slice(message.payload().unwrap_or_default())?,
        })
    };
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read_now(&bootstrap, &topic, entry).with_context(|| topic.clone())).await?
}

/// The same, partition by partition, as records in their own bytes.
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

/// A plain reader is a member of none.
const GROUP: &str = "tests-read-without-a-group";

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
