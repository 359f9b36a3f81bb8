//! One pass over raw JSON bytes, before anything is built from them: that they are UTF-8 and one
//! JSON value, not too deep, with no name twice in an object, no number that a double can't hold; and what
//! [fingerprint](crate::body) it has.
//!
//! Two kinds of faults: what makes the whole no JSON ([`ScanError::Malformed`]), and what only makes
//! the object unfit in which it stands ([`ScanError::Fault`]), so that a batch can go on without one event.

use std::borrow::Cow;

use crate::field_error::FieldError;

mod keys;
mod number;
mod pointer;
mod string;
mod value;
mod walk;

pub(crate) use walk::{Piece, Read, Scanner};

/// Objects and arrays within each other, the outermost included.
pub const MAX_DEPTH: usize = 32;
/// Member names in one event, or in what surrounds the events.
pub const MAX_KEYS: usize = 1_024;
/// Bytes of one number as it is written.
pub const MAX_NUMBER_BYTES: usize = 64;

/// Why bytes are not taken as JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not one JSON value in UTF-8, or too deep.
    #[error("line {line}, column {column}: {problem}")]
    Malformed {
        /// Bytes before the fault.
        offset: usize,
        /// Counts from 1.
        line: usize,
        /// Counts characters from 1.
        column: usize,
        /// What is wrong and what would be right.
        problem: &'static str,
    },
    /// JSON, but not such as can be taken: a doubled name, a number out of bounds, too many names, half a character.
    #[error("{}: {}", .0.pointer, .0.message)]
    Fault(FieldError),
}

/// JSON that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// Less the whitespace between tokens; borrowed where there was none.
    pub text: Cow<'a, str>,
    /// As [`crate::body::fingerprint`] has it.
    pub fingerprint: u64,
}

impl Scanned<'static> {
    /// Of an event that was put together from what had been scanned.
    pub fn made(text: String) -> Self {
        Self { fingerprint: crate::body::fingerprint(&text), text: Cow::Owned(text) }
    }
}

impl Scanned<'_> {
    /// With a text of its own.
    pub fn into_owned(self) -> Scanned<'static> {
        Scanned { text: Cow::Owned(self.text.into_owned()), fingerprint: self.fingerprint }
    }
}

/// Judges bytes.
///
/// # Errors
/// Any fault, wherever in the value.
pub fn scan(bytes: &[u8]) -> Result<Scanned<'_>, ScanError> {
    let piece = whole(bytes).map_err(|error| *error)?;
    match piece.fault {
        Some(fault) => Err(ScanError::Fault(fault)),
        None => Ok(Scanned { text: piece.compact(), fingerprint: piece.fingerprint }),
    }
}

fn whole(bytes: &[u8]) -> Read<Piece<'_>> {
    let mut scanner = Scanner::new(bytes)?;
    let piece = scanner.piece()?;
    scanner.end()?;
    Ok(piece)
}

#[cfg(test)]
mod tests;
