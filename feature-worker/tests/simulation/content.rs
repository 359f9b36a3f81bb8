//! What the topics hold when all is over.

use std::collections::BTreeMap;

use bytes::Bytes;
use eventlog::simulated::SimulatedLog;
use eventlog::{EventLog as _, ReadRequest, Record, Stretch, TopicPartition};
use feature_worker::state::{self, Entry, Kept};
use schemas::topics::Topic;

use super::run::PREFIX;

/// The records of every topic that the worker reads or writes, as a committed reader sees them.
#[derive(Debug, Default, PartialEq)]
pub struct Content {
    /// By partition, as all others.
    pub events: Vec<Vec<Record>>,
    pub state: Vec<Vec<Record>>,
    pub reports: Vec<Vec<Record>>,
    pub activity: Vec<Record>,
    pub quarantine: Vec<Record>,
    pub live: Vec<Record>,
    /// Where the group stands in each partition of play.events.
    pub committed: Vec<Option<i64>>,
}

impl Content {
    pub async fn read(log: &SimulatedLog, group: &str, partitions: i32) -> Self {
        let mut content = Self::default();
        for number in 0..partitions {
            content.events.push(read(log, Topic::Events, number).await);
            content.state.push(read(log, Topic::SessionState, number).await);
            content.reports.push(read(log, Topic::Sessions, number).await);
        }
        content.activity = read(log, Topic::Activity, 0).await;
        content.quarantine = read(log, Topic::Quarantine, 0).await;
        content.live = read(log, Topic::Live, 0).await;
        let name = Topic::Events.name(PREFIX);
        let all: Vec<_> = (0..partitions).map(|number| TopicPartition::new(name.as_str(), number)).collect();
        content.committed = log.committed(group, &all).await.expect("its offsets");
        content
    }

    /// What is left of the changelog of a partition: by key the newest.
    pub fn newest(records: &[Record]) -> BTreeMap<&[u8], &Bytes> {
        let mut newest = BTreeMap::new();
        for record in records {
            match &record.value {
                Some(value) => drop(newest.insert(&*record.key, value)),
                None => drop(newest.remove(&*record.key)),
            }
        }
        newest
    }

    /// What has yet to come to its end, if anything.
    pub fn open(&self) -> Option<String> {
        let all = self.events.iter().zip(&self.state).enumerate();
        all.filter(|(_, (events, _))| !events.is_empty()).find_map(|(number, (events, state))| {
            let newest = Self::newest(state);
            let end = events.last().map_or(0, |last| last.offset + 1);
            if !newest.contains_key(state::PARTITION_KEY) {
                return Some(format!("partition {number} has no state"));
            }
            newest.into_iter().find_map(|(key, value)| match state::decode(key, Some(value)) {
                Ok(Some(state::Record::Partition(position))) if position.next_offset < end => {
                    Some(format!("partition {number} is read up to {} of {end}", position.next_offset))
                }
                Ok(Some(state::Record::Session(key, Some(Kept { entry: Entry::Live(_), .. })))) => {
                    Some(format!("{key:?} lives"))
                }
                Ok(_) => None,
                Err(error) => Some(error.to_string()),
            })
        })
    }
}

async fn read(log: &SimulatedLog, topic: Topic, number: i32) -> Vec<Record> {
    let partition = TopicPartition::new(topic.name(PREFIX), number);
    let range = log.offsets(&partition).await.expect("its offsets");
    let stretches = vec![Stretch { partition, from: range.low, until: Some(range.high) }];
    let mut reader = log.read(ReadRequest { stretches, read_committed: true }).await.expect("a reader");
    let mut records = Vec::new();
    while let Some(batch) = reader.next().await.expect("a batch") {
        records.extend(batch.records);
    }
    records
}
