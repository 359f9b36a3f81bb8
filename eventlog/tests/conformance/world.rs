//! What a promise is tried with: a log, topics of its own, records, and patience with an end.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use eventlog::{
    AppendOptions, Appender, Assignment, Cleanup, EventLog, GroupEvent, GroupOptions, Headers, Membership, NewRecord,
    ReadRequest, Record, Stretch, TopicPartition, TopicSpec,
};

use tokio::sync::OnceCell;

use super::subject::Subject;

/// A log and names that no other test uses.
pub struct World {
    pub subject: Box<dyn Subject>,
    pub log: Arc<dyn EventLog>,
    prefix: String,
    names: AtomicU32,
    appender: OnceCell<Arc<dyn Appender>>,
}

impl World {
    pub async fn new(subject: Box<dyn Subject>) -> Self {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let log = subject.open().await;
        let prefix = format!("c{}-{}", std::process::id(), WORLDS.fetch_add(1, Ordering::Relaxed));
        Self { subject, log, prefix, names: AtomicU32::new(0), appender: OnceCell::new() }
    }

    /// A name that is used nowhere else.
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}-{}", self.prefix, self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// A new topic that keeps all records.
    pub async fn topic(&self, partitions: i32) -> String {
        let spec = spec(&self.name("topic"), partitions, Cleanup::Delete { retention: None });
        self.log.ensure_topics(std::slice::from_ref(&spec)).await.unwrap();
        spec.name
    }

    /// An appender with patience; the same at every call.
    pub async fn appender(&self) -> Arc<dyn Appender> {
        let make = async || {
            let options = AppendOptions { deadline: Duration::from_secs(20), ..AppendOptions::default() };
            self.log.appender(options).await.unwrap()
        };
        Arc::clone(self.appender.get_or_init(make).await)
    }

    /// Appends `count` numbered records to a partition and waits until they are kept.
    pub async fn fill(&self, partition: &TopicPartition, numbers: std::ops::Range<u32>) {
        let appender = self.appender().await;
        let records: Vec<_> = numbers.map(|number| numbered(partition, number)).collect();
        within(60, appender.append(records).unwrap().kept()).await.unwrap();
    }

    /// All that a committed reader sees of a partition now.
    pub async fn read_all(&self, partition: &TopicPartition) -> Vec<Record> {
        let range = self.log.offsets(partition).await.unwrap();
        self.read(partition, range.low, range.high).await
    }

    /// What a committed reader sees of a stretch.
    pub async fn read(&self, partition: &TopicPartition, from: i64, until: i64) -> Vec<Record> {
        let stretches = vec![Stretch { partition: partition.clone(), from, until: Some(until) }];
        let request = ReadRequest { stretches, read_committed: true };
        within(60, async {
            let mut reader = self.log.read(request).await.unwrap();
            let mut records = Vec::new();
            while let Some(batch) = reader.next().await.unwrap() {
                assert_eq!(batch.partition, *partition);
                records.extend(batch.records);
            }
            assert_eq!(reader.positions(), [until.max(from)]);
            records
        })
        .await
    }

    /// How to join `group` on `topic` and commit outputs.
    pub fn member(group: &str, instance: &str, topic: &str) -> GroupOptions {
        GroupOptions {
            group: group.into(),
            instance: instance.into(),
            topics: vec![topic.into()],
            transactional: true,
            read_committed: true,
            headers: true,
            commit_deadline: GroupOptions::COMMIT_DEADLINE,
        }
    }

    /// Joins and waits for the first share.
    pub async fn join(&self, options: GroupOptions) -> (Box<dyn Membership>, Vec<Assignment>) {
        within(60, async {
            let mut member = self.log.join(options).await.unwrap();
            loop {
                match member.next().await.unwrap() {
                    GroupEvent::Assigned(share) => return (member, share),
                    GroupEvent::Revoked { .. } => {}
                    other => panic!("{other:?} before any share"),
                }
            }
        })
        .await
    }
}

pub fn spec(name: &str, partitions: i32, cleanup: Cleanup) -> TopicSpec {
    TopicSpec { name: name.into(), partitions, replication: 1, cleanup, max_message_bytes: 1 << 20 }
}

/// A record that says its number.
pub fn numbered(partition: &TopicPartition, number: u32) -> NewRecord {
    NewRecord {
        partition: partition.clone(),
        key: Bytes::from(format!("key-{number}")),
        value: Some(Bytes::from(number.to_string())),
        headers: Headers::new(),
        timestamp_ms: now_ms(),
    }
}

/// The number that a record says.
pub fn number(record: &Record) -> u32 {
    std::str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse().unwrap()
}

pub fn numbers(records: &[Record]) -> Vec<u32> {
    records.iter().map(number).collect()
}

/// How often each number occurs.
pub fn occurrences(numbers: impl IntoIterator<Item = u32>) -> HashMap<u32, u32> {
    numbers.into_iter().fold(HashMap::new(), |mut all, number| {
        *all.entry(number).or_default() += 1;
        all
    })
}

#[expect(clippy::disallowed_methods, reason = "records need the time of day, and tests are no pure crate")]
pub fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Fails when it takes longer than so many seconds.
pub async fn within<T>(seconds: u64, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), work)
        .await
        .unwrap_or_else(|_| panic!("not done after {seconds} s"))
}

/// Tries again until it is so, at most so many seconds.
pub async fn eventually<F: Future<Output = bool>>(seconds: u64, what: &str, is_so: impl Fn() -> F) {
    let until = tokio::time::Instant::now() + Duration::from_secs(seconds);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < until, "{what}: not so after {seconds} s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
