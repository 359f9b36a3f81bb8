//! event_log lies in a table for each day of arrival.

use schemas::topics::Topic;
use serde_json::{Value, json};

use crate::postgres::database;
use crate::records::{event, event_at};
use crate::world::World;

/// Each day's table and its rows.
const DAYS: &str = "
    SELECT c.relname AS name, (SELECT count(*) FROM play_g1.event_log e WHERE e.tableoid = c.oid) AS rows
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'play_g1.event_log'::regclass ORDER BY 1";

fn day(name: &str, rows: i64) -> Value {
    json!({"name": format!("event_log_{name}"), "rows": rows})
}

#[tokio::test]
async fn each_day_of_arrival_gets_a_table_and_an_impossible_one_gets_none() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Events, 0).await;
    let times = ["2026-01-05T00:00:00Z", "2026-01-05T23:59:59.999Z", "2026-01-06T00:00:00Z", "0001-01-01T00:00:00Z"];
    let given = (1..).zip(times).map(|(n, at)| event_at(at, n, 0, "{}")).collect();
    world.write(&mut feed, given).await;
    assert_eq!(world.rows(DAYS).await, [day("20260105", 2), day("20260106", 1), day("other", 1)]);
    world.write(&mut feed, vec![event_at("2026-01-06T12:00:00Z", 9, 0, "{}")]).await;
    assert_eq!(world.rows(DAYS).await, [day("20260105", 2), day("20260106", 2), day("other", 1)]);
    assert_eq!(world.count("SELECT count(*) FROM play.event_log").await, 5);
}

#[tokio::test]
async fn rows_that_lie_elsewhere_move_to_their_day_when_it_gets_a_table() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Events, 0).await;
    world.write(&mut feed, vec![event(1, 0, "{}")]).await;
    sqlx::query("INSERT INTO play_g1.event_log SELECT tenant, session_id, partition, 77, game, player_id, seq, event_id, event_type, timestamp, received_at + interval '1 day', data FROM play_g1.event_log")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(world.rows(DAYS).await, [day("20260105", 1), day("other", 1)]);
    world.write(&mut feed, vec![event_at("2026-01-06T12:00:00Z", 9, 0, "{}")]).await;
    assert_eq!(world.rows(DAYS).await, [day("20260105", 1), day("20260106", 2), day("other", 0)]);
}

#[tokio::test]
async fn who_asks_for_a_day_reads_no_other() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Events, 0).await;
    world.write(&mut feed, vec![event(1, 0, "{}"), event_at("2026-01-06T12:00:00Z", 9, 0, "{}")]).await;
    let plan: Vec<String> =
        sqlx::query_scalar("EXPLAIN SELECT count(*) FROM play.event_log WHERE received_at >= '2026-01-06T00:00:00Z' AND received_at < '2026-01-07T00:00:00Z'")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("event_log_20260106") && !plan.contains("20260105") && !plan.contains("other"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn projectors_that_reach_new_days_at_once_lose_nothing() {
    let database = database().await;
    let worlds = [World::new(&database).await, World::new(&database).await, World::new(&database).await];
    let work = async |at: u8| {
        let world = &worlds[usize::from(at)];
        let mut feed = world.claim(Topic::Events, i32::from(at)).await;
        for load in 0..10_u32 {
            let given = (0..6).map(|n| event_at(&format!("2026-01-{:02}T08:00:00Z", load * 2 + n + 1), 1, 0, "{}"));
            world.write(&mut feed, given.collect()).await;
        }
    };
    tokio::join!(work(0), work(1), work(2));
    assert_eq!(worlds[0].count("SELECT count(*) FROM play.event_log").await, 3 * 10 * 6);
    assert_eq!(worlds[0].rows(DAYS).await.len(), 24 + 1);
}
