//! An event's own members, as they are found.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::found::Found;
use crate::field_error::{FieldCode, FieldError};
use crate::text::Text;

/// The members of which EVENTS.md tells; others pass.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub(super) event_id: Option<Found<'a>>,
    pub(super) session_id: Option<Found<'a>>,
    pub(super) player_id: Option<Found<'a>>,
    pub(super) seq: Option<Found<'a>>,
    pub(super) event_type: Option<Found<'a>>,
    pub(super) timestamp: Option<Found<'a>>,
    pub(super) data: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    /// Reads an event's members.
    pub(super) fn read(json: &'a str) -> Result<Self, FieldError> {
        if !json.trim_start().starts_with('{') {
            return Err(FieldError::new("", FieldCode::Type, "an event is a JSON object"));
        }
        let mut members = Self::default();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        match deserializer.deserialize_map(Reader(&mut members)).and_then(|()| deserializer.end()) {
            Ok(()) => Ok(members),
            Err(error) => Err(FieldError::new("", FieldCode::Json, error.to_string())),
        }
    }
}

/// Fills the members in place: they are too large to be handed up and down.
struct Reader<'m, 'de>(&'m mut Members<'de>);

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        fn set<T, E: Error>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), E> {
            if slot.replace(value).is_some() { Err(E::duplicate_field(name)) } else { Ok(()) }
        }
        let members = self.0;
        while let Some(name) = map.next_key::<Text<'de>>()? {
            match name.as_str() {
                "event_id" => set(&mut members.event_id, map.next_value()?, "event_id")?,
                "session_id" => set(&mut members.session_id, map.next_value()?, "session_id")?,
                "player_id" => set(&mut members.player_id, map.next_value()?, "player_id")?,
                "seq" => set(&mut members.seq, Found::whole(map.next_value()?).map_err(A::Error::custom)?, "seq")?,
                "event_type" => set(&mut members.event_type, map.next_value()?, "event_type")?,
                "timestamp" => set(&mut members.timestamp, map.next_value()?, "timestamp")?,
                "data" => set(&mut members.data, map.next_value()?, "data")?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
