//! What the log in one file promises.

mod appending;
mod maintaining;
mod sharing;
mod trouble;

use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::{Batch, Cleanup, GroupEvent, Headers, NewRecord, Record, Stretch};

/// A log in a folder of its own, with one topic `t`.
struct World {
    folder: TempDir,
    log: EmbeddedLog,
}

impl World {
    async fn with_partitions(partitions: i32) -> Self {
        Self::with_topic(spec("t", partitions, Cleanup::Delete { retention: None }), Options::default()).await
    }

    async fn with_topic(spec: TopicSpec, options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open_with(folder.path().join("log.db"), options).await.unwrap();
        log.ensure_topics(&[spec]).await.unwrap();
        Self { folder, log }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("log.db")
    }

    /// A second opening of the file, as another process would have it.
    async fn beside(&self) -> EmbeddedLog {
        EmbeddedLog::open(self.path()).await.unwrap()
    }
}

fn spec(name: &str, partitions: i32, cleanup: Cleanup) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions, replication: 3, cleanup, max_message_bytes: 1 << 20 }
}

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn record(partition: i32, key: &str, value: &str, timestamp_ms: i64) -> NewRecord {
    NewRecord {
        partition: at(partition),
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Headers::from_pairs([("id", key.as_bytes())]),
        timestamp_ms,
    }
}

fn tombstone(partition: i32, key: &str, timestamp_ms: i64) -> NewRecord {
    NewRecord { value: None, ..record(partition, key, "", timestamp_ms) }
}

async fn append(log: &EmbeddedLog, records: Vec<NewRecord>) -> Vec<i64> {
    let appender = log.appender(prompt()).await.unwrap();
    appender.append(records).unwrap().kept().await.unwrap()
}

/// Options of an appender that waits for no company.
fn prompt() -> AppendOptions {
    AppendOptions { linger: Duration::ZERO, ..AppendOptions::default() }
}

/// All records of a partition as they are now.
async fn read_all(log: &EmbeddedLog, partition: i32) -> Vec<Record> {
    let range = log.offsets(&at(partition)).await.unwrap();
    let stretch = Stretch { partition: at(partition), from: range.low, until: Some(range.high) };
    let mut reader = log.read(ReadRequest { stretches: vec![stretch], read_committed: true }).await.unwrap();
    let mut records = Vec::new();
    while let Some(batch) = reader.next().await.unwrap() {
        records.extend(batch.records);
    }
    assert_eq!(reader.positions(), [range.high]);
    records
}

fn values(records: &[Record]) -> Vec<String> {
    let value = |r: &Record| r.value.as_ref().map_or("-".into(), |v| String::from_utf8_lossy(v).into_owned());
    records.iter().map(value).collect()
}

async fn join(log: &EmbeddedLog, instance: &str) -> Box<dyn Membership> {
    let options = GroupOptions {
        group: "g".to_owned(),
        instance: instance.to_owned(),
        topics: vec!["t".to_owned()],
        transactional: true,
        read_committed: true,
        headers: true,
        commit_deadline: GroupOptions::COMMIT_DEADLINE,
    };
    log.join(options).await.unwrap()
}

/// The next event, which must come soon.
async fn next(member: &mut Box<dyn Membership>) -> GroupEvent {
    tokio::time::timeout(Duration::from_secs(10), member.next()).await.expect("an event").unwrap()
}

async fn next_batch(member: &mut Box<dyn Membership>) -> Batch {
    loop {
        if let GroupEvent::Records(batch) = next(member).await {
            return batch;
        }
    }
}

/// Waits for an assignment and starts reading it at the committed offsets.
async fn assigned(member: &mut Box<dyn Membership>) -> Vec<crate::Assignment> {
    loop {
        if let GroupEvent::Assigned(assignments) = next(member).await
            && !assignments.is_empty()
        {
            for assignment in &assignments {
                member.fetch_from(&assignment.partition, assignment.committed.unwrap_or(0)).unwrap();
            }
            return assignments;
        }
    }
}
