//! A session has one life: what begins elsewhere in the log is refused and listed.

use std::time::Duration;

use schemas::topics::Topic;
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::postgres::database;
use crate::records::{SESSION, report, with};
use crate::world::World;

/// A report of the session's life that begins at `offset`.
fn life(offset: i64, revision: u64) -> Value {
    with(report(SESSION, revision), "/provenance/first_offset", json!(offset))
}

const LISTED: &str = "
    SELECT session_id, partition, first_offset, revision, kept_partition, kept_first_offset, report_partition, report_offset,
           event_count, game, player_id, kind
      FROM play.second_lives ORDER BY first_offset";

#[tokio::test]
async fn each_refused_life_is_listed_once_with_its_latest_report_and_the_life_that_is_kept() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 3).await;
    // One behind the other in one load, then behind what lies in the tables.
    world.tell(&mut feed, &[life(100, 1), life(9_000, 1), life(9_000, 2), life(7_000, 1)]).await;
    world.tell(&mut feed, &[life(9_000, 3), life(100, 2), life(9_000, 1)]).await;
    let listed = |first: i64, revision: u64, offset: i64| {
        json!({
            "session_id": SESSION, "partition": 2, "first_offset": first, "revision": revision, "kept_partition": 2,
            "kept_first_offset": 100, "report_partition": 3, "report_offset": offset, "event_count": 41, "game": "demo",
            "player_id": "p-1", "kind": "play",
        })
    };
    assert_eq!(world.rows(LISTED).await, [listed(7_000, 1, 3), listed(9_000, 3, 5)]);
    assert_eq!(world.rows("SELECT revision FROM play.sessions").await, [json!({"revision": 2})]);
    assert_eq!(world.rows("SELECT sessions FROM play.daily_players").await, [json!({"sessions": 1})]);
    let kept = world.quarantine.records.lock().unwrap();
    assert_eq!(kept.iter().filter(|record| record.headers.text("reason") == Some("second_life")).count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_lives_that_reach_the_tables_at_once_the_later_is_refused() {
    let database = database().await;
    let world = World::new(&database).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    world.tell(&mut feed, &[report(Uuid::from_u128(2), 1)]).await;
    // Another projector's transaction has given the session a row that cannot be seen yet.
    let mut rival = PgConnection::connect(&database.url).await.unwrap();
    let mut transaction = rival.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO play_g1.sessions
         SELECT (jsonb_populate_record(s, jsonb_build_object('session_id', $1::text, 'first_offset', 55))).* FROM play_g1.sessions s",
    )
    .bind(SESSION.to_string())
    .execute(&mut *transaction)
    .await
    .unwrap();
    let commit = async {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while world.count(waiting).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        transaction.commit().await.unwrap();
    };
    let later = [report(SESSION, 1)];
    let ((), report) = tokio::join!(commit, world.tell(&mut feed, &later));
    assert_eq!(report.written.len(), 1);
    let lives = world.rows("SELECT first_offset, kept_first_offset FROM play.second_lives").await;
    assert_eq!(lives, [json!({"first_offset": 100, "kept_first_offset": 55})]);
    assert_eq!(world.count("SELECT sum(sessions) FROM play.players").await, 1);
}
