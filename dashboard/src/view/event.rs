//! One event of a session, as pages need it.

use serde_json::Value;

use crate::view::format::shortened;

/// An event at its place in the session.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Time since the session's first event, in ms; never less than the event before's.
    pub at_ms: i64,
    /// Its number, where the client counts.
    pub seq: Option<i64>,
    /// Its type.
    pub event_type: String,
    /// Its data; null where it has none.
    pub data: Value,
}

impl Event {
    /// A text field of its data.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.data.get(field).and_then(Value::as_str)
    }

    /// Whether the player did it, rather than the client or a teacher.
    pub fn is_action(&self) -> bool {
        !["session.", "focus.", "client.", "evidence."].iter().any(|prefix| self.event_type.starts_with(prefix))
    }

    /// Its data in one line: `task_id L07 · outcome failure · latency_ms 5310`.
    pub fn summary(&self) -> String {
        let Value::Object(fields) = &self.data else { return String::new() };
        let parts: Vec<_> = fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{} {}", shortened(name, 40), plain(value)))
            .collect();
        shortened(&parts.join(" · "), 240)
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => shortened(text, 100),
        other => shortened(&other.to_string(), 100),
    }
}

#[cfg(test)]
pub(crate) fn event(at_ms: i64, event_type: &str, data: Value) -> Event {
    Event { at_ms, seq: None, event_type: event_type.into(), data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_stays_one_short_line() {
        let long = "x".repeat(400);
        let made = event(0, "task.attempted", json!({"task_id": long, "outcome": "failure", "score": null}));
        let summary = made.summary();
        assert!(summary.chars().count() <= 240);
        assert!(summary.contains("outcome failure") && !summary.contains("score"));
    }
}
