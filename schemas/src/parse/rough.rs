//! What can be told of an event although it is refused: enough to name it and to leave its hole.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Found, uuid};
use crate::event::MAX_INTEGER;
use crate::text::Text;

/// What is sound in an event; a name that stands twice is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rough {
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
}

impl Names {
    /// In Playledger's own JSON.
    pub const OWN: Self = Self { event_id: "event_id", session_id: "session_id", seq: "seq" };
}

/// Reads what is sound in an event's JSON; nothing where it is no object.
pub fn rough(json: &str, names: Names) -> Rough {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let reader = Reader([names.event_id, names.session_id, names.seq]);
    let Ok(found) = deserializer.deserialize_map(reader) else { return Rough::default() };
    let [event_id, session_id, seq] = found;
    let id =
        |value: Option<&RawValue>| serde_json::from_str::<Text<'_>>(value?.get()).ok().and_then(|text| uuid(&text));
    let seq = seq.and_then(|value| serde_json::from_str::<Found<'_>>(value.get()).ok()?.integer());
    Rough {
        event_id: id(event_id),
        session_id: id(session_id),
        seq: seq.and_then(|seq| u64::try_from(seq).ok()).filter(|seq| *seq <= MAX_INTEGER),
    }
}

/// Reads the values of these names.
struct Reader([&'static str; 3]);

impl<'de> Visitor<'de> for Reader {
    type Value = [Option<&'de RawValue>; 3];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut doubled) = ([None; 3], [false; 3]);
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let value: &RawValue = map.next_value()?;
            if let Some(place) = self.0.iter().position(|known| *known == &*name) {
                doubled[place] |= found[place].replace(value).is_some();
            }
        }
        Ok(std::array::from_fn(|place| found[place].filter(|_| !doubled[place])))
    }
}
