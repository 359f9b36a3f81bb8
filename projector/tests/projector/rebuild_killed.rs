//! A rebuild that is killed or stopped, and taken up again.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use daemon::Shell;
use eventlog::EventLog;
use eventlog::embedded::EmbeddedLog;
use projector::Config;
use projector::rebuild::{Options, Outcome, rebuild};

use crate::rebuild::{tell_everything, until_told};
use crate::whole::Pipeline;

/// Offsets that the next generation has behind it; −1 while there is none.
const FILLED: &str = "SELECT sum(next_offset) FROM play_g2.offsets";

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_killed_at_any_load_is_taken_up_and_ends_equal() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    let (mut kills, mut behind) = (0, 0);
    let outcome = loop {
        let mut child = child(&pipeline);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            let filled = pipeline.count(FILLED).await;
            // At every load that it gets done, as soon as that stands; and before the first of all.
            if kills < 8 && filled > behind {
                behind = filled;
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        match status {
            Some(status) => break status,
            None => kills += 1,
        }
    };
    println!("{kills} kills −9 of a rebuild, the last with {behind} offsets behind it");
    assert!(outcome.success(), "{outcome}");
    assert!(kills >= 3, "it was over before it could be killed");
    assert_eq!(pipeline.count("SELECT generation FROM play.layout()").await, 2, "the same one was filled all along");
    assert_eq!(pipeline.different(), Vec::<String>::new());
    pipeline.append_reports(300..320).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 320).await;
    running.stop().await;
}

/// A process that rebuilds, in small loads.
fn child(pipeline: &Pipeline) -> std::process::Child {
    let log = pipeline.folder.path().join("log.sqlite");
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "rebuild_killed::in_a_process_of_its_own", "--ignored"])
        .env("PLAYLEDGER_TEST_REBUILD_LOG", log)
        .env("PLAYLEDGER_TEST_REBUILD_DATABASE", &pipeline.database.url)
        .env("PLAYLEDGER_TEST_REBUILD_REPORT", pipeline.report())
        .stdout(Stdio::null())
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "what the other tests run as a process of its own, so that it can be killed"]
async fn in_a_process_of_its_own() {
    let told = |name: &str| std::env::var(format!("PLAYLEDGER_TEST_REBUILD_{name}")).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(told("LOG")).await.unwrap());
    let config = Config {
        database_url: told("DATABASE"),
        schema: "play".parse().unwrap(),
        event_log: true,
        games: None,
        sweep_interval: Duration::from_mins(5),
        group: "unused".to_owned(),
        instance: None,
        topic_prefix: "play.".to_owned(),
    };
    let options = Options { load: 10, report: Some(told("REPORT").into()), ..Options::default() };
    let outcome = rebuild(&config, &log, &Shell::detached(), &options, Box::new(|_| {})).await.unwrap();
    assert!(matches!(outcome, Outcome::Switched(_)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_told_to_stop_stops_and_goes_on_from_there() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    let shell = Shell::detached();
    let options = Options { load: 10, report: Some(pipeline.report()), ..Options::default() };
    let stopped = {
        let (config, log, shell, options) =
            (pipeline.config("rebuild"), Arc::clone(&pipeline.log), shell.clone(), options.clone());
        tokio::spawn(async move { rebuild(&config, &log, &shell, &options, Box::new(|_| {})).await })
    };
    while pipeline.count(FILLED).await < 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    shell.shutdown.drain();
    assert_eq!(stopped.await.unwrap().unwrap(), Outcome::Stopped);
    let left = pipeline.count(FILLED).await;
    assert_eq!(pipeline.rebuild(options).await.unwrap(), Outcome::Switched(2));
    assert!(pipeline.count(FILLED).await > left && left > 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rebuilds_at_a_time_are_refused() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    pipeline.append_reports(0..10).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 10).await;
    // As another holds it for as long as it works.
    let mut other = pipeline.database.pool.begin().await.unwrap();
    let turn = "SELECT pg_advisory_xact_lock(hashtextextended('playledger/rebuild/play', 0))";
    sqlx::query(turn).execute(&mut *other).await.unwrap();
    let error = pipeline.rebuild(Options::default()).await.unwrap_err().to_string();
    assert!(error.contains("under way"), "{error}");
    assert_eq!(pipeline.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'play_g2'").await, 0);
    other.commit().await.unwrap();
    assert_eq!(pipeline.rebuild(Options::default()).await.unwrap(), Outcome::Switched(2));
    running.stop().await;
}
