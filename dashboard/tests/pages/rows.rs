//! Rows as the projector writes them.

use chrono::{DateTime, Duration, Utc};
use schemas::metrics::Metrics;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::World;

pub(crate) const SESSION: Uuid = Uuid::from_u128(0x5e55_1000_0000_4000_8000_0000_0000_0001);
/// Names that a client may send and a page must only ever show.
pub(crate) const HOSTILE: &str = "</bdi><script>alert('x')</script>\u{202e}\"><img src=x onerror=alert(1)>";

#[expect(clippy::disallowed_methods, reason = "rows of a test lie around now")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A closed session of `tenant`, the only one of its player: its row, its player's, its metrics, a task.
pub(crate) async fn closed(world: &World, tenant: &str, session: Uuid, player: &str) {
    let ended = now() - Duration::minutes(2);
    let report = json!({
        "tenant": tenant, "session_id": session, "game": "demo", "player_id": player, "kind": "play", "revision": 2,
        "status": "final", "close_reason": "completed", "started_at": ended - Duration::milliseconds(252_951),
        "ended_at": ended, "event_count": 6, "active_ms": 152_951, "complete": true, "anomalous": false, "flags": [],
        "platform": HOSTILE, "facts_sha256": "ab12", "partition": 0, "first_offset": 0, "last_offset": 5, "repeats": 0,
        "client_started_at": ended, "client_ended_at": ended, "worker": "0.1.0", "reported_at": now(),
    });
    world.insert("sessions", report).await;
    let row = json!({
        "tenant": tenant, "player_id": player, "first_seen": ended, "last_seen": ended, "sessions": 1, "events": 6,
        "active_ms": 152_951,
    });
    world.insert("players", row).await;
    let metrics = Metrics {
        duration_ms: 252_951,
        active_ms: 152_951,
        idle_ms: 100_000,
        tasks_started: 3,
        tasks_completed: 2,
        completion_rate: Some(2.0 / 3.0),
        attempts: 4,
        event_count: 6,
        ..Metrics::default()
    };
    let mut row = serde_json::to_value(metrics).unwrap();
    row.as_object_mut().unwrap().extend([
        ("tenant".into(), json!(tenant)),
        ("session_id".into(), json!(session)),
        ("metrics_version".into(), json!(1)),
        ("revision".into(), json!(2)),
    ]);
    world.insert("session_metrics", row).await;
    let task = json!({
        "tenant": tenant, "session_id": session, "ordinal": 0, "game": "demo", "player_id": player,
        "task_id": HOSTILE, "starts": 1, "completions": 1, "abandons": 0, "attempts": 4, "successes": 1, "hints": 1,
        "spent_ms": 61_000, "first_try": false,
    });
    world.insert("session_tasks", task).await;
}

/// A running session of tenant acme, with the snapshot and the events so far.
pub(crate) async fn running(world: &World, session: Uuid, player: &str) {
    let begun = now() - Duration::seconds(90);
    let snapshot = json!({
        "tenant": "acme", "session_id": session, "game": "demo", "player_id": player, "started_at": begun,
        "last_event_at": begun + Duration::seconds(75), "event_count": 3, "active_ms": 75_000,
    });
    world.insert("live_sessions", snapshot).await;
    for (seq, kind, data) in [
        (0, "session.started", Value::Null),
        (1, "task.started", json!({"task_id": "L1"})),
        (2, "task.attempted", json!({"task_id": "L1", "outcome": "failure"})),
    ] {
        event(world, session, seq, kind, data, begun + Duration::seconds(seq * 30)).await;
    }
}

/// An event in the event log.
pub(crate) async fn event(world: &World, session: Uuid, seq: i64, kind: &str, data: Value, at: DateTime<Utc>) {
    let row = json!({
        "tenant": "acme", "session_id": session, "partition": 0, "offset": seq, "game": "demo", "player_id": "p-1",
        "seq": seq, "event_id": Uuid::new_v4(), "event_type": kind, "timestamp": at, "received_at": at, "data": data,
    });
    world.insert("event_log", row).await;
}
