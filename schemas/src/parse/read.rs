//! An event's data, read and judged by the fields of its type in one pass.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::catalogue::Entry;
use super::field::{Field, Rule};
use super::found::Found;
use crate::data::{Data, TaskId};
use crate::field_error::{FieldCode, FieldError};
use crate::text::Text;

/// No type has more fields.
pub(super) const MOST_FIELDS: usize = 8;

/// What was found under the fields of a type, all of it sound.
pub(super) struct Sound<'a> {
    fields: &'static [Field],
    found: [Option<Found<'a>>; MOST_FIELDS],
}

impl Entry {
    /// Reads and judges data; None only with errors.
    pub(super) fn read<'a>(&self, json: &'a str, errors: &mut Vec<FieldError>) -> Option<Data<'a>> {
        let mut sound = Sound { fields: self.fields, found: [const { None }; MOST_FIELDS] };
        if let Err(error) = serde_json::Deserializer::from_str(json).deserialize_map(Reader(&mut sound)) {
            errors.push(FieldError::new("/data", FieldCode::Json, error.to_string()));
            return None;
        }
        let before = errors.len();
        for (field, found) in self.fields.iter().zip(&sound.found) {
            match found {
                Some(found) => field.judge(found, errors),
                None if field.required => field.missing(errors),
                None => {}
            }
        }
        if errors.len() > before { None } else { (self.build)(&mut sound) }
    }
}

impl<'a> Sound<'a> {
    pub(super) fn text(&mut self, name: &str) -> Option<Text<'a>> {
        match self.take(name)? {
            Found::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Vec<Text<'a>> {
        match self.take(name) {
            Some(Found::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }

    pub(super) fn bool(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Found::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn unsigned(&mut self, name: &str) -> Option<u64> {
        u64::try_from(self.take(name)?.integer()?).ok()
    }

    pub(super) fn number(&mut self, name: &str) -> Option<f64> {
        match self.take(name)? {
            Found::Number(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn task(&mut self) -> Option<TaskId<'a>> {
        Some(TaskId { task_id: self.text("task_id")? })
    }

    fn take(&mut self, name: &str) -> Option<Found<'a>> {
        let place = self.fields.iter().position(|field| field.name == name)?;
        self.found.get_mut(place)?.take()
    }
}

/// Reads the members of these names; a null is as if it were absent, other names pass.
struct Reader<'s, 'de>(&'s mut Sound<'de>);

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Sound { fields, found } = self.0;
        let mut seen = [false; MOST_FIELDS];
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let Some(place) = fields.iter().position(|field| field.name == &*name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut seen[place], true) {
                return Err(A::Error::duplicate_field(fields[place].name));
            }
            let value = match fields[place].rule {
                Rule::Integer(_) => Found::whole(map.next_value()?).map_err(A::Error::custom)?,
                _ => map.next_value()?,
            };
            if value != Found::Null {
                found[place] = Some(value);
            }
        }
        Ok(())
    }
}
