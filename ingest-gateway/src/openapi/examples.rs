//! Examples of bodies: events that pass where the clock allows, and what is told of them.

use schemas::{FieldCode, FieldError, Timestamp};
use serde_json::{Value, json};

use crate::answer::{Answer, EventCode, Outcome, Status};
use crate::close;

pub(super) const REQUEST_ID: &str = "req_4f2a9be27d1f0c5a4f2a9be27d1f0c5a";
pub(super) const EVENT_ID: &str = "0198c0de-5f3a-7c11-9d02-6a7b8c9d0e1f";
const SESSION_ID: &str = "8f14e45f-ceea-467f-a9d7-6d1f0e9f1a10";
const PLAYER_ID: &str = "p-1207";
/// 2026-01-05T08:12:31.204Z
const NOW_MS: i64 = 1_767_600_751_204;

pub(super) fn received_at() -> Timestamp {
    Timestamp::from_ms(NOW_MS + 96)
}

/// An event of its own, so many milliseconds after the first.
fn event(event_id: &str, seq: u64, after_ms: i64, event_type: &str, data: &Value) -> Value {
    json!({
        "event_id": event_id,
        "session_id": SESSION_ID,
        "player_id": PLAYER_ID,
        "seq": seq,
        "event_type": event_type,
        "timestamp": Timestamp::from_ms(NOW_MS + after_ms),
        "data": data,
    })
}

fn attempt(event_id: &str, seq: u64) -> Value {
    event(event_id, seq, 0, "task.attempted", &json!({"task_id": "L07", "outcome": "failure", "latency_ms": 5310}))
}

/// One event.
pub(super) fn one() -> Value {
    attempt(EVENT_ID, 41)
}

/// A batch of two.
pub(super) fn batch() -> Value {
    let hint = json!({"task_id": "L07", "hint_index": 1, "bottom_out": false});
    let success = json!({"task_id": "L07", "outcome": "success"});
    json!({
        "batch_id": "0198c0de-6a00-7a52-8f3e-1b2c3d4e5f60",
        "sent_at": Timestamp::from_ms(NOW_MS + 60),
        "app_version": "1.4.2",
        "events": [
            event("0198c0de-6a01-7b10-8a01-0a1b2c3d4e5f", 42, 40, "hint.requested", &hint),
            event("0198c0de-6a02-7b10-8a02-0a1b2c3d4e5f", 43, 50, "task.attempted", &success),
        ],
    })
}

/// The same, an event a line.
pub(super) fn lines() -> String {
    let lines = [
        event("0198c0de-6b01-7b10-8b01-0a1b2c3d4e5f", 44, 60, "task.completed", &json!({"task_id": "L07", "stars": 2})),
        event("0198c0de-6b02-7b10-8b02-0a1b2c3d4e5f", 45, 70, "task.started", &json!({"task_id": "L08"})),
    ];
    lines.map(|line| line.to_string()).join("\n") + "\n"
}

/// As a beacon brings it.
pub(super) fn beacon() -> String {
    let last = event("0198c0de-6c01-7b10-8c01-0a1b2c3d4e5f", 46, 80, "focus.lost", &json!({"cause": "background"}));
    json!({"sent_at": Timestamp::from_ms(NOW_MS + 90), "events": [last]}).to_string()
}

/// As a beacon brings one event.
pub(super) fn beacon_of_one() -> String {
    attempt("0198c0de-6c02-7b10-8c02-0a1b2c3d4e5f", 47).to_string()
}

/// A CloudEvent in structured mode.
pub(super) fn cloud(event_id: &str, seq: u64) -> Value {
    json!({
        "specversion": "1.0",
        "source": "/runner",
        "id": event_id,
        "type": "task.started",
        "subject": PLAYER_ID,
        "sessionid": SESSION_ID,
        "seq": seq,
        "time": Timestamp::from_ms(NOW_MS + 100),
        "datacontenttype": "application/json",
        "data": {"task_id": "L09"},
    })
}

/// The id of the CloudEvent that is sent alone.
pub(super) const CLOUD_ID: &str = "0198c0de-6d01-7b10-8d01-0a1b2c3d4e5f";

/// Several CloudEvents.
pub(super) fn clouds() -> Value {
    json!([cloud("0198c0de-6d02-7b10-8d02-0a1b2c3d4e5f", 49), cloud("0198c0de-6d03-7b10-8d03-0a1b2c3d4e5f", 50)])
}

/// A CloudEvent in binary mode: the headers, and the body.
pub(super) fn binary() -> (Value, Value) {
    let headers = json!({
        "ce-specversion": "1.0",
        "ce-source": "/runner",
        "ce-id": "0198c0de-6e01-7b10-8e01-0a1b2c3d4e5f",
        "ce-type": "task.started",
        "ce-subject": PLAYER_ID,
        "ce-sessionid": SESSION_ID,
        "ce-seq": "51",
        "ce-time": Timestamp::from_ms(NOW_MS + 110),
    });
    (headers, json!({"task_id": "L10"}))
}

/// The end of the session.
pub(super) fn close() -> Value {
    json!({"player_id": PLAYER_ID, "reason": "completed", "seq": 52, "timestamp": Timestamp::from_ms(NOW_MS + 120)})
}

/// The session that is closed.
pub(super) fn session_id() -> Value {
    SESSION_ID.into()
}

/// What is told where everything went through.
pub(super) fn accepted(events: usize) -> Value {
    told((0..events).map(|index| outcome(index, Status::Accepted)).collect(), false)
}

/// What is told of a session's close.
pub(super) fn closed() -> Value {
    let event_id = schemas::parse::uuid(SESSION_ID).map(close::event_id);
    told(vec![Outcome { event_id, ..outcome(0, Status::Accepted) }], true)
}

/// What is told where some events were refused.
pub(super) fn partly() -> Value {
    let fault = FieldError::new("/data/outcome", FieldCode::Enum, "must be one of success, failure, partial");
    let refused = Outcome { code: Some(EventCode::InvalidField), errors: vec![fault], ..outcome(1, Status::Rejected) };
    let conflict = Outcome { code: Some(EventCode::Conflict), ..outcome(2, Status::Conflict) };
    told(vec![outcome(0, Status::Accepted), refused, conflict, outcome(3, Status::Duplicate)], false)
}

fn outcome(index: usize, status: Status) -> Outcome {
    Outcome { index, event_id: schemas::parse::uuid(EVENT_ID), status, code: None, errors: Vec::new() }
}

fn told(outcomes: Vec<Outcome>, tell_all: bool) -> Value {
    // Strings, numbers and lists of them: there is nothing that could fail.
    serde_json::to_value(Answer::new(REQUEST_ID.into(), received_at(), outcomes, tell_all)).unwrap_or_default()
}
