//! What can be told of an event although it is refused: enough to name it and to leave its hole.

use uuid::Uuid;

use super::loose::each_member;
use super::{Found, uuid};
use crate::event::MAX_INTEGER;

/// What is sound in an event; a name that stands twice is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rough {
    /// Its type, whether or not there is such a type.
    pub event_type: Option<String>,
    /// Its id.
    pub event_id: Option<Uuid>,
    /// Its session.
    pub session_id: Option<Uuid>,
    /// Its place in the session.
    pub seq: Option<u64>,
}

/// What the members are called in the form that an event came in.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Of its id.
    pub event_id: &'static str,
    /// Of its session.
    pub session_id: &'static str,
    /// Of its place in the session.
    pub seq: &'static str,
    /// Of its type.
    pub event_type: &'static str,
}

impl Names {
    /// In Playledger's own JSON.
    pub const OWN: Self = Self { event_id: "event_id", session_id: "session_id", seq: "seq", event_type: "event_type" };
}

/// Reads what is sound in an event's JSON; nothing where it is no object.
pub fn rough(json: &str, names: Names) -> Rough {
    let names = [names.event_id, names.session_id, names.seq, names.event_type];
    let (mut found, mut doubled) = ([None; 4], [false; 4]);
    each_member(json, |name, value| {
        if let Some(place) = names.iter().position(|known| known.as_bytes() == name) {
            doubled[place] |= found[place].replace(value).is_some();
        }
    });
    let [event_id, session_id, seq, event_type] = std::array::from_fn(|place| found[place].filter(|_| !doubled[place]));
    let text = |value: Option<&str>| serde_json::from_str::<String>(value?).ok();
    let id = |value: Option<&str>| text(value).and_then(|text| uuid(&text));
    let seq = seq.and_then(|value| Found::whole(serde_json::from_str(value).ok()?).ok()?.integer());
    Rough {
        event_type: text(event_type),
        event_id: id(event_id),
        session_id: id(session_id),
        seq: seq.and_then(|seq| u64::try_from(seq).ok()).filter(|seq| *seq <= MAX_INTEGER),
    }
}
