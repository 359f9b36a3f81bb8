//! A field's value as it is found, before it is judged.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::decimal::Decimal;
use crate::text::Text;

/// A value; of arrays and objects only as much as some rule asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found<'a> {
    Null,
    Bool(bool),
    Number(f64),
    /// An integer where one is asked for, by [`Found::whole`]; 1.0 is one.
    Integer(i64),
    Text(Text<'a>),
    Texts(Vec<Text<'a>>),
    /// An array; the first element that is no text stands there.
    Mixed(usize),
    Object,
}

impl<'a> Found<'a> {
    /// A value where an integer is asked for: judged by its text, since a double rounds. Far out of every
    /// rule's bounds it is held at the bounds of an i64.
    pub(super) fn whole(raw: &'a RawValue) -> serde_json::Result<Self> {
        let text = raw.get();
        if let Ok(value) = text.parse() {
            return Ok(Self::Integer(value));
        }
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        match Decimal::parse(text).filter(|_| is_number).and_then(|number| number.integer()) {
            Some(value) => Ok(Self::Integer(value)),
            None => serde_json::from_str(text),
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Found<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

#[expect(clippy::cast_precision_loss, reason = "where an integer is asked for its text is judged")]
impl<'de> Visitor<'de> for Reader {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Found<'de>, E> {
        Ok(Found::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Found<'de>, E> {
        Ok(Found::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Found<'de>, E> {
        Ok(Found::Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Found<'de>, E> {
        Ok(Found::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Found<'de>, E> {
        Ok(Found::Number(value))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Found<'de>, E> {
        Ok(Found::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found<'de>, E> {
        Ok(Found::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Found<'de>, A::Error> {
        let mut texts = Vec::new();
        while let Some(element) = elements.next_element::<Found<'de>>()? {
            let Found::Text(text) = element else {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Found::Mixed(texts.len()));
            };
            texts.push(text);
        }
        Ok(Found::Texts(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Found<'de>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Object)
    }
}
