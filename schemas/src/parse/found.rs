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

#[cfg(test)]
mod tests {
    use super::super::tests::{attempt, event_errors};
    use super::super::{Names, event, rough};

    #[test]
    fn an_integer_is_one_by_its_text() {
        let seq = |text: &str| {
            let json = attempt().to_string().replace("\"seq\":41", &format!("\"seq\":{text}"));
            let rough = rough(&json, Names::OWN).seq;
            match event(&json) {
                Ok(event) => {
                    assert_eq!(rough, event.seq, "{text}");
                    Ok(event.seq.unwrap())
                }
                Err(errors) => {
                    assert_eq!((rough, errors.len(), errors[0].pointer.as_str()), (None, 1, "/seq"), "{text}");
                    Err(errors[0].code.to_string())
                }
            }
        };
        for (text, value) in [
            ("1.0", 1),
            ("10e-1", 1),
            ("0.1e1", 1),
            ("1.5E1", 15),
            ("100.00e-2", 1),
            ("-0", 0),
            ("-0.0e5", 0),
            ("0e99999999999999999999", 0),
            ("0e-99999999999999999999", 0),
            ("9007199254740991", 9_007_199_254_740_991),
            ("9007199254740991.000", 9_007_199_254_740_991),
            ("9.007199254740991e15", 9_007_199_254_740_991),
        ] {
            assert_eq!(seq(text), Ok(value), "{text}");
        }
        for text in [
            "0.99999999999999999999",
            "1.00000000000000000001",
            "4503599627370497.4",
            "1e-400",
            "1e-99999999999999999999",
            "15e-1",
            "9007199254740990.99999999999999999",
        ] {
            assert_eq!(seq(text), Err("type".to_owned()), "{text}");
        }
        for text in ["9007199254740992", "1e20", "-1", "-1e2", "123456789012345678901234567890", "1e300", "-1e300"] {
            assert_eq!(seq(text), Err("range".to_owned()), "{text}");
        }
        let latency = |text: &str| attempt().to_string().replace("5310", text);
        assert_eq!(event_errors(&latency("0.99999999999999999999"))[0].pointer, "/data/latency_ms");
        assert!(event(&latency("1.0")).is_ok() && event(&latency("53.1e2")).is_ok());
    }
}
