//! What lies in topics, read by a plain consumer that is nobody's of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers as _, Message as _};
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
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read_now(&bootstrap, &topic).with_context(|| topic.clone())).await?
}

fn read_now(bootstrap: &str, topic: &str) -> anyhow::Result<Vec<Entry>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "tests-read-without-a-group")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "error")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = metadata.topics().first().context("no such topic")?.partitions();
    ensure!(!partitions.is_empty(), "no such topic");
    let mut assigned = TopicPartitionList::new();
    for partition in partitions {
        assigned.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&assigned)?;
    let (mut entries, mut ended, began) = (Vec::new(), BTreeSet::new(), Instant::now());
    while ended.len() < partitions.len() {
        ensure!(began.elapsed() < PATIENCE, "not read within {PATIENCE:?}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => entries.push(Entry {
                partition: message.partition(),
                offset: message.offset(),
                headers: message
                    .headers()
                    .map(|headers| {
                        let text =
                            |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
                        headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
                    })
                    .unwrap_or_default(),
                value: serde_json::from_slice(message.payload().unwrap_or_default())?,
            }),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            // A broker that has only just come back is tried again by the client itself.
            Some(Err(_)) | None => {}
        }
    }
    Ok(entries)
}
