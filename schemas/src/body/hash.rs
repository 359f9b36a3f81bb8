//! The hashes of which a fingerprint is made: of scalars, and of arrays and objects from those of their parts.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Keeps a string apart from a number that is written alike.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Null = 1,
    Bool,
    Number,
    Text,
    Array,
    Object,
    Unread,
}

/// Members whose value is the same in any case.
const ANY_CASE: [&[u8]; 2] = [b"event_id", b"session_id"];

/// The members of an object, summed up, so that their order says nothing.
#[derive(Default)]
pub(crate) struct Members {
    sum: u64,
    count: u64,
}

impl Members {
    /// Adds a member that is not null.
    pub(crate) fn add(&mut self, name: u64, value: u64) {
        self.sum = self.sum.wrapping_add(xxh3_64_with_seed(&value.to_le_bytes(), name));
        self.count += 1;
    }

    pub(crate) fn hash(&self) -> u64 {
        seeded(Kind::Object, &pair(self.sum, self.count))
    }
}

/// The elements of an array so far.
pub(crate) struct Elements(u64);

impl Elements {
    pub(crate) fn new() -> Self {
        Self(seeded(Kind::Array, &[]))
    }

    pub(crate) fn add(&mut self, element: u64) {
        self.0 = seeded(Kind::Array, &pair(self.0, element));
    }

    pub(crate) fn hash(&self) -> u64 {
        self.0
    }
}

/// Of a member's name, escapes resolved.
pub(crate) fn name(name: &[u8]) -> u64 {
    xxh3_64(name)
}

/// Whether a member of the event itself holds an id.
pub(crate) fn is_id(name: &[u8]) -> bool {
    ANY_CASE.contains(&name)
}

/// Of a string, escapes resolved.
pub(crate) fn text(text: &[u8]) -> u64 {
    seeded(Kind::Text, text)
}

/// Of a string that is an id.
pub(crate) fn id(text: &[u8]) -> u64 {
    if text.iter().any(u8::is_ascii_uppercase) { self::text(&text.to_ascii_lowercase()) } else { self::text(text) }
}

/// Of null where it stands in an array, or for the whole.
pub(crate) fn null() -> u64 {
    seeded(Kind::Null, &[])
}

pub(crate) fn bool(value: bool) -> u64 {
    seeded(Kind::Bool, if value { b"1" } else { b"0" })
}

#[inline]
pub(super) fn seeded(kind: Kind, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, kind as u64)
}

fn pair(left: u64, right: u64) -> [u8; 16] {
    (u128::from(left) << 64 | u128::from(right)).to_le_bytes()
}
