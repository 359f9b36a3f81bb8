//! Tables of event_log's days: made ahead, dropped when no tenant wants them, emptied of those who don't.

use std::io::Write as _;
use std::time::Duration;

use daemon::Shell;
use projector::Config;
use schemas::topics::Topic;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::postgres::database;
use crate::records::{event_at, report, with};
use crate::retention::{keeping, ms};
use crate::whole::Pipeline;
use crate::world::{Given, World};

const KEPT: &str = r#"
    [[retention]]
    tenant = "acme"
    event_log = "30d"
    [[retention]]
    tenant = "beta"
    event_log = "60d"
"#;
const NOW: &str = "2026-04-01T12:00:00Z";

/// The tables of days that there are.
async fn days(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT right(c.relname, 8) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent = 'play_g1.event_log'::regclass AND c.relname <> 'event_log_other' ORDER BY 1",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap()
}

async fn rows(world: &World) -> Vec<String> {
    let sql = "SELECT tenant || ' ' || to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ' ' || count(*) FROM play.event_log
                GROUP BY tenant, to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(&world.pool).await.unwrap()
}

fn events(tenant: &str, time: &str, ids: std::ops::Range<u128>) -> Vec<Given> {
    let of = |id| String::from_utf8(event_at(time, id, 0, "{}").value.unwrap()).unwrap();
    ids.map(|id| Given::bytes(of(id).replace("\"acme\"", &format!("\"{tenant}\"")).as_bytes())).collect()
}

#[tokio::test]
async fn a_day_goes_when_no_tenant_wants_it_and_until_then_the_rows_of_those_who_do_not() {
    let world = keeping(&database().await, KEPT).await;
    let mut feed = world.claim(Topic::Events, 0).await;
    for (tenant, time, count) in [
        ("acme", "2026-01-05T23:59:59.999Z", 3),
        ("beta", "2026-01-05T00:00:00Z", 2),
        // More than go in one step.
        ("acme", "2026-02-10T08:00:00Z", 9_000),
        ("beta", "2026-02-10T08:00:00Z", 2),
        ("acme", "2026-02-11T08:00:00Z", 1),
        ("acme", "2026-03-01T23:59:59Z", 1),
        ("acme", "2026-03-02T00:00:00Z", 1),
        ("gamma", "2026-01-07T08:00:00Z", 1),
        ("acme", "2026-01-07T08:00:00Z", 1),
        // Of years that cannot be.
        ("acme", "0001-01-01T00:00:00Z", 1),
        ("gamma", "0001-01-01T00:00:00Z", 1),
        ("acme", "2150-01-01T00:00:00Z", 1),
    ] {
        world.write(&mut feed, events(tenant, time, 0..count)).await;
    }
    let swept = world.sink.store().sweep(ms(NOW), true).await.unwrap().unwrap();
    assert_eq!((swept.rows, swept.made, swept.dropped, swept.left), (9_002, 4, 3, false));
    let kept = ["20260107", "20260210", "20260302"];
    let ahead = ["20260401", "20260402", "20260403", "20260404"];
    assert_eq!(days(&world).await, [&kept[..], &ahead[..]].concat());
    let left =
        ["acme 2026-03-02 1", "acme 2150-01-01 1", "beta 2026-02-10 2", "gamma 0001-01-01 1", "gamma 2026-01-07 1"];
    assert_eq!(rows(&world).await, left);

    // What comes late of a day that went is not written; who wants it makes the table anew.
    world.write(&mut feed, events("acme", "2026-01-05T10:00:00Z", 50..51)).await;
    world.write(&mut feed, events("beta", "2026-01-05T10:00:00Z", 50..51)).await;
    assert_eq!(rows(&world).await, left);
    assert_eq!(days(&world).await.len(), 7);
    world.write(&mut feed, events("gamma", "2026-01-05T10:00:00Z", 50..51)).await;
    assert_eq!((rows(&world).await.len(), days(&world).await.len()), (6, 8));
    // Those that are far out come on, and nothing is refused.
    for time in ["0001-06-01T00:00:00Z", "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        world.write(&mut feed, events("gamma", time, 60..61)).await;
    }
    let all = world.count("SELECT count(*) FROM play.event_log WHERE tenant = 'gamma'").await;
    assert_eq!((all, days(&world).await.len()), (7, 8));
    let again = world.sink.store().sweep(ms(NOW), true).await.unwrap().unwrap();
    assert_eq!((again.rows, again.made, again.dropped), (0, 0, 0));
    assert!(world.quarantine.records.lock().unwrap().is_empty());
    // Days on which nothing came go by themselves.
    let later = world.sink.store().sweep(ms("2026-04-07T00:00:00Z"), false).await.unwrap().unwrap();
    assert_eq!((later.dropped, days(&world).await.len()), (5, 3), "and that of acme");
}

#[tokio::test]
async fn who_reads_the_event_log_keeps_a_day_from_going_and_is_kept_from_nothing() {
    let world = keeping(&database().await, KEPT).await;
    let mut feed = world.claim(Topic::Events, 0).await;
    world.write(&mut feed, events("acme", "2026-01-05T10:00:00Z", 0..2)).await;
    let mut reader = world.pool.begin().await.unwrap();
    let read = "SELECT count(*) FROM play.event_log";
    sqlx::query(read).execute(&mut *reader).await.unwrap();
    let swept = world.sink.store().sweep(ms(NOW), true).await.unwrap().unwrap();
    assert_eq!((swept.dropped, swept.made, swept.left), (0, 0, true));
    let seen: i64 = sqlx::query_scalar(read).fetch_one(&mut *reader).await.unwrap();
    assert_eq!(seen, 2);
    assert_eq!(world.count("SELECT count(*) FROM play.retained").await, 0, "the horizon moves with the rows");
    // Loads go on meanwhile.
    world.write(&mut feed, events("acme", "2026-01-05T11:00:00Z", 5..6)).await;
    reader.commit().await.unwrap();
    let swept = world.sink.store().sweep(ms(NOW), true).await.unwrap().unwrap();
    assert_eq!((swept.dropped, swept.made, swept.left), (1, 4, false));
    assert_eq!(world.count(read).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_projector_keeps_its_tables_by_itself() {
    let pipeline = Pipeline::embedded().await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[[retention]]\nsessions = \"7d\"\nevent_log = \"2d\"\n").unwrap();
    let games = Some(file.path().to_owned());
    let config = Config { games, sweep_interval: Duration::from_millis(200), ..pipeline.config("keeping") };
    let shell = Shell::detached();
    let running = tokio::spawn(projector::run(config, pipeline.log.clone(), shell.clone()));
    let now = shell.clock.now_ms();
    let at = |days: i64| json!(chrono::DateTime::from_timestamp_millis(now - days * 86_400_000).unwrap().to_rfc3339());
    let ended = |n: u128, days: i64| {
        let told = with(report(Uuid::from_u128(n), 1), "/provenance/started_at", at(days));
        Given::json(&with(told, "/provenance/ended_at", at(days)))
    };
    let told = |given: &Value| given.as_str().unwrap().to_owned();
    pipeline.append(Topic::Events, events("acme", &told(&at(5)), 0..3)).await;
    pipeline.append(Topic::Events, events("acme", &told(&at(0)), 3..5)).await;
    pipeline.append(Topic::Sessions, vec![ended(1, 9), ended(2, 8), ended(3, 1)]).await;
    pipeline.until("SELECT count(*) FROM play.retained", 2).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 1).await;
    pipeline.until("SELECT count(*) FROM play.event_log", 2).await;
    assert_eq!(pipeline.count("SELECT sessions FROM play.players").await, 1);
    assert_eq!(pipeline.count("SELECT sum(sessions) FROM play.daily_players").await, 3, "days stay");
    let ahead = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'play_g1.event_log'::regclass";
    // Today and three more, the table for what belongs to no day, maybe that of a day that ended meanwhile.
    let tables = pipeline.count(ahead).await;
    assert!((5..=6).contains(&tables), "{tables}");
    // Late again, and not written: what comes after it is.
    pipeline.append(Topic::Sessions, vec![ended(1, 9), ended(4, 1)]).await;
    pipeline
        .until("SELECT count(*) FROM play.sessions WHERE session_id = '00000000-0000-0000-0000-000000000004'", 1)
        .await;
    pipeline.until("SELECT count(*) FROM play.sessions", 2).await;
    assert_eq!(pipeline.count("SELECT sum(sessions) FROM play.daily_players").await, 4);
    shell.shutdown.drain();
    running.await.unwrap().unwrap();
}
