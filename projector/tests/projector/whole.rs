//! The whole projector: from records to rows, through stops, kills and rivals. On an embedded log, and
//! where `PLAYLEDGER_TEST_KAFKA` names a cluster on Kafka too; tests/ runs it there as a process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::Shell;
use eventlog::embedded::EmbeddedLog;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use eventlog::{AppendOptions, Appender, Cleanup, EventLog, NewRecord, TopicPartition, TopicSpec};
use projector::Config;
use schemas::topics::{self, Topic};
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::postgres::{Cluster, Database, Fsync, database};
use crate::records::{SESSION, activity, event, live, report, set_aside};
use crate::world::{Given, config};

const PARTITIONS: i32 = 4;
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A log with topics of its own, and a database.
pub(crate) struct Pipeline {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) prefix: String,
    appender: Arc<dyn Appender>,
    pub(crate) database: Database,
    /// Where an embedded log lies, and what else the test writes.
    pub(crate) folder: tempfile::TempDir,
}

/// A projector at work.
pub(crate) struct Running {
    shell: Shell,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Pipeline {
    pub(crate) async fn embedded() -> Self {
        Self::filling(database().await).await
    }

    async fn filling(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(folder.path().join("log.sqlite")).await.unwrap();
        Self::on(Arc::new(log), "play.", database, folder).await
    }

    async fn kafka(brokers: String) -> Self {
        let log = KafkaLog::open(KafkaOptions { brokers, client_id: "test".to_owned(), ..Default::default() }).unwrap();
        let prefix = format!("{}.", Uuid::new_v4());
        Self::on(Arc::new(log), &prefix, database().await, tempfile::tempdir().unwrap()).await
    }

    async fn on(log: Arc<dyn EventLog>, prefix: &str, database: Database, folder: tempfile::TempDir) -> Self {
        let specs = Topic::ALL.map(|topic| TopicSpec {
            name: topic.name(prefix),
            partitions: PARTITIONS,
            replication: 1,
            cleanup: Cleanup::Delete { retention: None },
            max_message_bytes: topic.max_message_bytes(),
        });
        log.ensure_topics(&specs).await.unwrap();
        let appender = log.appender(AppendOptions::default()).await.unwrap();
        Self { log, prefix: prefix.to_owned(), appender, database, folder }
    }

    pub(crate) fn config(&self, instance: &str) -> Config {
        Config {
            instance: Some(instance.to_owned()),
            topic_prefix: self.prefix.clone(),
            group: format!("{}projector", self.prefix),
            ..config(&self.database)
        }
    }

    pub(crate) fn start(&self, instance: &str) -> Running {
        let config = self.config(instance);
        let shell = Shell::detached();
        let task = tokio::spawn(projector::run(config, Arc::clone(&self.log), shell.clone()));
        Running { shell, task }
    }

    pub(crate) async fn append(&self, topic: Topic, given: Vec<Given>) {
        let name: Arc<str> = topic.name(&self.prefix).into();
        let records = given.into_iter().map(|given| {
            let partition = topics::partition(given.key.as_bytes(), PARTITIONS);
            NewRecord {
                partition: TopicPartition::new(Arc::clone(&name), partition),
                key: given.key.into(),
                value: given.value.map(Into::into),
                headers: given.headers,
                timestamp_ms: Shell::detached().clock.now_ms(),
            }
        });
        self.appender.append(records.collect()).unwrap().kept().await.unwrap();
    }

    /// Reports of these sessions, spread over the partitions.
    pub(crate) async fn append_reports(&self, sessions: std::ops::Range<u128>) {
        let given = sessions.map(|session| {
            let id = Uuid::from_u128(session);
            let mut given = Given::json(&report(id, 1));
            given.key = format!("acme/p-{session}");
            given
        });
        self.append(Topic::Sessions, given.collect()).await;
    }

    pub(crate) async fn count(&self, query: &str) -> i64 {
        count(&self.database.pool, query).await
    }

    /// Waits until a query gives this number.
    pub(crate) async fn until(&self, query: &str, expected: i64) {
        let reached = async {
            while self.count(query).await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        assert!(in_time, "{query} is {} instead of {expected}", self.count(query).await);
    }
}

/// Runs a scenario on the embedded log, and on Kafka where there is one.
pub(crate) async fn on_every_log(scenario: impl AsyncFn(Pipeline)) {
    scenario(Pipeline::embedded().await).await;
    match std::env::var("PLAYLEDGER_TEST_KAFKA") {
        Ok(brokers) => scenario(Pipeline::kafka(brokers).await).await,
        Err(_) => println!("not run on Kafka: PLAYLEDGER_TEST_KAFKA names no cluster"),
    }
}

/// One number; −1 while there are no tables.
async fn count(pool: &PgPool, query: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT ({query})::bigint"));
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap_or(-1)
}

impl Running {
    /// Drains it, as SIGTERM would.
    pub(crate) async fn stop(self) {
        self.shell.shutdown.drain();
        let started = Instant::now();
        self.task.await.unwrap().unwrap();
        assert!(started.elapsed() < Duration::from_secs(25), "a drain took {:?}", started.elapsed());
    }

    /// Ends it without a word, as kill −9 would.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_every_topic_become_rows_and_refused_ones_are_listed() {
    on_every_log(every_topic).await;
}

async fn every_topic(pipeline: Pipeline) {
    let running = pipeline.start("one");
    pipeline.append_reports(0..50).await;
    let second_life = crate::records::with(report(Uuid::from_u128(7), 2), "/provenance/first_offset", json!(9_000));
    let second_life = Given { key: "acme/p-7".to_owned(), ..Given::json(&second_life) };
    pipeline.append(Topic::Sessions, vec![second_life, Given::bytes(b"{")]).await;
    pipeline.append(Topic::Live, vec![Given::json(&live(SESSION, 3))]).await;
    pipeline.append(Topic::Activity, vec![Given::json(&activity(&json!({"task.started": 5})))]).await;
    pipeline.append(Topic::Quarantine, vec![set_aside()]).await;
    pipeline.append(Topic::Events, vec![event(1, 0, "{}"), event(2, 1, "{}")]).await;

    pipeline.until("SELECT count(*) FROM play.sessions", 50).await;
    pipeline.until("SELECT sum(events) FROM play.activity_by_minute", 5).await;
    pipeline.until("SELECT count(*) FROM play.live_sessions", 1).await;
    pipeline.until("SELECT count(*) FROM play.event_log", 2).await;
    // The refused ones come back through the quarantine topic.
    pipeline.until("SELECT count(*) FROM play.quarantine", 3).await;
    let rows: Vec<Value> = sqlx::query_scalar(
        "SELECT jsonb_build_object('reason', reason, 'topic', origin_topic, 'tenant', tenant)
           FROM play.quarantine WHERE origin_topic IS NOT NULL ORDER BY reason",
    )
    .fetch_all(&pipeline.database.pool)
    .await
    .unwrap();
    let topic = Topic::Sessions.name(&pipeline.prefix);
    assert_eq!(
        rows,
        [
            json!({"reason": "poison", "topic": topic, "tenant": null}),
            json!({"reason": "second_life", "topic": topic, "tenant": "acme"}),
        ]
    );
    assert!(running.shell.health.readiness().ok);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_and_kills_lose_nothing_and_double_nothing() {
    on_every_log(stops_and_kills).await;
}

async fn stops_and_kills(pipeline: Pipeline) {
    let mut told = 0_u128;
    for round in 0..6 {
        let running = pipeline.start("one");
        for _ in 0..10 {
            pipeline.append_reports(told..told + 20).await;
            pipeline.append(Topic::Activity, vec![Given::json(&activity(&json!({"task.started": 1})))]).await;
            told += 20;
        }
        if round % 2 == 0 { running.kill().await } else { running.stop().await }
    }
    let running = pipeline.start("one");
    pipeline.until("SELECT count(*) FROM play.sessions", i64::try_from(told).unwrap()).await;
    pipeline.until("SELECT sum(events) FROM play.activity_by_minute", 60).await;
    running.stop().await;
    println!("3 kills and 3 stops: {told} sessions and 60 counts, each once");
    assert_eq!(pipeline.count("SELECT sum(sessions) FROM play.players").await, i64::try_from(told).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn projectors_share_the_partitions_and_take_over_from_each_other() {
    on_every_log(sharing).await;
}

async fn sharing(pipeline: Pipeline) {
    let one = pipeline.start("one");
    pipeline.append_reports(0..200).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 200).await;
    let two = pipeline.start("two");
    for round in 1..6 {
        pipeline.append_reports(round * 200..(round + 1) * 200).await;
        pipeline.append(Topic::Activity, vec![Given::json(&activity(&json!({"task.started": 1})))]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    pipeline.until("SELECT count(*) FROM play.sessions", 1_200).await;
    one.stop().await;
    pipeline.append_reports(1_200..1_400).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 1_400).await;
    pipeline.until("SELECT sum(events) FROM play.activity_by_minute", 5).await;
    assert!(pipeline.count("SELECT max(epoch) FROM play.offsets").await >= 2, "partitions changed hands");
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_taken_away_from_its_owner_is_taken_back() {
    on_every_log(robbed).await;
}

async fn robbed(pipeline: Pipeline) {
    let running = pipeline.start("one");
    pipeline.append_reports(0..40).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 40).await;
    for round in 1..4 {
        // As by a projector that was stopped between the group's word and its claim, and woke up late.
        sqlx::query("UPDATE play_g1.offsets SET epoch = epoch + 1").execute(&pipeline.database.pool).await.unwrap();
        pipeline.append_reports(round * 40..(round + 1) * 40).await;
        pipeline.until("SELECT count(*) FROM play.sessions", i64::try_from((round + 1) * 40).unwrap()).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_accepts_and_says_nothing_holds_no_drain_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut pipeline = Pipeline::embedded().await;
    pipeline.database.url = format!("postgres://nobody@{}/none", silent.local_addr().unwrap());
    let running = pipeline.start("one");
    let (_held, _) = silent.accept().await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_away_or_crashes_is_waited_for_and_nothing_is_lost() {
    let cluster = Cluster::start(Fsync::On);
    let database = Database::create(&cluster.url("postgres")).await;
    let pipeline = Pipeline::filling(database).await;
    let bounce = |pause: Duration| {
        tokio::task::block_in_place(|| {
            cluster.crash();
            std::thread::sleep(pause);
            cluster.restart();
        });
    };
    tokio::task::block_in_place(|| cluster.crash());
    let running = pipeline.start("one");
    pipeline.append_reports(0..100).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!running.shell.health.readiness().ok, "without Postgres it is not ready");
    tokio::task::block_in_place(|| cluster.restart());
    pipeline.until("SELECT count(*) FROM play.sessions", 100).await;
    for round in 1..8 {
        pipeline.append_reports(round * 100..(round + 1) * 100).await;
        pipeline.append(Topic::Activity, vec![Given::json(&activity(&json!({"task.started": 1})))]).await;
        if round % 3 == 0 {
            bounce(Duration::from_millis(300));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    pipeline.until("SELECT count(*) FROM play.sessions", 800).await;
    pipeline.until("SELECT sum(events) FROM play.activity_by_minute", 7).await;
    assert!(running.shell.health.readiness().ok);

    // A drain does not wait for a Postgres that stays away: the offsets tell where to go on.
    tokio::task::block_in_place(|| cluster.crash());
    pipeline.append_reports(800..810).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    running.stop().await;
    tokio::task::block_in_place(|| cluster.restart());
    let running = pipeline.start("one");
    pipeline.until("SELECT count(*) FROM play.sessions", 810).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_later_release_stops_the_projector_with_a_message() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    pipeline.append(Topic::Sessions, vec![Given::json(&json!({"v": 2, "tenant": "acme"}))]).await;
    let error = tokio::time::timeout(PATIENCE, running.task).await.unwrap().unwrap().unwrap_err().to_string();
    assert!(error.contains("play.sessions") && error.contains("form 2") && error.contains("upgrade"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_under_the_same_names_is_refused() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    pipeline.append_reports(0..10).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 10).await;
    running.stop().await;
    let other = Pipeline::filling(pipeline.database).await;
    let error =
        tokio::time::timeout(PATIENCE, other.start("one").task).await.unwrap().unwrap().unwrap_err().to_string();
    assert!(error.contains("another one now"), "{error}");
}
