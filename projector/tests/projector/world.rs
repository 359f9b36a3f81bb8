//! A projector's sink over a database of its own, fed by hand, with a quarantine in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daemon::Shell;
use eventlog::{
    AppendError, AppendOptions, Appender, Backlog, EventLog, GroupOptions, Headers, LogError, Membership, NewRecord,
    OffsetRange, Pending, ReadRequest, Reader, Record, TopicCheck, TopicInfo, TopicPartition, TopicSpec,
};
use projector::decode::decode;
use projector::load::{Entry, Slice};
use projector::store::{Claim, Store, Wanted};
use projector::write::{Report, Sink};
use projector::{Config, SchemaName};
use schemas::topics::Topic;
use serde_json::Value;
use sqlx::postgres::PgPool;

use crate::postgres::Database;

/// A sink and its tables.
pub(crate) struct World {
    pub(crate) sink: Sink,
    pub(crate) pool: PgPool,
    pub(crate) quarantine: Arc<Quarantine>,
}

/// A partition that the test writes.
pub(crate) struct Feed {
    topic: Topic,
    partition: i32,
    pub(crate) claim: Claim,
    next: i64,
}

/// What is written to one partition.
pub(crate) struct Given {
    pub(crate) key: String,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Headers,
}

pub(crate) fn config(database: &Database) -> Config {
    Config {
        database_url: database.url.clone(),
        schema: "play".parse::<SchemaName>().unwrap(),
        event_log: true,
        games: None,
        sweep_interval: Duration::from_mins(5),
        group: "projector".to_owned(),
        instance: Some("test".to_owned()),
        topic_prefix: "play.".to_owned(),
    }
}

impl World {
    pub(crate) async fn new(database: &Database) -> Self {
        Self::of(database, config(database)).await
    }

    /// A sink with settings of its own.
    pub(crate) async fn of(database: &Database, config: Config) -> Self {
        let store = Store::open(&config).await.unwrap();
        let quarantine = Arc::new(Quarantine::default());
        let shell = Shell::detached();
        let component = shell.health.component("projector");
        let log = Arc::new(Memory(Arc::clone(&quarantine)));
        let sink = Sink::open(store, log, "play.quarantine".to_owned(), &shell, &component).await.unwrap();
        Self { sink, pool: database.pool.clone(), quarantine }
    }

    /// Takes a partition over.
    pub(crate) async fn claim(&self, topic: Topic, partition: i32) -> Feed {
        let wanted = Wanted {
            topic: topic.name("play."),
            topic_id: "one".to_owned(),
            partition,
            range: OffsetRange { low: 0, high: i64::MAX },
            may_skip: false,
        };
        let claim = self.sink.store().claim(&[wanted]).await.unwrap()[0];
        Feed { topic, partition, claim, next: claim.next_offset }
    }

    /// Writes one load of one partition.
    pub(crate) async fn write(&self, feed: &mut Feed, given: Vec<Given>) -> Report {
        let slice = feed.slice(given);
        self.sink.write(vec![slice]).await.unwrap()
    }

    /// Writes JSON values to a partition.
    pub(crate) async fn tell(&self, feed: &mut Feed, values: &[Value]) -> Report {
        self.write(feed, values.iter().map(Given::json).collect()).await
    }

    /// The rows of a query, each as one JSON object.
    pub(crate) async fn rows(&self, query: &str) -> Vec<Value> {
        let sql = format!("SELECT to_jsonb(r) FROM ({query}) r");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await.unwrap()
    }

    /// One number.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let sql = format!("SELECT ({query})::bigint");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await.unwrap()
    }

    /// Everything in every table, offsets included, as one text.
    pub(crate) async fn everything(&self) -> String {
        let tables = [
            "offsets",
            "sessions",
            "session_metrics",
            "session_tasks",
            "players",
            "player_days",
            "daily_players",
            "task_stats",
            "skill_evidence",
            "activity_by_minute",
            "worker_outcomes",
            "outcomes",
            "live_sessions",
            "quarantine",
            "second_lives",
            "event_log",
        ];
        let mut all = String::new();
        for table in tables {
            let rows = self.rows(&format!("SELECT * FROM play.{table} ORDER BY 1, 2, 3, 4")).await;
            all = format!("{all}{table}: {}\n", Value::from(rows));
        }
        all
    }
}

impl Feed {
    /// A stretch of what comes next in this partition. A marker's hole follows it, as in Kafka.
    pub(crate) fn slice(&mut self, given: Vec<Given>) -> Slice {
        let seen = self.next;
        let entries: Vec<Entry> = (seen..)
            .zip(given)
            .map(|(offset, given)| {
                let record = Record {
                    offset,
                    timestamp_ms: 1_767_600_751_204 + offset,
                    key: given.key.into(),
                    value: given.value.map(Into::into),
                    headers: given.headers,
                };
                let told = decode(self.topic, &record).unwrap();
                Entry::new(record, told)
            })
            .collect();
        self.next = seen + i64::try_from(entries.len()).unwrap() + 1;
        let partition = TopicPartition::new(self.topic.name("play."), self.partition);
        Slice { partition, epoch: self.claim.epoch, seen, next: self.next, entries }
    }

    /// Goes back to where it was claimed, as a projector that lost its memory would.
    pub(crate) fn rewind(&mut self) {
        self.next = self.claim.next_offset;
    }

    /// Goes on from `next`.
    pub(crate) fn go_to(&mut self, next: i64) {
        self.next = next;
    }
}

impl Given {
    pub(crate) fn json(value: &Value) -> Self {
        Self { key: "key".to_owned(), value: Some(value.to_string().into_bytes()), headers: Headers::new() }
    }

    pub(crate) fn bytes(value: &[u8]) -> Self {
        Self { key: "key".to_owned(), value: Some(value.to_vec()), headers: Headers::new() }
    }

    pub(crate) fn tombstone(key: String) -> Self {
        Self { key, value: None, headers: Headers::new() }
    }
}

/// What was appended to the quarantine; refuses service while told to.
#[derive(Default)]
pub(crate) struct Quarantine {
    pub(crate) records: Mutex<Vec<NewRecord>>,
    pub(crate) away: std::sync::atomic::AtomicU32,
}

/// A log of which nothing but the quarantine can be used.
struct Memory(Arc<Quarantine>);

#[async_trait]
impl Appender for Quarantine {
    fn append(&self, records: Vec<NewRecord>) -> Result<Pending, AppendError> {
        use std::sync::atomic::Ordering::SeqCst;
        let (settle, pending) = Pending::new();
        if self.away.fetch_update(SeqCst, SeqCst, |times| times.checked_sub(1)).is_ok() {
            let _ = settle.send(Err(AppendError::Unavailable("away, as the test wants it".to_owned())));
            return Ok(pending);
        }
        let mut kept = self.records.lock().unwrap();
        let offsets = (kept.len()..kept.len() + records.len()).map(|offset| i64::try_from(offset).unwrap()).collect();
        kept.extend(records);
        let _ = settle.send(Ok(offsets));
        Ok(pending)
    }

    async fn flush(&self, _: Duration) -> Result<(), AppendError> {
        Ok(())
    }

    fn backlog(&self) -> Backlog {
        Backlog::default()
    }
}

fn unused<T>() -> Result<T, LogError> {
    Err(LogError::Invalid("the sink does not use this part of a log".to_owned()))
}

#[async_trait]
impl EventLog for Memory {
    async fn ensure_topics(&self, _: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        unused()
    }
    async fn check_topics(&self, _: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        unused()
    }
    async fn topic(&self, _: &str) -> Result<TopicInfo, LogError> {
        Ok(TopicInfo { id: "one".to_owned(), partitions: 2 })
    }
    async fn offsets(&self, _: &TopicPartition) -> Result<OffsetRange, LogError> {
        unused()
    }
    async fn offset_at(&self, _: &TopicPartition, _: i64) -> Result<Option<i64>, LogError> {
        unused()
    }
    async fn committed(&self, _: &str, _: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        unused()
    }
    async fn appender(&self, _: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::clone(&self.0) as Arc<dyn Appender>)
    }
    async fn join(&self, _: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        unused()
    }
    async fn read(&self, _: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        unused()
    }
}
