//! A rebuild beside live projectors and readers.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use daemon::Shell;
use projector::rebuild::{Options, Outcome, rebuild};
use schemas::topics::Topic;
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::records::{activity, event, live, outcome, report, set_aside, task, with};
use crate::whole::{Pipeline, on_every_log};
use crate::world::Given;

/// Something of everything: two revisions, a second life, poison, counts, events.
pub(crate) async fn tell_everything(pipeline: &Pipeline) {
    pipeline.append_reports(0..300).await;
    for session in 0..40_u128 {
        let revised =
            with(report(Uuid::from_u128(session), 2), "/facts/tasks", json!([task("L1", 700), task("L3", 5)]));
        let revised = with(revised, "/provenance/started_at", json!("2026-01-06T08:00:01.500Z"));
        pipeline.append(Topic::Sessions, vec![keyed(&revised, session)]).await;
    }
    let second = with(report(Uuid::from_u128(7), 5), "/provenance/first_offset", json!(9_000));
    pipeline.append(Topic::Sessions, vec![keyed(&second, 7), Given::bytes(b"no report")]).await;
    pipeline.append(Topic::Activity, vec![Given::json(&activity(&json!({"task.started": 5})))]).await;
    pipeline.append(Topic::Outcomes, vec![Given::json(&outcome(&json!({"accepted": 3})))]).await;
    pipeline.append(Topic::Quarantine, vec![set_aside()]).await;
    pipeline.append(Topic::Live, vec![Given::json(&live(Uuid::from_u128(9_000), 3))]).await;
    pipeline.append(Topic::Events, (0..30).map(|n| event(n, u64::try_from(n).unwrap(), "{}")).collect()).await;
}

pub(crate) fn keyed(report: &Value, session: u128) -> Given {
    Given { key: format!("acme/p-{session}"), ..Given::json(report) }
}

/// Waits until all of [`tell_everything`] is in the tables.
pub(crate) async fn until_told(pipeline: &Pipeline) {
    pipeline.until("SELECT count(*) FROM play.sessions", 300).await;
    pipeline.until("SELECT count(*) FROM play.sessions WHERE revision = 2", 40).await;
    // Set aside, and read back: the gateway's, the second life and the poison.
    pipeline.until("SELECT count(*) FROM play.quarantine", 3).await;
    pipeline.until("SELECT count(*) FROM play.event_log", 30).await;
    pipeline.until("SELECT count(*) FROM play.live_sessions", 1).await;
    pipeline.until("SELECT sum(events) FROM play.outcomes", 3).await;
    pipeline.until("SELECT sum(events) FROM play.activity_by_minute", 5).await;
}

impl Pipeline {
    /// Where the comparison is written.
    pub(crate) fn report(&self) -> PathBuf {
        self.folder.path().join("comparison.json")
    }

    pub(crate) fn comparison(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.report()).unwrap()).unwrap()
    }

    pub(crate) async fn rebuild(&self, options: Options) -> anyhow::Result<Outcome> {
        let options = Options { report: Some(self.report()), ..options };
        let lines = Box::new(|line: &str| println!("{line}"));
        rebuild(&self.config("rebuild"), &self.log, &Shell::detached(), &options, lines).await
    }

    /// Runs the command itself, which reads Kafka only.
    fn command_compares(&self) {
        let Some(brokers) = std::env::var("PLAYLEDGER_TEST_KAFKA").ok().filter(|_| self.prefix != "play.") else {
            return;
        };
        let output = tokio::task::block_in_place(|| {
            Command::new(env!("CARGO_BIN_EXE_projector"))
                .args(["rebuild", "--dry-run", "--event-log", "--kafka", &brokers, "--topic-prefix", &self.prefix])
                .args(["--database-url", &self.database.url, "--report"])
                .arg(self.report())
                .output()
                .unwrap()
        });
        let (said, told) = (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
        assert!(output.status.success() && told == "equal; nothing was switched\n", "{told}{said}");
        assert!(
            said.contains("going on with generation 2") && said.contains("sessions: 300 rows, rebuilt 300: equal"),
            "{said}"
        );
    }

    pub(crate) async fn run(&self, sql: &'static str) {
        self.run_text(sql).await;
    }

    pub(crate) async fn run_text(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&self.database.pool).await.unwrap();
    }

    /// Names of the models that the last comparison found different.
    pub(crate) fn different(&self) -> Vec<String> {
        let comparison = self.comparison();
        let models = comparison["models"].as_array().unwrap().iter().filter(|model| model["equal"] == json!(false));
        models.map(|model| model["model"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_anew_from_the_log_equals_what_came_of_it_live() {
    on_every_log(made_anew).await;
}

async fn made_anew(pipeline: Pipeline) {
    let running = pipeline.start("one");
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    let dry = Options { dry_run: true, load: 50, ..Options::default() };
    let outcome = pipeline.rebuild(dry).await.unwrap();
    assert_eq!((outcome, pipeline.different()), (Outcome::Equal, Vec::<String>::new()));
    assert_eq!(pipeline.count("SELECT generation FROM play.layout()").await, 1, "a dry run never switches");
    let sessions =
        pipeline.comparison()["models"].as_array().unwrap().iter().find(|m| m["model"] == "sessions").cloned();
    assert_eq!(sessions.unwrap()["live"]["rows"], 300);
    assert_eq!(pipeline.count("SELECT count(*) FROM play_g2.quarantine").await, 3, "nothing was set aside once more");

    pipeline.command_compares();
    let outcome = pipeline.rebuild(Options::default()).await.unwrap();
    assert_eq!(outcome, Outcome::Switched(2), "it takes up what the dry run left");
    pipeline.append_reports(300..400).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 400).await;
    assert_eq!(pipeline.count("SELECT count(*) FROM play_g1.sessions").await, 300, "the old one rests");
    assert_eq!(pipeline.count("SELECT generation FROM play.layout()").await, 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_models_are_made_anew_and_the_rest_is_copied() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    // What is wrong in the live tables is mended where it is made anew, and kept where it is copied.
    pipeline.run("UPDATE play_g1.task_counts SET hints = hints + 1; UPDATE play_g1.outcomes SET events = 99").await;
    let only = Options { only: vec!["task_stats".into()], ..Options::default() };
    assert_eq!(pipeline.rebuild(only.clone()).await.unwrap(), Outcome::Different);
    assert_eq!(pipeline.different(), ["task_counts"]);
    pipeline.append(Topic::Outcomes, vec![Given::json(&outcome(&json!({"accepted": 1})))]).await;
    assert_eq!(pipeline.rebuild(Options { accept: true, ..only }).await.unwrap(), Outcome::Switched(2));
    pipeline.until("SELECT sum(events) FROM play.outcomes", 100).await;
    pipeline.append(Topic::Outcomes, vec![Given::json(&outcome(&json!({"accepted": 1})))]).await;
    pipeline.until("SELECT sum(events) FROM play.outcomes", 101).await;
    assert_eq!(pipeline.count("SELECT count(*) FROM play.event_log").await, 30);
    let unknown = Options { only: vec!["levels".into()], ..Options::default() };
    assert!(pipeline.rebuild(unknown).await.unwrap_err().to_string().contains("levels"));
    running.stop().await;
}

/// Readers in a loop, each on a connection of its own.
struct Readers {
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<u32>>,
    seen_new: Arc<AtomicU32>,
}

/// Whether the rows of a session are those of the old generation, by two tables that were both marked there.
const MARKS: &str = "
    SELECT (SELECT worker = 'old' FROM play.sessions WHERE session_id = '00000000-0000-0000-0000-000000000001'),
           (SELECT event_count = 777 FROM play.session_metrics WHERE session_id = '00000000-0000-0000-0000-000000000001'),
           (SELECT count(*) FROM play.sessions), (SELECT count(*) FROM play.session_metrics),
           (SELECT sum(sessions)::bigint FROM play.players)";

impl Readers {
    fn start(pool: &PgPool) -> Self {
        let (over, seen_new) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let reader = |transactions: bool| {
            tokio::spawn(read(pool.clone(), transactions, Arc::clone(&over), Arc::clone(&seen_new)))
        };
        let tasks = [false, false, true, true].map(reader).into();
        Self { over, tasks, seen_new }
    }

    /// How often they read.
    async fn stop(self) -> u32 {
        self.over.store(true, Ordering::SeqCst);
        let mut reads = 0;
        for task in self.tasks {
            reads += task.await.unwrap();
        }
        reads
    }
}

/// Reads until told to stop: each statement, and each transaction, must see one generation, and never fewer rows.
async fn read(pool: PgPool, transactions: bool, over: Arc<AtomicBool>, seen_new: Arc<AtomicU32>) -> u32 {
    let (mut reads, mut rows) = (0, 0);
    while !over.load(Ordering::SeqCst) {
        let mut transaction = pool.begin().await.unwrap();
        let mut generation = None;
        if transactions {
            // From the other end of the views: whoever takes their locks in order meets this one half way.
            sqlx::query("SELECT count(*) FROM play.copied_rows").execute(&mut *transaction).await.unwrap();
        }
        for _ in 0..if transactions { 3 } else { 1 } {
            let (one, other, sessions, metrics, counted): (bool, bool, i64, i64, i64) =
                sqlx::query_as(MARKS).fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(one, other, "a mixture within a statement");
            assert_eq!(*generation.get_or_insert(one), one, "a mixture within a transaction");
            assert!(sessions >= rows && sessions == metrics && sessions == counted, "{sessions} after {rows}: a gap");
            rows = sessions;
            if !one {
                seen_new.fetch_add(1, Ordering::SeqCst);
            }
            if transactions {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        transaction.commit().await.unwrap();
        reads += 1;
    }
    reads
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_projectors_go_on_while_a_different_generation_is_refused_and_then_accepted() {
    let pipeline = Arc::new(Pipeline::embedded().await);
    let (one, two) = (pipeline.start("one"), pipeline.start("two"));
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    // As a rule of the release before had made them.
    pipeline
        .run(
            "UPDATE play_g1.sessions SET worker = 'old' WHERE session_id = '00000000-0000-0000-0000-000000000001';
             UPDATE play_g1.session_metrics SET event_count = 777 WHERE session_id = '00000000-0000-0000-0000-000000000001'",
        )
        .await;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(4).connect(&pipeline.database.url).await.unwrap();
    let readers = Readers::start(&pool);
    let flowing = Arc::new(AtomicBool::new(true));
    let flow = tokio::spawn({
        let (pipeline, flowing) = (Arc::clone(&pipeline), Arc::clone(&flowing));
        async move {
            let mut next = 1_000_u128;
            while flowing.load(Ordering::SeqCst) {
                pipeline.append_reports(next..next + 5).await;
                next += 5;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            i64::try_from(next - 1_000).unwrap()
        }
    });

    let outcome = pipeline.rebuild(Options { load: 100, ..Options::default() }).await.unwrap();
    assert_eq!(outcome, Outcome::Different);
    assert_eq!(pipeline.different(), ["session_metrics", "sessions"]);
    let comparison = pipeline.comparison();
    let sessions = comparison["models"].as_array().unwrap().iter().find(|m| m["model"] == "sessions").unwrap();
    assert_eq!(sessions["differing_rows"], 1);
    assert_eq!(sessions["sample"][0]["live"], json!({"worker": "old"}));
    assert_eq!(sessions["sample"][0]["rebuilt"], json!({"worker": "0.1.0"}));
    assert_eq!(readers.seen_new.load(Ordering::SeqCst), 0, "nothing was switched");
    assert_eq!(pipeline.count("SELECT generation FROM play.layout()").await, 1);

    let outcome = pipeline.rebuild(Options { accept: true, ..Options::default() }).await.unwrap();
    assert_eq!(outcome, Outcome::Switched(2));
    let before = readers.seen_new.load(Ordering::SeqCst);
    let reached = async {
        while readers.seen_new.load(Ordering::SeqCst) < before + 20 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), reached).await.unwrap();
    flowing.store(false, Ordering::SeqCst);
    let told = 300 + flow.await.unwrap();
    // Neither projector was started again.
    pipeline.until("SELECT count(*) FROM play.sessions", told).await;
    let reads = readers.stop().await;
    println!("{reads} reads while {told} sessions flowed in, a generation was refused and another was switched to");
    assert_eq!(pipeline.rebuild(Options { dry_run: true, ..Options::default() }).await.unwrap(), Outcome::Equal);
    one.stop().await;
    two.stop().await;
}
