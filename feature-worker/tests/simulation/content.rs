//! What the topics hold when all is over.

use eventlog::simulated::SimulatedLog;
use eventlog::{EventLog as _, ReadRequest, Record, Stretch, TopicPartition};
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
