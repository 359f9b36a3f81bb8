//! Events and requests as bytes: the same simulation from the same start gives the same ones.

use std::fmt::Write as _;
use std::sync::Arc;

use schemas::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// An id to be: chance now, time when the start is known. So the same seed at another start gives
/// other ids, as it gives other times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    /// When it was made, in ms since the simulation's start.
    pub(super) at_ms: i64,
    /// Its chance.
    pub(super) bits: [u8; 10],
}

/// An event that waits to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub(super) id: Id,
    pub(super) session: Id,
    pub(super) player: Arc<str>,
    pub(super) seq: Option<u64>,
    pub(super) kind: &'static str,
    /// The client's clock, in ms since the simulation's start.
    pub(super) at_ms: i64,
    pub(super) data: Option<Value>,
}

/// What is sent in one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Several events.
    Batch {
        /// Names the batch.
        id: Id,
        /// The events, in the order in which they are sent.
        events: Vec<Arc<Event>>,
    },
    /// One event alone.
    Single(Arc<Event>),
    /// The close call.
    Close {
        /// The session that ends.
        session: Id,
        /// Who played.
        player: Arc<str>,
        /// Why it ends.
        reason: &'static str,
        /// The close's place in the session, where the client counts.
        seq: Option<u64>,
        /// The client's clock, in ms since the simulation's start.
        at_ms: i64,
    },
}

impl Id {
    /// The UUID (version 7) that it is for a simulation that started at this time.
    pub fn uuid(&self, start_ms: i64) -> Uuid {
        let ms = u64::try_from(start_ms.saturating_add(self.at_ms)).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(ms, &self.bits).into_uuid()
    }
}

impl Event {
    /// The event as JSON, for a simulation that started at this time.
    pub fn json(&self, start_ms: i64) -> Value {
        let mut event = json!({
            "event_id": self.id.uuid(start_ms),
            "session_id": self.session.uuid(start_ms),
            "player_id": &*self.player,
            "event_type": self.kind,
            "timestamp": time(start_ms, self.at_ms),
        });
        if let Some(seq) = self.seq {
            event["seq"] = seq.into();
        }
        if let Some(data) = &self.data {
            event["data"] = data.clone();
        }
        event
    }
}

impl Request {
    /// How many events it carries.
    pub fn events(&self) -> usize {
        match self {
            Self::Batch { events, .. } => events.len(),
            Self::Single(_) | Self::Close { .. } => 1,
        }
    }

    /// The path and query that it goes to, and its body; `sent_at_ms` is the client's clock in ms
    /// since the epoch.
    pub fn render(&self, start_ms: i64, sent_at_ms: i64) -> (String, String) {
        let sent_at = Timestamp::from_ms(sent_at_ms).to_string();
        match self {
            Self::Batch { id, events } => {
                let events: Vec<_> = events.iter().map(|event| event.json(start_ms)).collect();
                let body = json!({
                    "batch_id": id.uuid(start_ms), "sent_at": sent_at, "app_version": "1.4.2", "events": events,
                });
                ("/v1/batch".to_owned(), body.to_string())
            }
            Self::Single(event) => {
                let mut path = String::from("/v1/events?app_version=1.4.2&sent_at=");
                // Of a time, only the colons and a plus need care within a query.
                let _ = write!(path, "{}", sent_at.replace(':', "%3A").replace('+', "%2B"));
                (path, event.json(start_ms).to_string())
            }
            Self::Close { session, player, reason, seq, at_ms } => {
                let mut body = json!({
                    "player_id": &**player, "reason": reason, "timestamp": time(start_ms, *at_ms), "sent_at": sent_at,
                });
                if let Some(seq) = seq {
                    body["seq"] = (*seq).into();
                }
                (format!("/v1/sessions/{}/close", session.uuid(start_ms)), body.to_string())
            }
        }
    }
}

fn time(start_ms: i64, at_ms: i64) -> String {
    Timestamp::from_ms(start_ms.saturating_add(at_ms)).to_string()
}
