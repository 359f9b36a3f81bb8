//! Rows on their way into a table: one array of the table's own row type, in the binary form that Postgres reads.
//!
//! An array for each column would be taken apart value by value, which costs the server more than writing the row
//! (docs/performance.md); this one it takes apart row by row.

use std::borrow::Cow;

use chrono::NaiveDate;
use schemas::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgBindIterExt as _, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};
use uuid::Uuid;

/// Rows of a table, to be bound to the one parameter of [`super::statement::insert`].
pub(super) struct Rows<'a, T> {
    /// The table.
    pub(super) table: &'static str,
    /// At least one.
    pub(super) all: &'a [T],
    /// Puts all of a row's values, in the order of the table's columns.
    pub(super) put: fn(&T, &mut Values<'_>),
}

/// One of them.
struct Row<'a, T> {
    table: &'static str,
    of: &'a T,
    put: fn(&T, &mut Values<'_>),
}

/// Where the values of a row are put.
pub(super) struct Values<'a> {
    buffer: &'a mut PgArgumentBuffer,
    count: i32,
}

/// A value that a column holds.
pub(super) trait Value {
    /// Number of its type: those of Postgres's own types are the same in every database.
    const TYPE: u32;
    /// Its binary form.
    fn write(&self, buffer: &mut Vec<u8>);
}

/// JSON that is sound, see [`crate::jsonb`].
pub(super) struct Json<'a>(pub(super) Cow<'a, str>);

/// An array, by what it is made from.
pub(super) struct List<I>(pub(super) I);

/// The array type of a value's type.
pub(super) trait Listed: Value {
    /// Its number.
    const ARRAY: u32;
}

impl<T> Encode<'_, Postgres> for Rows<'_, T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Self { table, put, .. } = *self;
        self.all.iter().map(|of| Row { table, of, put }).bind_iter().encode(buffer)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::array_of(self.table))
    }
}

impl<T> Type<Postgres> for Rows<'_, T> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::array_of("record")
    }
}

impl<T> Encode<'_, Postgres> for Row<'_, T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let at = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        let mut values = Values { buffer, count: 0 };
        (self.put)(self.of, &mut values);
        let count = values.count;
        buffer[at..at + 4].copy_from_slice(&count.to_be_bytes());
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_name(self.table))
    }
}

impl<T> Type<Postgres> for Row<'_, T> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("record")
    }
}

impl Values<'_> {
    /// Puts the next column's value.
    #[expect(clippy::needless_pass_by_value, reason = "values are small, and made for the call")]
    pub(super) fn put<V: Value>(&mut self, value: V) -> &mut Self {
        self.buffer.extend_from_slice(&V::TYPE.to_be_bytes());
        sized(self.buffer, |buffer| value.write(buffer));
        self.count += 1;
        self
    }

    /// Puts the next column's value, which may be null.
    pub(super) fn put_or_null<V: Value>(&mut self, value: Option<V>) -> &mut Self {
        let Some(value) = value else {
            self.buffer.extend_from_slice(&V::TYPE.to_be_bytes());
            self.buffer.extend_from_slice(&(-1_i32).to_be_bytes());
            self.count += 1;
            return self;
        };
        self.put(value)
    }
}

/// Writes something behind its length in bytes.
fn sized(buffer: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    write(buffer);
    // A value of a record is far below 2 GB, which the server would refuse by its length.
    let length = i32::try_from(buffer.len() - at - 4).unwrap_or(i32::MAX);
    buffer[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

macro_rules! value {
    ($type:ty, $number:literal, $array:literal, |$value:ident, $buffer:ident| $write:expr) => {
        impl Value for $type {
            const TYPE: u32 = $number;
            fn write(&self, $buffer: &mut Vec<u8>) {
                let $value = self;
                $write;
            }
        }
        impl Listed for $type {
            const ARRAY: u32 = $array;
        }
    };
}

value!(&str, 25, 1009, |value, buffer| buffer.extend_from_slice(value.as_bytes()));
value!(Cow<'_, str>, 25, 1009, |value, buffer| buffer.extend_from_slice(value.as_bytes()));
value!(i64, 20, 1016, |value, buffer| buffer.extend_from_slice(&value.to_be_bytes()));
value!(f64, 701, 1022, |value, buffer| buffer.extend_from_slice(&value.to_be_bytes()));
value!(bool, 16, 1000, |value, buffer| buffer.push(u8::from(*value)));
value!(Uuid, 2950, 2951, |value, buffer| buffer.extend_from_slice(value.as_bytes()));
value!(&[u8], 17, 1001, |value, buffer| buffer.extend_from_slice(value));
// Behind the number of the form.
value!(Json<'_>, 3802, 3807, |value, buffer| {
    buffer.push(1);
    buffer.extend_from_slice(value.0.as_bytes());
});
// Microseconds since 2000, by a clock in UTC.
value!(Timestamp, 1184, 1185, |value, buffer| {
    let since = value.ms().saturating_sub(MS_TO_2000).saturating_mul(1_000);
    buffer.extend_from_slice(&since.to_be_bytes());
});
// Days since 2000.
value!(NaiveDate, 1082, 1182, |value, buffer| {
    let since = chrono::Datelike::num_days_from_ce(value) - DAYS_TO_2000;
    buffer.extend_from_slice(&since.to_be_bytes());
});

/// From 1970-01-01 to 2000-01-01.
const MS_TO_2000: i64 = 946_684_800_000;
/// From the day before 0001-01-01 to 2000-01-01.
const DAYS_TO_2000: i32 = 730_120;

impl<I, V> Value for List<I>
where
    I: Iterator<Item = V> + Clone,
    V: Listed,
{
    const TYPE: u32 = V::ARRAY;

    fn write(&self, buffer: &mut Vec<u8>) {
        const ONE: [u8; 4] = 1_i32.to_be_bytes();
        // Dimensions, no nulls, the type; length and first index of the one dimension.
        buffer.extend_from_slice(&ONE);
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&V::TYPE.to_be_bytes());
        let at = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&ONE);
        let mut length = 0_i32;
        for value in self.0.clone() {
            sized(buffer, |buffer| value.write(buffer));
            length += 1;
        }
        buffer[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}
