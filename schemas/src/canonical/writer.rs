//! Writes values as canonical JSON, in one pass: an object's members are put in order when it ends, where they did
//! not come so.

use std::cmp::Ordering;
use std::ops::Range;

use serde::Serialize;
use serde::ser::{self, Error as _};
use serde_json::Error;

use super::key::Key;

/// Integers up to here, and down to its negative, are written as they are: doubles hold each of them.
const MOST_EXACT: u64 = 1 << 53;

/// The name under which `serde_json` hands over text that is JSON already.
const RAW: &str = "$serde_json::private::RawValue";

/// What has been written so far.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    /// The members of all objects that are open, the innermost one's last.
    members: Vec<Member>,
    /// Members on their way to their places.
    moved: Vec<u8>,
}

/// A member of an object: where its key stands, quotes and all, and where its value ends.
#[derive(Clone, Debug)]
struct Member {
    key: Range<usize>,
    end: usize,
}

impl Writer {
    fn integer(&mut self, exact: Option<i64>, double: f64) -> Result<(), Error> {
        match exact.filter(|value| value.unsigned_abs() <= MOST_EXACT) {
            Some(value) => self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
            None => self.double(double)?,
        }
        Ok(())
    }

    fn double(&mut self, value: f64) -> Result<(), Error> {
        if !value.is_finite() {
            return Err(Error::custom(format_args!("{value} is no JSON number")));
        }
        self.out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
        Ok(())
    }

    pub(super) fn string(&mut self, text: &str) {
        self.out.push(b'"');
        let mut plain = 0;
        for (place, byte) in text.bytes().enumerate() {
            let short = match byte {
                b'"' | b'\\' => byte,
                0x08 => b'b',
                0x09 => b't',
                0x0a => b'n',
                0x0c => b'f',
                0x0d => b'r',
                0x00..0x20 => 0,
                _ => continue,
            };
            self.out.extend_from_slice(&text.as_bytes()[plain..place]);
            if short == 0 {
                self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            } else {
                self.out.extend_from_slice(&[b'\\', short]);
            }
            plain = place + 1;
        }
        self.out.extend_from_slice(&text.as_bytes()[plain..]);
        self.out.push(b'"');
    }

    fn open(&mut self) -> Object<'_> {
        let (start, first) = (self.out.len(), self.members.len());
        self.out.push(b'{');
        Object { writer: self, start, first, key: 0..0 }
    }

    /// An object or array as the only member of an object: how a variant that holds something is written.
    fn variant(&mut self, name: &str) {
        self.out.push(b'{');
        self.string(name);
        self.out.push(b':');
    }

    fn array(&mut self, end: &'static [u8]) -> Array<'_> {
        self.out.push(b'[');
        Array { writer: self, first: true, end }
    }
}

/// An array that is being written.
pub(super) struct Array<'a> {
    writer: &'a mut Writer,
    first: bool,
    end: &'static [u8],
}

impl Array<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.first) {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    fn close(self) {
        self.writer.out.extend_from_slice(self.end);
    }
}

/// An object that is being written.
pub(super) struct Object<'a> {
    writer: &'a mut Writer,
    /// Where its brace stands.
    start: usize,
    /// Its first member among those of all open objects.
    first: usize,
    /// Where the key stands whose value comes next.
    key: Range<usize>,
}

impl Object<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        if self.writer.members.len() > self.first {
            self.writer.out.push(b',');
        }
        let from = self.writer.out.len();
        key.serialize(Key(self.writer))?;
        self.key = from..self.writer.out.len();
        self.writer.out.push(b':');
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut *self.writer)?;
        let end = self.writer.out.len();
        self.writer.members.push(Member { key: self.key.clone(), end });
        Ok(())
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.key(key)?;
        self.value(value)
    }

    fn close(self, end: &[u8]) -> Result<(), Error> {
        let Writer { out, members, moved } = self.writer;
        let own = &mut members[self.first..];
        let ordered = |a: &Member, b: &Member| order(&out[a.key.clone()], &out[b.key.clone()]);
        if !own.is_sorted_by(|a, b| ordered(a, b) == Ordering::Less) {
            own.sort_unstable_by(ordered);
            if let Some(pair) = own.windows(2).find(|pair| ordered(&pair[0], &pair[1]) == Ordering::Equal) {
                let name = String::from_utf8_lossy(&out[pair[0].key.clone()]).into_owned();
                return Err(Error::custom(format_args!("an object has two members {name}")));
            }
            moved.clear();
            for member in &*own {
                if !moved.is_empty() {
                    moved.push(b',');
                }
                moved.extend_from_slice(&out[member.key.start..member.end]);
            }
            out.truncate(self.start + 1);
            out.extend_from_slice(moved);
        }
        members.truncate(self.first);
        out.extend_from_slice(end);
        Ok(())
    }
}

/// The order of two keys as they are written, by the UTF-16 code units of what they say.
fn order(one: &[u8], other: &[u8]) -> Ordering {
    let plain = |key: &[u8]| key.iter().all(|byte| byte.is_ascii() && *byte != b'\\');
    if plain(one) && plain(other) {
        // Without their last quotes: an end comes before anything that goes on.
        return one[..one.len() - 1].cmp(&other[..other.len() - 1]);
    }
    // What was written here can be read.
    let said = |key: &[u8]| serde_json::from_slice::<String>(key).unwrap_or_default();
    said(one).encode_utf16().cmp(said(other).encode_utf16())
}

impl<'a> ser::Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Array<'a>;
    type SerializeTuple = Array<'a>;
    type SerializeTupleStruct = Array<'a>;
    type SerializeTupleVariant = Array<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Variant<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double")]
    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.integer(Some(value), value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double")]
    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.integer(value.try_into().ok(), value as f64)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double")]
    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.integer(value.try_into().ok(), value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double")]
    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.integer(value.try_into().ok(), value as f64)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.double(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.double(value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.string(text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        bytes.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'a>, Error> {
        Ok(self.array(b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Array<'a>, Error> {
        Ok(self.array(b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Array<'a>, Error> {
        Ok(self.array(b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Array<'a>, Error> {
        self.variant(variant);
        Ok(self.array(b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, Error> {
        Ok(self.open())
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Object<'a>, Error> {
        if name == RAW {
            return Err(Error::custom("text that is JSON already need not be canonical"));
        }
        Ok(self.open())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Variant<'a>, Error> {
        self.variant(variant);
        Ok(Variant(self.open()))
    }
}

/// The object that a variant holds.
pub(super) struct Variant<'a>(Object<'a>);

macro_rules! array {
    ($($trait:ident $method:ident),*) => {$(
        impl ser::$trait for Array<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.add(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

array!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close(b"}")
    }
}

impl ser::SerializeStruct for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.member(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close(b"}")
    }
}

impl ser::SerializeStructVariant for Variant<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.0.member(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.0.close(b"}}")
    }
}
