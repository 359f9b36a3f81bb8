//! An object's own members one by one, whatever is wrong with them: doubled names, half characters,
//! numbers out of bounds.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Tells name and value of each member of an object, the values as they are written. Names are bytes,
/// escapes resolved: half a character is no text. Of what is no JSON the members before its fault are told.
pub fn each_member<'a>(json: &'a str, tell: impl FnMut(&[u8], &'a str)) {
    // There is nothing to say of the fault: whoever asks knows already that there is one.
    let _ = serde_json::Deserializer::from_str(json).deserialize_map(Reader(tell));
}

struct Reader<T>(T);

impl<'de, T: FnMut(&[u8], &'de str)> Visitor<'de> for Reader<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            (self.0)(&name, value.get());
        }
        Ok(())
    }
}

struct Name<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_bytes<E: Error>(self, name: &'de [u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_bytes(Reader)
    }
}
