//! Writes.

use serde::Serialize;
use serde::ser::{self, Serializer};

use super::{Error, GROUP};
use crate::varint;

/// Appends a value's bytes to `out`.
///
/// # Errors
/// When a sequence or a map does not know its length before, or the value refuses.
pub(crate) fn to_bytes<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    value.serialize(Writer(out))
}

struct Writer<'a>(&'a mut Vec<u8>);

/// The parts of what is in order, one after the other.
struct Parts<'a>(&'a mut Vec<u8>);

/// The fields of a struct.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    /// Fields so far, those left out among them.
    count: usize,
    /// Where the byte of the present group stands.
    group_at: usize,
}

impl Fields<'_> {
    fn next(&mut self, present: bool) {
        let place = self.count % GROUP;
        if place == 0 {
            self.group_at = self.out.len();
            self.out.push(0);
        }
        self.out[self.group_at] |= u8::from(present) << place;
        self.count += 1;
    }

    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.next(true);
        value.serialize(Writer(self.out))
    }
}

impl<'a> Writer<'a> {
    fn number(self, number: u64) {
        varint::put(self.0, number);
    }

    fn bytes(self, bytes: &[u8]) {
        varint::put(self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn parts(self, len: Option<usize>) -> Result<Parts<'a>, Error> {
        let len = len.ok_or_else(|| ser::Error::custom("the length has to be known before"))?;
        varint::put(self.0, len as u64);
        Ok(Parts(self.0))
    }

    fn fields(self) -> Fields<'a> {
        Fields { out: self.0, count: 0, group_at: 0 }
    }
}

macro_rules! unsigned {
    ($($name:ident: $type:ty,)+) => {
        $(fn $name(self, number: $type) -> Result<(), Error> {
            self.number(u64::from(number));
            Ok(())
        })+
    };
}

macro_rules! signed {
    ($($name:ident: $type:ty,)+) => {
        $(fn $name(self, number: $type) -> Result<(), Error> {
            varint::put_from(self.0, 0, i64::from(number));
            Ok(())
        })+
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    unsigned! {
        serialize_bool: bool,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_char: char,
    }

    signed! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
    }

    fn serialize_u128(self, number: u128) -> Result<(), Error> {
        let bytes = number.to_le_bytes();
        for word in bytes.as_chunks().0 {
            varint::put(self.0, u64::from_le_bytes(*word));
        }
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), Error> {
        self.0.extend_from_slice(&number.to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Error> {
        self.0.extend_from_slice(&number.to_le_bytes());
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.bytes(text.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes(bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.0.push(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.0.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), Error> {
        self.number(u64::from(index));
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        varint::put(self.0, u64::from(index));
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a>, Error> {
        self.parts(len)
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Error> {
        Ok(Parts(self.0))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(Parts(self.0))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Error> {
        varint::put(self.0, u64::from(index));
        Ok(Parts(self.0))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a>, Error> {
        self.parts(len)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Error> {
        Ok(self.fields())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Error> {
        varint::put(self.0, u64::from(index));
        Ok(self.fields())
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! in_order {
    ($($trait:ident::$name:ident,)+) => {
        $(impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = Error;

            fn $name<T: Serialize + ?Sized>(&mut self, part: &T) -> Result<(), Error> {
                part.serialize(Writer(self.0))
            }

            fn end(self) -> Result<(), Error> {
                Ok(())
            }
        })+
    };
}

in_order! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        key.serialize(Writer(self.0))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Writer(self.0))
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

macro_rules! by_field {
    ($($trait:ident,)+) => {
        $(impl ser::$trait for Fields<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Error> {
                self.write(value)
            }

            fn skip_field(&mut self, _: &'static str) -> Result<(), Error> {
                self.next(false);
                Ok(())
            }

            fn end(self) -> Result<(), Error> {
                Ok(())
            }
        })+
    };
}

by_field! {
    SerializeStruct,
    SerializeStructVariant,
}
