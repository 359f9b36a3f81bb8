//! Whether a changed JSON Schema takes all that the old one took.
//!
//! Judged by structure, one keyword of the new schema after the other: each must follow from the old one. What
//! can't be judged so is said to be unknown, never to be compatible.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

mod combine;
mod facts;
mod number;
mod parts;
mod scalar;
mod side;
mod types;
mod walk;

use facts::Facts;
use side::Side;
use types::Types;
use walk::Walk;

/// Something in a new schema that may refuse what the old one took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// JSON pointer into the new schema.
    pub pointer: String,
    /// How sure it is.
    pub kind: Kind,
    /// What has changed, in words.
    pub why: String,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The new schema refuses what the old one took, or asks for what the old one did not.
    Breaking,
    /// It is not known to be compatible.
    Unknown,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        let kind = match self.kind {
            Kind::Breaking => "breaking",
            Kind::Unknown => "not known to be compatible",
        };
        write!(f, "{pointer}: {kind}: {}", self.why)
    }
}

/// What in `new` may refuse data, which is an object, that `old` took; nothing where it takes all of them. Both must be
/// schemas that [`crate::registry::schema`] has read.
pub fn compare(old: &Value, new: &Value) -> Vec<Finding> {
    if side::same_document(old, new) {
        return Vec::new();
    }
    let (old, new) = (Side::new(old), Side::new(new));
    let taken = Facts::of(&old, [old.root], Types::OBJECT);
    Walk::new(&new).follows(&taken, new.root, "")
}

#[cfg(test)]
mod tests;
