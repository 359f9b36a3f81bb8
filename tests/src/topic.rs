//! What lies in topics, as far as tests count it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rdkafka::message::{BorrowedMessage, Message as _};
use serde_json::Value;
use uuid::Uuid;

use crate::observe;

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
    observe::read(bootstrap, topic, entry).await
}
