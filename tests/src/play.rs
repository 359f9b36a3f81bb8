//! Play without end, to load gateways with: small whole sessions, several at a time.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// Sessions that are played side by side.
const TOGETHER: usize = 5;
/// Events of a session, its close included.
const EVENTS: i64 = 20;

/// Events in the order in which they happen, of sessions that a worker can finish. Each has ids of its own.
#[derive(Debug, Default)]
pub struct Play {
    waiting: VecDeque<Value>,
}

impl Play {
    /// The next events.
    pub fn take(&mut self, count: usize) -> Vec<Value> {
        while self.waiting.len() < count {
            let now = now();
            let sessions: Vec<Uuid> = (0..TOGETHER).map(|_| Uuid::new_v4()).collect();
            let all = (0..EVENTS).flat_map(|seq| sessions.iter().map(move |session| event(*session, seq, now)));
            self.waiting.extend(all);
        }
        self.waiting.drain(..count).collect()
    }
}

/// One event of a session of [`EVENTS`].
fn event(session: Uuid, seq: i64, now: DateTime<Utc>) -> Value {
    let (event_type, data) = match seq {
        0 => ("session.started", json!({"platform": "web"})),
        last if last == EVENTS - 1 => ("session.closed", json!({"reason": "completed"})),
        _ => ("task.attempted", json!({"task_id": format!("L{seq}"), "outcome": "success"})),
    };
    json!({
        "event_id": Uuid::now_v7(), "session_id": session, "player_id": format!("p-{}", session.simple()),
        "seq": seq, "event_type": event_type, "data": data,
        "timestamp": (now - TimeDelta::seconds(EVENTS - seq)).to_rfc3339(),
    })
}

#[expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]
fn now() -> DateTime<Utc> {
    Utc::now()
}
