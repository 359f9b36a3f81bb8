//! Events of one session, made to measure.

use schemas::record::stamp::Origin;
use schemas::{Event, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{BEGIN, SECOND, SESSION};
use crate::metrics_v1::oracle;

/// An attempt of the session, a second after the one before it.
pub(in crate::machine) fn attempt(seq: u64) -> Value {
    event(
        Some(seq),
        "task.attempted",
        &json!({"task_id": "L1", "outcome": if seq.is_multiple_of(3) { "success" } else { "failure" }}),
    )
}

/// Any event of the session: its place in time and its id follow from `seq`, or from its type without.
pub(in crate::machine) fn event(seq: Option<u64>, event_type: &str, data: &Value) -> Value {
    let number = seq.map_or_else(|| event_type.len() as u64, |seq| seq + 1_000);
    event_at(number, seq, event_type, data)
}

/// As [`event`], under an id and at a time of its own.
pub(in crate::machine) fn event_at(number: u64, seq: Option<u64>, event_type: &str, data: &Value) -> Value {
    let at = BEGIN + i64::try_from(seq.unwrap_or(number)).unwrap() * SECOND;
    let mut event = json!({
        "event_id": Uuid::from_u128(u128::from(number) | 7 << 76), "session_id": SESSION, "player_id": "p-1",
        "event_type": event_type, "timestamp": Timestamp::from_ms(at).to_string(), "data": data,
    });
    if let Some(seq) = seq {
        event["seq"] = seq.into();
    }
    event
}

pub(in crate::machine) fn close(seq: Option<u64>, reason: &str) -> Value {
    event(seq, "session.closed", &json!({"reason": reason}))
}

/// What the oracle makes of events.
pub(in crate::machine) fn expected(events: &[Value]) -> schemas::metrics::Metrics {
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let parsed: Vec<Event<'_>> =
        lines.iter().map(|line| schemas::parse::stamped(line, Some(Origin::Close)).unwrap()).collect();
    oracle::Session::new(&parsed, 60_000).metrics()
}
