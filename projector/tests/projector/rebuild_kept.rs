//! The generation that is kept: rollback, prune, and who may read.

use std::process::Command;
use std::sync::Arc;

use daemon::Shell;
use projector::rebuild::{Lines, Options, Outcome, prune, rebuild, rollback};
use sqlx::postgres::PgConnection;

use crate::rebuild::{tell_everything, until_told};
use crate::roles::Roles;
use crate::whole::Pipeline;

impl Pipeline {
    async fn roll_back(&self) -> anyhow::Result<Outcome> {
        let lines = Box::new(|line: &str| println!("{line}"));
        rollback(&self.config("rollback"), &self.log, &Shell::detached(), lines).await
    }

    async fn prune(&self, numbers: &[i64]) -> anyhow::Result<Vec<i64>> {
        prune(&self.config("prune"), numbers).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_catches_up_with_all_that_came_since_and_prune_keeps_what_is_shown() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    assert!(pipeline.roll_back().await.unwrap_err().to_string().contains("no generation is kept"));
    assert_eq!(pipeline.rebuild(Options::default()).await.unwrap(), Outcome::Switched(2));
    pipeline.append_reports(300..500).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 500).await;
    assert_eq!(pipeline.count("SELECT count(*) FROM play_g1.sessions").await, 300);

    assert_eq!(pipeline.roll_back().await.unwrap(), Outcome::Switched(1));
    assert_eq!(pipeline.count("SELECT count(*) FROM play.sessions").await, 500);
    pipeline.append_reports(500..600).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 600).await;
    assert_eq!(pipeline.count("SELECT count(*) FROM play_g2.sessions").await, 500, "the other one rests");
    assert_eq!(pipeline.rebuild(Options { dry_run: true, ..Options::default() }).await.unwrap(), Outcome::Equal);

    let error = pipeline.prune(&[2, 1]).await.unwrap_err().to_string();
    assert!(error.contains("show generation 1"), "{error}");
    assert!(pipeline.prune(&[9]).await.unwrap_err().to_string().contains("no generation 9"));
    let refused = tokio::task::block_in_place(|| {
        Command::new(env!("CARGO_BIN_EXE_projector"))
            // Reads no log.
            .args(["prune", "--generation", "1", "--kafka", "127.0.0.1:1", "--database-url", &pipeline.database.url])
            .output()
            .unwrap()
    });
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("show generation 1"), "{refused:?}");
    assert_eq!(pipeline.prune(&[]).await.unwrap(), [2, 3], "the kept one and the one that was being filled");
    assert_eq!(pipeline.count("SELECT count(*) FROM play.sessions").await, 600);
    assert_eq!(pipeline.count("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'play\\_g%'").await, 1);
    assert!(pipeline.roll_back().await.is_err());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_reads_keeps_the_views_where_they_are_and_holds_nobody_up() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    let mut reader = pipeline.database.pool.begin().await.unwrap();
    let first: i64 = sqlx::query_scalar("SELECT count(*) FROM play.sessions").fetch_one(&mut *reader).await.unwrap();
    let (said, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let waiting = {
        let (config, log) = (pipeline.config("rebuild"), Arc::clone(&pipeline.log));
        let options = Options { report: Some(pipeline.report()), ..Options::default() };
        let lines: Lines = Box::new(move |line| drop(said.send(line.to_owned())));
        tokio::spawn(async move { rebuild(&config, &log, &Shell::detached(), &options, lines).await })
    };
    while !hears.recv().await.expect("it waits for the reader").contains("long transactions") {}
    // Meanwhile others write and read, and the transaction goes on in what it has begun with.
    pipeline.append_reports(300..320).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 320).await;
    let generation: i64 =
        sqlx::query_scalar("SELECT generation FROM play.layout()").fetch_one(&mut *reader).await.unwrap();
    let players: i64 =
        sqlx::query_scalar("SELECT sum(sessions)::bigint FROM play.players").fetch_one(&mut *reader).await.unwrap();
    assert_eq!((first, generation, players), (300, 1, 320));
    assert!(!waiting.is_finished());
    reader.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Outcome::Switched(2));
    pipeline.append_reports(320..330).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 330).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_older_than_the_new_rows_is_waited_for_before_its_first_look_at_a_view() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    let mut reader = pipeline.database.pool.begin().await.unwrap();
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1").execute(&mut *reader).await.unwrap();
    let (said, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let waiting = {
        let (config, log) = (pipeline.config("rebuild"), Arc::clone(&pipeline.log));
        let options = Options { report: Some(pipeline.report()), ..Options::default() };
        let lines: Lines = Box::new(move |line| drop(said.send(line.to_owned())));
        tokio::spawn(async move { rebuild(&config, &log, &Shell::detached(), &options, lines).await })
    };
    while !hears.recv().await.expect("it waits for the reader").contains("long transactions") {}
    pipeline.append_reports(300..320).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 320).await;
    let seen: (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM play.sessions), (SELECT sum(sessions)::bigint FROM play.players)")
            .fetch_one(&mut *reader)
            .await
            .unwrap();
    assert_eq!(seen, (300, 300), "the rows of its snapshot, whole");
    reader.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Outcome::Switched(2));
    pipeline.append_reports(320..330).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 330).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_read_on_after_a_switch_and_one_turned_away_does_not_come_back() {
    async fn rows(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT count(*) FROM play.sessions").fetch_one(connection).await
    }
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    tell_everything(&pipeline).await;
    until_told(&pipeline).await;
    let mut roles = Roles::of(&pipeline.database);
    let (acme, beta, gone) = (roles.make("acme").await, roles.make("beta").await, roles.make("gone").await);
    for (role, tenant) in [(&acme, "acme"), (&beta, "beta"), (&gone, "acme")] {
        roles.run(&format!("SELECT play.grant_reader('{role}', '{tenant}')")).await;
    }
    let mut acme = pipeline.database.connect_as(&acme).await;
    let mut beta = pipeline.database.connect_as(&beta).await;
    let mut turned_away = pipeline.database.connect_as(&gone).await;
    assert_eq!(pipeline.rebuild(Options::default()).await.unwrap(), Outcome::Switched(2));
    assert_eq!((rows(&mut acme).await.unwrap(), rows(&mut beta).await.unwrap()), (300, 0));
    assert_eq!(rows(&mut turned_away).await.unwrap(), 300);
    roles.run(&format!("SELECT play.revoke_role('{gone}')")).await;
    for generation in ["play", "play_g1", "play_g2"] {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {generation}.sessions"));
        let told: Result<i64, _> = sqlx::query_scalar(sql).fetch_one(&mut turned_away).await;
        assert!(told.is_err(), "{generation} is read by a role that was turned away");
    }
    assert_eq!(pipeline.roll_back().await.unwrap(), Outcome::Switched(1));
    assert_eq!((rows(&mut acme).await.unwrap(), rows(&mut beta).await.unwrap()), (300, 0));
    assert!(rows(&mut turned_away).await.is_err());
    running.stop().await;
    roles.drop().await;
}
