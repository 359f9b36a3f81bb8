//! The worker on the embedded log: events in, reports out, through crashes and hand-overs.
//!
//! With `PLAYLEDGER_TEST_KAFKA=HOST:PORT` the same runs on that Kafka, under topics of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "worker/faulty.rs"]
mod faulty;
#[path = "worker/measured.rs"]
mod measured;
#[path = "worker/peak.rs"]
mod peak;
#[path = "worker/poisoned.rs"]
mod poisoned;
#[path = "worker/standing_still.rs"]
mod standing_still;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::Shell;
use eventlog::embedded::EmbeddedLog;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use eventlog::{
    AppendOptions, Cleanup, EventLog, Headers, NewRecord, ReadRequest, Record, Stretch, TopicPartition, TopicSpec,
};
use feature_worker::Config;
use feature_worker::config::LiveEvery;
use feature_worker::machine::PoisonLimit;
use feature_worker::metrics_v1::oracle;
use schemas::record::activity::Activity;
use schemas::report::{Report, Status};
use schemas::testing::{self, Style};
use schemas::topics::{self, Kept, Topic};
use schemas::{Tenant, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const PARTITIONS: i32 = 4;
const PATIENCE: Duration = Duration::from_mins(1);

/// A log with topics of its own.
struct World {
    log: Arc<dyn EventLog>,
    prefix: String,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prefix = format!("worker-test-{}.", uuid::Uuid::new_v4());
        let log: Arc<dyn EventLog> = match std::env::var("PLAYLEDGER_TEST_KAFKA") {
            Ok(brokers) => {
                let options = KafkaOptions { brokers, settings: Vec::new(), client_id: "worker-test".into() };
                Arc::new(KafkaLog::open(options).unwrap())
            }
            Err(_) => Arc::new(EmbeddedLog::open(folder.path().join("log.db")).await.unwrap()),
        };
        let world = Self { log, prefix, _folder: folder };
        world.make_topics(|_| PARTITIONS).await;
        world
    }

    async fn make_topics(&self, partitions: impl Fn(Topic) -> i32) {
        let specs: Vec<TopicSpec> =
            Topic::ALL.iter().map(|topic| spec(*topic, &self.prefix, partitions(*topic))).collect();
        self.log.ensure_topics(&specs).await.unwrap();
    }

    /// Starts a worker under this name.
    fn worker(&self, instance: &str) -> (Shell, JoinHandle<anyhow::Result<()>>) {
        self.worker_in(instance, Shell::detached())
    }

    fn worker_in(&self, instance: &str, shell: Shell) -> (Shell, JoinHandle<anyhow::Result<()>>) {
        self.worker_with(self.config(instance), shell)
    }

    fn worker_with(&self, config: Config, shell: Shell) -> (Shell, JoinHandle<anyhow::Result<()>>) {
        let task = tokio::spawn(feature_worker::run(config, Arc::clone(&self.log), shell.clone()));
        (shell, task)
    }

    fn config(&self, instance: &str) -> Config {
        Config {
            topic_prefix: self.prefix.clone(),
            group: format!("{}workers", self.prefix),
            instance: Some(instance.into()),
            on_stop: Some(feature_worker::config::OnStop::Leave),
            commit_deadline: Duration::from_secs(4),
            games: None,
            session_timeout: Duration::from_mins(30),
            grace: Duration::from_hours(1),
            idle: Duration::from_mins(1),
            commit_interval: Duration::from_millis(20),
            late_margin: Duration::from_secs(3),
            replay_window: 1_000,
            replay_age: Duration::from_hours(1),
            poison_limit: PoisonLimit { records: 1_000, within_ms: 60_000 },
            live_every: LiveEvery::Every(Duration::from_secs(5)),
            live_rate: 2_000,
        }
    }

    async fn append(&self, events: &[Value], received_at: i64) {
        let appender = self.log.appender(AppendOptions::default()).await.unwrap();
        let records = events.iter().map(|event| stamped(event, received_at, &self.prefix)).collect();
        appender.append(records).unwrap().kept().await.unwrap();
    }

    /// All that a topic shows.
    async fn read(&self, topic: Topic) -> Vec<Record> {
        let name = topic.name(&self.prefix);
        let mut stretches = Vec::new();
        for number in 0..PARTITIONS {
            let partition = TopicPartition::new(name.as_str(), number);
            let range = self.log.offsets(&partition).await.unwrap();
            stretches.push(Stretch { partition, from: range.low, until: Some(range.high) });
        }
        let mut reader = self.log.read(ReadRequest { stretches, read_committed: true }).await.unwrap();
        let mut records = Vec::new();
        while let Some(batch) = reader.next().await.unwrap() {
            records.extend(batch.records);
        }
        records
    }

    /// The latest report of each session, and how many there are in all.
    async fn reports(&self) -> (BTreeMap<uuid::Uuid, Report>, usize) {
        let records = self.read(Topic::Sessions).await;
        let mut latest = BTreeMap::new();
        for record in &records {
            let report: Report = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
            let known: Option<Report> = latest.insert(report.session, report.clone());
            assert!(known.is_none_or(|known| known.revision < report.revision), "a revision came twice");
        }
        (latest, records.len())
    }

    /// Waits until so many sessions have a final report.
    async fn until_final(&self, sessions: usize) -> BTreeMap<uuid::Uuid, Report> {
        let begun = Instant::now();
        loop {
            let (latest, _) = self.reports().await;
            let settled = latest.values().filter(|report| report.status == Status::Final).count();
            if settled >= sessions {
                return latest;
            }
            assert!(begun.elapsed() < PATIENCE, "{settled} of {sessions} sessions are final");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What play.activity adds up to: applied, repeats.
    async fn books(&self) -> (u64, u64) {
        let mut sums = (0, 0);
        for record in self.read(Topic::Activity).await {
            let counts: Activity = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
            sums.0 += counts.applied.values().sum::<u64>();
            sums.1 += counts.repeats;
        }
        sums
    }
}

fn spec(topic: Topic, prefix: &str, partitions: i32) -> TopicSpec {
    let cleanup = match topic.kept() {
        Kept::For(retention) => Cleanup::Delete { retention },
        Kept::Newest { tombstones, at_most } => Cleanup::Compact { tombstones, retention: at_most },
    };
    TopicSpec {
        name: topic.name(prefix),
        partitions,
        replication: 1,
        cleanup,
        max_message_bytes: topic.max_message_bytes(),
    }
}

fn stamped(event: &Value, received_at: i64, prefix: &str) -> NewRecord {
    let tenant = Tenant::parse("acme").unwrap();
    let session = event["session_id"].as_str().unwrap().parse().unwrap();
    let key = topics::session_key(&tenant, session);
    let value = json!({
        "v": 1, "tenant": "acme", "game": "demo", "received_at": Timestamp::from_ms(received_at).to_string(),
        "request_id": "req_1", "key_id": "k1", "gateway": "g1", "event": event,
    });
    NewRecord {
        partition: TopicPartition::new(Topic::Events.name(prefix), topics::partition(key.as_bytes(), PARTITIONS)),
        key: key.into(),
        value: Some(value.to_string().into()),
        headers: Headers::new(),
        timestamp_ms: received_at,
    }
}

/// Sessions that a close with a seq ends, so that they are final without any wait.
fn sessions(seed: u64, count: usize) -> Vec<Vec<Value>> {
    let all = (seed..).map(|seed| testing::session(seed, Style::CLIENT));
    let ends = |session: &Vec<Value>| {
        session.iter().all(|event| event["seq"].is_u64()) && session.last().unwrap()["event_type"] == "session.closed"
    };
    all.filter(ends).take(count).collect()
}

fn assert_equal(reports: &BTreeMap<uuid::Uuid, Report>, sessions: &[Vec<Value>]) {
    assert_eq!(reports.len(), sessions.len());
    for session in sessions {
        let id = session[0]["session_id"].as_str().unwrap().parse().unwrap();
        let lines: Vec<String> = session.iter().map(Value::to_string).collect();
        let events: Vec<_> = lines.iter().map(|line| schemas::parse::event(line).unwrap()).collect();
        assert_eq!(reports[&id].facts.metrics, oracle::Session::new(&events, 60_000).metrics(), "{id}");
    }
}

async fn stop((shell, task): (Shell, JoinHandle<anyhow::Result<()>>)) {
    shell.shutdown.drain();
    tokio::time::timeout(Duration::from_secs(25), task).await.expect("drained in time").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_become_reports_that_equal_the_oracle() {
    let world = World::new().await;
    let sessions = sessions(1, 60);
    let worker = world.worker("w1");
    let now = worker.0.clock.now_ms();
    let events: Vec<Value> = sessions.concat();
    for chunk in events.chunks(200) {
        world.append(chunk, now).await;
    }
    world.append(&events[..100], now).await;
    let reports = world.until_final(sessions.len()).await;
    assert_equal(&reports, &sessions);
    stop(worker).await;
    assert_eq!(world.books().await, (events.len() as u64, 100));
    let (_, count) = world.reports().await;
    assert!(count < sessions.len() * 3, "{count} reports of {} sessions", sessions.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_again_and_again_reports_as_if_it_never_was() {
    let world = World::new().await;
    let sessions = sessions(1_000, 60);
    let events: Vec<Value> = sessions.concat();
    let mut worker = world.worker("w1");
    for chunk in events.chunks(300) {
        world.append(chunk, worker.0.clock.now_ms()).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        // Its tasks end where they stand: nothing is drained, nothing is left.
        worker.1.abort();
        let _ = worker.1.await;
        worker = world.worker("w1");
    }
    let reports = world.until_final(sessions.len()).await;
    assert_equal(&reports, &sessions);
    stop(worker).await;
    assert_eq!(world.books().await, (events.len() as u64, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_hand_partitions_over_without_loss_or_repetition() {
    let world = World::new().await;
    let sessions = sessions(2_000, 60);
    let events: Vec<Value> = sessions.concat();
    let first = world.worker("w1");
    let mut second = None;
    for (n, chunk) in events.chunks(100).enumerate() {
        world.append(chunk, first.0.clock.now_ms()).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        match n % 6 {
            1 => second = Some(world.worker("w2")),
            4 => {
                if let Some(worker) = second.take() {
                    stop(worker).await;
                }
            }
            _ => {}
        }
    }
    let reports = world.until_final(sessions.len()).await;
    assert_equal(&reports, &sessions);
    if let Some(worker) = second {
        stop(worker).await;
    }
    stop(first).await;
    assert_eq!(world.books().await, (events.len() as u64, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_workers_of_one_name_the_first_ends_and_says_why() {
    let world = World::new().await;
    let sessions = sessions(3_000, 60);
    let events: Vec<Value> = sessions.concat();
    let first = world.worker("same");
    let mut second = None;
    for (n, chunk) in events.chunks(60).enumerate() {
        world.append(chunk, first.0.clock.now_ms()).await;
        // Under load it learns by a refused commit that it is not alone.
        tokio::time::sleep(Duration::from_millis(100)).await;
        if n == 5 {
            second = Some(world.worker("same"));
        }
    }
    let ended = tokio::time::timeout(PATIENCE, first.1).await.expect("it does not go on for ever").unwrap();
    let why = ended.unwrap_err().to_string();
    assert!(why.contains("same"), "{why}");
    let reports = world.until_final(sessions.len()).await;
    assert_equal(&reports, &sessions);
    stop(second.unwrap()).await;
    assert_eq!(world.books().await, (events.len() as u64, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_missing_or_disagree_stop_the_worker_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |path: &Path, uneven: bool| {
        let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(path).await.unwrap());
        let world = World { log, prefix: "play.".into(), _folder: tempfile::tempdir().unwrap() };
        if uneven {
            world.make_topics(|topic| if topic == Topic::SessionState { 2 } else { PARTITIONS }).await;
        }
        let (_, task) = world.worker("w1");
        task.await.unwrap().unwrap_err().to_string()
    };
    assert!(run(&folder.path().join("a.db"), false).await.contains("playledger topics create"));
    assert!(run(&folder.path().join("b.db"), true).await.contains("they must agree"));
}
