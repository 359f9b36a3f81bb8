//! Records of each topic, as the gateway and the worker write them.

use schemas::metrics::Metrics;
use schemas::record::header;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::Given;

pub(crate) const SESSION: Uuid = Uuid::from_u128(0x5e55_1000);

/// A report of a play session of p-1 at acme's demo.
pub(crate) fn report(session: Uuid, revision: u64) -> Value {
    let metrics = Metrics {
        duration_ms: 600_000,
        active_ms: 500_000,
        idle_ms: 100_000,
        engagement_ratio: Some(500.0 / 600.0),
        longest_focus_ms: 300_000,
        tasks_started: 3,
        tasks_completed: 1,
        completion_rate: Some(1.0 / 3.0),
        attempts: 4,
        successes: 1,
        failures: 3,
        success_rate: Some(0.25),
        retries: 2,
        messages_sent: 1,
        help_given: 2,
        help_received: 3,
        turns: 4,
        leadership_choices: 5,
        event_count: 41,
        completeness: Some(1.0),
        anomalous: true,
        ..Metrics::default()
    };
    json!({
        "v": 1, "tenant": "acme", "game": "demo", "player": "p-1", "session": session, "kind": "play",
        "revision": revision, "status": "final", "facts_sha256": "ab12",
        "facts": {
            "metrics_version": 1, "close_reason": "completed", "started": "2026-01-05T08:00:00Z",
            "ended": "2026-01-05T08:10:00Z", "complete": true, "flags": ["gap_skipped"], "idle_ms": 60_000,
            "platform": "web", "locale": "de-AT", "device": "tablet", "metrics": metrics,
            "tasks": [task("L1", 900), task("L2", 1_100)],
            "evidence": [piece("resilience", "recovered", 0), piece("problem_solving", "solved", 0)],
        },
        "provenance": {
            "partition": 2, "first_offset": 100, "last_offset": 140, "repeats": 7, "clock_offset_ms": 1_500,
            "started_at": "2026-01-05T08:00:01.500Z", "ended_at": "2026-01-05T08:10:01.500Z", "app_version": "1.4.2",
            "session_timeout_ms": 1_800_000, "grace_ms": 3_600_000, "cap_ms": 86_400_000, "worker": "0.1.0",
            "reported_at": "2026-01-05T09:00:00Z",
        },
    })
}

pub(crate) fn task(id: &str, spent_ms: i64) -> Value {
    json!({"task_id": id, "starts": 1, "completions": 1, "abandons": 0, "attempts": 2, "successes": 1, "hints": 3,
           "spent_ms": spent_ms, "first_try": false})
}

pub(crate) fn piece(skill: &str, signal: &str, ordinal: u64) -> Value {
    json!({"skill": skill, "source": "game", "signal": signal, "ordinal": ordinal, "successes": 1.0,
           "opportunities": 2.0, "weight": 0.5, "at": "2026-01-05T08:10:00Z"})
}

/// `value` with another one at `pointer`.
pub(crate) fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    *value.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")) = new;
    value
}

pub(crate) fn live(session: Uuid, events: u64) -> Value {
    json!({"v": 1, "tenant": "acme", "game": "demo", "player": "p-1", "session": session,
           "started_at": "2026-01-05T08:00:01.500Z", "last_event_at": "2026-01-05T08:00:09Z", "event_count": events,
           "active_ms": 7_500})
}

pub(crate) fn activity(applied: &Value) -> Value {
    json!({"v": 1, "tenant": "acme", "game": "demo", "minute": "2026-01-05T08:00:00Z", "applied": applied,
           "repeats": 4, "holes": 1, "set_aside": {"late": 2}})
}

pub(crate) fn outcome(outcomes: &Value) -> Value {
    json!({"v": 1, "gateway": "g-1", "at": "2026-01-05T08:01:00Z", "kind": "counts", "tenant": "acme", "game": "demo",
           "minute": "2026-01-05T08:00:00Z", "outcomes": outcomes})
}

/// A record of play.events; `data` as the client wrote it.
pub(crate) fn event(event: u128, seq: u64, data: &str) -> Given {
    event_at("2026-01-05T08:00:02Z", event, seq, data)
}

/// The same, received at another time.
pub(crate) fn event_at(received_at: &str, event: u128, seq: u64, data: &str) -> Given {
    let id = Uuid::from_u128(event);
    Given::bytes(
        format!(
            r#"{{"v":1,"tenant":"acme","game":"demo","received_at":"{received_at}","request_id":"req_1","key_id":"k","gateway":"g-1","event":{{"event_id":"{id}","session_id":"{SESSION}","player_id":"p-1","seq":{seq},"event_type":"choice.made","timestamp":"2026-01-05T08:00:00Z","data":{data}}}}}"#
        )
        .as_bytes(),
    )
}

/// A record of play.quarantine as the gateway writes it.
pub(crate) fn set_aside() -> Given {
    let headers = [
        (header::REASON, "invalid"),
        (header::ERRORS, r#"[{"pointer":"/seq","code":"range","message":"must be at least 0\u0000"}]"#),
        (header::EVENT_ID, "0198c0de-0000-7000-8000-000000000001"),
        (header::REQUEST_ID, "req_2"),
        (header::RECEIVED_AT, "2026-01-05T08:00:03Z"),
    ];
    Given {
        key: "acme/demo".to_owned(),
        value: Some(b"{\"seq\":-1\x00".to_vec()),
        headers: eventlog::Headers::from_pairs(headers.map(|(name, value)| (name, value.as_bytes()))),
    }
}
