//! A rebuild brings nothing back that is kept no longer, although the log still has it.

use std::io::Write as _;
use std::time::Duration;

use daemon::Shell;
use projector::Config;
use projector::rebuild::{Options, Outcome, rebuild, rollback};
use projector::store::{Store, Swept};
use schemas::topics::Topic;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::rebuild::{keyed, tell_everything, until_told};
use crate::records::{report, with};
use crate::retention::ms;
use crate::whole::Pipeline;

const KEPT: &str = r#"
    [[retention]]
    tenant = "acme"
    sessions = "30d"
    event_log = "30d"
    quarantine = "30d"
    activity = "30d"
    live = "30d"
"#;

/// A pipeline whose projector sweeps when it is told.
struct Kept {
    pipeline: Pipeline,
    config: Config,
    _games: tempfile::NamedTempFile,
}

impl Kept {
    async fn new() -> Self {
        let pipeline = Pipeline::embedded().await;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(KEPT.as_bytes()).unwrap();
        let sweep_interval = Duration::from_hours(24);
        let config = Config { games: Some(file.path().to_owned()), sweep_interval, ..pipeline.config("kept") };
        Self { pipeline, config, _games: file }
    }

    async fn sweep(&self, now: &str) -> Swept {
        Store::open(&self.config).await.unwrap().sweep(ms(now), false).await.unwrap().unwrap()
    }

    async fn rebuild(&self, dry_run: bool) -> Outcome {
        let options = Options { dry_run, load: 50, report: Some(self.pipeline.report()), ..Options::default() };
        let lines = Box::new(|line: &str| println!("{line}"));
        rebuild(&self.config, &self.pipeline.log, &Shell::detached(), &options, lines).await.unwrap()
    }

    /// Takes a keeper's turn, and has a rebuild wait for it in which most has been filled.
    async fn rebuild_that_waits(&self) -> (sqlx::PgConnection, tokio::task::JoinHandle<Outcome>) {
        let mut keeper = sqlx::PgConnection::connect(&self.config.database_url).await.unwrap();
        let turn = "SELECT pg_advisory_lock(hashtextextended('playledger/keeper/play', 0))";
        sqlx::query(turn).execute(&mut keeper).await.unwrap();
        let (said, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let (config, log) = (self.config.clone(), self.pipeline.log.clone());
        let options = Options { dry_run: true, report: Some(self.pipeline.report()), ..Options::default() };
        let rebuild = tokio::spawn(async move {
            let lines = Box::new(move |line: &str| drop(said.send(line.to_owned())));
            rebuild(&config, &log, &Shell::detached(), &options, lines).await.unwrap()
        });
        while !hears.recv().await.unwrap().contains("waiting for a sweep") {}
        (keeper, rebuild)
    }

    async fn tell(&self, session: u128, revision: u64, player: &str, day: &str) {
        let told = with(report(Uuid::from_u128(session), revision), "/player", json!(player));
        let told = with(told, "/provenance/started_at", json!(format!("{day}T08:00:00Z")));
        let told = with(told, "/provenance/ended_at", json!(format!("{day}T08:10:00Z")));
        self.pipeline.append(Topic::Sessions, vec![keyed(&told, session)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_equals_the_live_tables_although_the_log_has_more_than_is_kept() {
    let kept = Kept::new().await;
    let pipeline = &kept.pipeline;
    let shell = Shell::detached();
    let running = tokio::spawn(projector::run(kept.config.clone(), pipeline.log.clone(), shell.clone()));
    tell_everything(pipeline).await;
    // One who began early and goes on, one whose first day moves before it is kept no longer, one who comes back.
    for (session, player, day) in [
        (501, "goes-on", "2026-01-05"),
        (502, "goes-on", "2026-02-04"),
        (503, "moves", "2026-01-04"),
        (504, "back", "2026-01-04"),
    ] {
        kept.tell(session, 1, player, day).await;
    }
    kept.tell(503, 2, "moves", "2026-01-06").await;
    // A revision that ends earlier, and one that ends later, than what the horizon will be.
    kept.tell(505, 1, "shorter", "2026-01-08").await;
    kept.tell(505, 2, "shorter", "2026-01-02").await;
    kept.tell(506, 1, "longer", "2026-01-02").await;
    kept.tell(506, 2, "longer", "2026-01-08").await;
    pipeline.until("SELECT count(*) FROM play.sessions", 306).await;
    pipeline.until("SELECT sum(revision) FROM play.sessions WHERE session_id IN ('00000000-0000-0000-0000-0000000001f7', '00000000-0000-0000-0000-0000000001f9', '00000000-0000-0000-0000-0000000001fa')", 6).await;
    pipeline.until("SELECT count(*) FROM play.event_log", 30).await;
    pipeline.until("SELECT count(*) FROM play.quarantine", 3).await;
    pipeline.until("SELECT count(*) FROM play.live_sessions", 1).await;
    pipeline.until("SELECT sum(events) FROM play.outcomes", 3).await;

    let swept = kept.sweep("2026-02-05T00:00:00Z").await;
    assert!(swept.rows > 260 && swept.dropped == 1, "{swept:?}");
    assert_eq!(pipeline.count("SELECT count(*) FROM play.sessions").await, 43);
    kept.tell(510, 1, "back", "2026-02-03").await;
    // Late, of sessions that went.
    kept.tell(504, 2, "back", "2026-01-04").await;
    kept.tell(299, 2, "p-1", "2026-01-03").await;
    kept.tell(511, 1, "goes-on", "2026-02-04").await;
    pipeline.until("SELECT count(*) FROM play.sessions", 45).await;
    assert_eq!(kept.rebuild(true).await, Outcome::Equal, "{:?}", pipeline.different());
    assert_eq!(pipeline.count("SELECT count(*) FROM play_g2.sessions").await, 45);
    let firsts = "SELECT count(*) FROM play_g2.player_days WHERE player_id = 'goes-on' AND first_day = '2026-01-05'";
    assert_eq!(pipeline.count(firsts).await, 1);

    // It is swept on before the rebuild is taken up again; a sweep that was broken off has left rows behind.
    kept.sweep("2026-02-06T10:00:00Z").await;
    pipeline
        .run(
            "INSERT INTO play_g1.event_log (tenant, session_id, partition, \"offset\", game, player_id, event_id, event_type, received_at)
             SELECT 'acme', gen_random_uuid(), 0, n, 'demo', 'p', gen_random_uuid(), 'task.started', '2026-01-05' FROM generate_series(1, 9) n",
        )
        .await;
    kept.tell(512, 1, "goes-on", "2026-02-05").await;
    pipeline.until("SELECT count(*) FROM play.sessions WHERE player_id = 'goes-on'", 3).await;
    assert_eq!(kept.rebuild(true).await, Outcome::Equal, "{:?}", pipeline.different());
    let days = "SELECT count(*) FROM play_g2.daily_players";
    assert_eq!(pipeline.count(days).await, pipeline.count("SELECT count(*) FROM play_g1.daily_players").await);

    // A frozen day, and a horizon, are compared all the same.
    pipeline.run("UPDATE play_g1.sessions SET event_count = event_count + 1 WHERE player_id = 'back'").await;
    assert_eq!(kept.rebuild(true).await, Outcome::Different);
    pipeline.run("UPDATE play_g1.sessions SET event_count = event_count - 1 WHERE player_id = 'back'").await;
    assert_eq!(kept.rebuild(false).await, Outcome::Switched(2));
    kept.tell(513, 1, "goes-on", "2026-02-05").await;
    kept.tell(504, 3, "back", "2026-01-04").await;
    pipeline.until("SELECT count(*) FROM play.sessions WHERE player_id = 'goes-on'", 4).await;
    assert_eq!(pipeline.count("SELECT count(*) FROM play.sessions WHERE revision = 3").await, 0);
    // The next keeper goes on in the new tables.
    assert!(kept.sweep("2026-03-20T00:00:00Z").await.rows > 0);
    assert_eq!(pipeline.count("SELECT count(*) FROM play.sessions").await, 0);

    // The kept tables have more until they are swept, and the same days then.
    kept.tell(514, 1, "late", "2026-03-19").await;
    pipeline.until("SELECT count(*) FROM play.daily_players WHERE day = '2026-03-19'", 1).await;
    let lines = Box::new(|line: &str| println!("{line}"));
    let outcome = rollback(&kept.config, &pipeline.log, &Shell::detached(), lines).await.unwrap();
    assert_eq!(outcome, Outcome::Switched(1));
    kept.sweep("2026-04-25T00:00:00Z").await;
    assert_eq!(pipeline.count("SELECT count(*) FROM play.sessions").await, 0);
    let days = "SELECT count(*) FROM (TABLE play_g1.daily_players EXCEPT ALL TABLE play_g2.daily_players) d";
    assert_eq!(pipeline.count(days).await, 0);
    assert_eq!(pipeline.count("SELECT count(*) FROM play.daily_players WHERE day = '2026-03-19'").await, 1);
    shell.shutdown.drain();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_horizons_a_rebuild_would_differ() {
    let kept = Kept::new().await;
    let pipeline = &kept.pipeline;
    let shell = Shell::detached();
    let running = tokio::spawn(projector::run(kept.config.clone(), pipeline.log.clone(), shell.clone()));
    tell_everything(pipeline).await;
    until_told(pipeline).await;
    kept.sweep("2026-02-05T00:00:00Z").await;
    let horizons: Vec<Value> = sqlx::query_scalar("SELECT to_jsonb(r) FROM play.retained r ORDER BY model")
        .fetch_all(&pipeline.database.pool)
        .await
        .unwrap();
    assert_eq!(horizons.len(), 5);
    pipeline.run("CREATE TABLE aside AS SELECT * FROM play_g1.retained; DELETE FROM play_g1.retained").await;
    assert_eq!(kept.rebuild(true).await, Outcome::Different);
    let different = pipeline.different();
    for model in
        ["sessions", "players", "player_days", "task_counts", "second_lives", "event_log", "quarantine", "outcomes"]
    {
        assert!(different.iter().any(|name| name == model), "{model} is not in {different:?}");
    }
    // With them, what was brought back goes again.
    pipeline.run("INSERT INTO play_g1.retained SELECT * FROM aside").await;
    assert_eq!(kept.rebuild(true).await, Outcome::Equal, "{:?}", pipeline.different());

    // What goes while it is filled is not there when the two are compared.
    let (keeper, rebuild) = kept.rebuild_that_waits().await;
    keeper.close().await.unwrap();
    let store = Store::open(&kept.config).await.unwrap();
    while store.sweep(ms("2026-02-20T00:00:00Z"), false).await.unwrap().is_none() {}
    assert_eq!(rebuild.await.unwrap(), Outcome::Equal, "{:?}", pipeline.different());
    assert_eq!(pipeline.count("SELECT count(*) FROM play.sessions").await, 0);
    shell.shutdown.drain();
    running.await.unwrap().unwrap();
}
