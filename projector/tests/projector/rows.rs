//! Which rows come of which records.

use eventlog::OffsetRange;
use projector::store::Wanted;
use schemas::topics::Topic;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::postgres::database;
use crate::records::{SESSION, activity, event, live, outcome, piece, report, set_aside, task, with};
use crate::world::{Given, World};

fn holds(row: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        // 1 and 1.0 are one number.
        let same = &row[name] == value || (value.is_number() && row[name].as_f64() == value.as_f64());
        assert!(same, "column {name} is {} instead of {value}", row[name]);
    }
}

#[tokio::test]
async fn a_report_becomes_its_rows() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    world.tell(&mut feed, &[report(SESSION, 1)]).await;

    let sessions = world.rows("SELECT * FROM play.sessions").await;
    assert_eq!(sessions.len(), 1);
    holds(
        &sessions[0],
        &json!({
            "tenant": "acme", "session_id": SESSION, "game": "demo", "player_id": "p-1", "kind": "play", "revision": 1,
            "status": "final", "close_reason": "completed", "started_at": "2026-01-05T08:00:01.5+00:00",
            "ended_at": "2026-01-05T08:10:01.5+00:00", "event_count": 41, "active_ms": 500_000, "complete": true,
            "anomalous": true, "flags": ["gap_skipped"], "platform": "web", "locale": "de-AT", "device": "tablet",
            "app_version": "1.4.2", "facts_sha256": "ab12", "partition": 2, "first_offset": 100, "last_offset": 140,
            "repeats": 7, "clock_offset_ms": 1_500, "client_started_at": "2026-01-05T08:00:00+00:00",
            "client_ended_at": "2026-01-05T08:10:00+00:00", "worker": "0.1.0", "reported_at": "2026-01-05T09:00:00+00:00",
        }),
    );

    let metrics = world.rows("SELECT * FROM play.session_metrics").await;
    let told = report(SESSION, 1)["facts"]["metrics"].clone();
    holds(&metrics[0], &told);
    holds(&metrics[0], &json!({"tenant": "acme", "session_id": SESSION, "metrics_version": 1, "revision": 1}));

    let tasks = world.rows("SELECT * FROM play.session_tasks ORDER BY ordinal").await;
    assert_eq!(tasks.len(), 2);
    holds(&tasks[0], &task("L1", 900));
    holds(&tasks[1], &task("L2", 1_100));
    holds(&tasks[1], &json!({"tenant": "acme", "game": "demo", "player_id": "p-1", "ordinal": 1, "revision": 1}));

    let evidence = world.rows("SELECT * FROM play.skill_evidence ORDER BY skill DESC").await;
    assert_eq!(evidence.len(), 2);
    holds(&evidence[0], &with(piece("resilience", "recovered", 0), "/at", json!("2026-01-05T08:10:00+00:00")));

    let players = world.rows("SELECT * FROM play.players").await;
    holds(
        &players[0],
        &json!({
            "tenant": "acme", "player_id": "p-1", "first_seen": "2026-01-05T08:00:01.5+00:00",
            "last_seen": "2026-01-05T08:10:01.5+00:00", "sessions": 1, "events": 41, "active_ms": 500_000,
        }),
    );
}

#[tokio::test]
async fn the_classic_names_show_the_same_figures() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    let evidence = with(report(Uuid::from_u128(2), 1), "/kind", json!("evidence"));
    world.tell(&mut feed, &[report(SESSION, 1), evidence]).await;
    let features = world.rows("SELECT * FROM play.behavioral_features").await;
    assert_eq!(features.len(), 1, "sessions of evidence are no play");
    holds(
        &features[0],
        &json!({
            "session_id": SESSION, "player_id": "p-1", "task_completion_rate": 1.0 / 3.0, "retry_count": 2,
            "recovery_rate": null, "time_efficiency": null, "distraction_resistance": 500.0 / 600.0,
            "focus_duration": 300_000, "collaboration_indicators": 10, "leadership_indicators": 5,
        }),
    );
}

#[tokio::test]
async fn a_newer_revision_replaces_all_that_the_older_one_gave() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    world.tell(&mut feed, &[report(SESSION, 1)]).await;
    let mut second = report(SESSION, 2);
    second["facts"]["tasks"] = json!([task("L9", 5)]);
    second["facts"]["evidence"] = json!([piece("resilience", "recovered", 0)]);
    second["facts"]["metrics"]["event_count"] = json!(50);
    second["facts"]["metrics"]["hints"] = json!(6);
    world.tell(&mut feed, &[second]).await;
    // An older one that comes late tells nothing.
    world.tell(&mut feed, &[report(SESSION, 1)]).await;

    assert_eq!(
        world.rows("SELECT task_id, revision FROM play.session_tasks").await,
        [json!({"task_id": "L9", "revision": 2})]
    );
    assert_eq!(
        world.rows("SELECT skill, revision FROM play.skill_evidence").await,
        [json!({"skill": "resilience", "revision": 2})]
    );
    assert_eq!(
        world.rows("SELECT revision, hints FROM play.session_metrics").await,
        [json!({"revision": 2, "hints": 6})]
    );
    assert_eq!(world.rows("SELECT sessions, events FROM play.players").await, [json!({"sessions": 1, "events": 50})]);
}

#[tokio::test]
async fn running_sessions_come_change_and_go() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Live, 0).await;
    world.tell(&mut feed, &[live(SESSION, 3), live(Uuid::from_u128(2), 1), live(SESSION, 5)]).await;
    let rows = world.rows("SELECT * FROM play.live_sessions ORDER BY event_count").await;
    assert_eq!(rows.len(), 2);
    holds(
        &rows[1],
        &json!({
            "tenant": "acme", "session_id": SESSION, "game": "demo", "player_id": "p-1", "event_count": 5, "active_ms": 7_500,
            "started_at": "2026-01-05T08:00:01.5+00:00", "last_event_at": "2026-01-05T08:00:09+00:00",
        }),
    );
    world.write(&mut feed, vec![Given::tombstone(format!("acme/{SESSION}"))]).await;
    assert_eq!(world.count("SELECT count(*) FROM play.live_sessions").await, 1);
}

#[tokio::test]
async fn sessions_whose_end_the_log_has_dropped_run_no_more() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Live, 0).await;
    let far_ahead = |session| with(live(session, 1), "/last_event_at", json!("2126-01-05T08:00:09Z"));
    let (reported, silent, running) = (SESSION, Uuid::from_u128(2), Uuid::from_u128(3));
    world.tell(&mut feed, &[far_ahead(reported), live(silent, 1), far_ahead(running)]).await;
    let mut sessions = world.claim(Topic::Sessions, 0).await;
    world.tell(&mut sessions, &[report(reported, 1)]).await;
    let claim = async |low| {
        let wanted = Wanted {
            topic: Topic::Live.name("play."),
            topic_id: "one".to_owned(),
            partition: 0,
            range: OffsetRange { low, high: 10_000 },
            may_skip: true,
        };
        world.sink.store().claim(&[wanted]).await.unwrap();
    };
    claim(0).await;
    assert_eq!(world.count("SELECT count(*) FROM play.live_sessions").await, 3, "nothing was dropped unread");
    claim(1_000).await;
    assert_eq!(world.rows("SELECT session_id FROM play.live_sessions").await, [json!({"session_id": running})]);
}

#[tokio::test]
async fn counts_by_minute_are_added_up() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Activity, 0).await;
    world.tell(&mut feed, &[activity(&json!({"task.started": 2})), activity(&json!({"task.started": 1}))]).await;
    world.tell(&mut feed, &[activity(&json!({"task.started": 4, "choice.made": 1}))]).await;
    let rows = world.rows("SELECT event_type, events, minute FROM play.activity_by_minute ORDER BY 1").await;
    let minute = "2026-01-05T08:00:00+00:00";
    assert_eq!(
        rows,
        [
            json!({"event_type": "choice.made", "events": 1, "minute": minute}),
            json!({"event_type": "task.started", "events": 7, "minute": minute}),
        ]
    );
    let rows = world.rows("SELECT outcome, events FROM play.worker_outcomes ORDER BY 1").await;
    assert_eq!(
        rows,
        [
            json!({"outcome": "applied", "events": 8}),
            json!({"outcome": "hole", "events": 3}),
            json!({"outcome": "repeat", "events": 12}),
            json!({"outcome": "set_aside/late", "events": 6}),
        ]
    );

    let mut feed = world.claim(Topic::Outcomes, 0).await;
    let started = json!({"v": 1, "gateway": "g-1", "at": "2026-01-05T08:00:00Z", "kind": "started"});
    world
        .tell(&mut feed, &[started, outcome(&json!({"accepted": 3})), outcome(&json!({"accepted": 2, "shed": 1}))])
        .await;
    let rows = world.rows("SELECT outcome, events FROM play.outcomes ORDER BY 1").await;
    assert_eq!(rows, [json!({"outcome": "accepted", "events": 5}), json!({"outcome": "shed", "events": 1})]);
}

#[tokio::test]
async fn the_quarantine_shows_what_was_refused_and_keeps_its_bytes() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Quarantine, 3).await;
    world.write(&mut feed, vec![set_aside(), Given::bytes(b"bare")]).await;
    let rows = world.rows("SELECT *, encode(raw, 'escape') AS text FROM play.quarantine ORDER BY \"offset\"").await;
    holds(
        &rows[0],
        &json!({
            "partition": 3, "offset": 0, "tenant": "acme", "game": "demo", "reason": "invalid", "origin_topic": null,
            "errors": [{"pointer": "/seq", "code": "range", "message": "must be at least 0\u{fffd}"}],
            "event_id": "0198c0de-0000-7000-8000-000000000001", "request_id": "req_2", "redriven_at": null,
            "received_at": "2026-01-05T08:00:03+00:00", "text": "{\"seq\":-1\\000",
        }),
    );
    holds(&rows[1], &json!({"reason": "unknown", "tenant": null, "errors": null, "text": "bare"}));
}

#[tokio::test]
async fn event_log_holds_each_delivery_once_and_what_jsonb_cannot_hold_gets_a_stand_in() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Events, 1).await;
    let hole = json!({"v": 1, "tenant": "acme", "game": "demo", "received_at": "2026-01-05T08:00:02Z", "request_id": "r",
                      "key_id": "k", "gateway": "g", "hole": {"session_id": SESSION, "seq": 3, "reason": "invalid"}});
    let given = || {
        vec![
            event(1, 0, r#"{"choice_id":"a"}"#),
            event(2, 1, r#"{"note":"a\u0000b\ud800","n":1e400,"huge":1e200000,"more":-12345678901234567890.123}"#),
            event(3, 2, "null"),
            Given::json(&hole),
            Given::bytes(b"not JSON"),
        ]
    };
    world.write(&mut feed, given()).await;
    let rows = world.rows("SELECT * FROM play.event_log ORDER BY seq").await;
    assert_eq!(rows.len(), 3);
    holds(
        &rows[0],
        &json!({
            "tenant": "acme", "session_id": SESSION, "partition": 1, "offset": 0, "game": "demo", "player_id": "p-1", "seq": 0,
            "event_id": Uuid::from_u128(1), "event_type": "choice.made", "timestamp": "2026-01-05T08:00:00+00:00",
            "received_at": "2026-01-05T08:00:02+00:00", "data": {"choice_id": "a"},
        }),
    );
    assert_eq!(rows[1]["data"]["note"], json!("a\u{fffd}b\u{fffd}"));
    assert_eq!((&rows[1]["data"]["n"], &rows[1]["data"]["huge"]), (&json!("1e400"), &json!("1e200000")));
    assert_eq!(rows[2]["data"], Value::Null);
    assert!(world.quarantine.records.lock().unwrap().is_empty(), "the worker judges the events topic");

    // The same stretch again, as after a lost memory: the offsets are put back by hand.
    sqlx::query("UPDATE play_g1.offsets SET next_offset = 0").execute(&world.pool).await.unwrap();
    feed.rewind();
    world.write(&mut feed, given()).await;
    assert_eq!(world.rows("SELECT * FROM play.event_log ORDER BY seq").await, rows);
}

#[tokio::test]
async fn text_that_postgres_cannot_hold_gets_a_stand_in() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    let mut odd = with(report(SESSION, 1), "/facts/platform", json!("we\u{0}b"));
    odd["facts"]["tasks"] = json!([task("L\u{0}", 1), task("L\u{fffd}", 2)]);
    world.tell(&mut feed, &[odd]).await;
    assert_eq!(world.rows("SELECT platform FROM play.sessions").await, [json!({"platform": "we\u{fffd}b"})]);
    assert_eq!(world.count("SELECT count(*) FROM play.session_tasks WHERE task_id = 'L\u{fffd}'").await, 2);
}
