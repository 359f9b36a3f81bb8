//! One pass over raw JSON bytes, before anything is built from them: that they are UTF-8 and one
//! JSON value, not too deep, with no name twice in an object, no number that a double can't hold.
//!
//! Two kinds of faults: what makes the whole no JSON ([`ScanError::Malformed`]), and what only makes
//! the object unfit in which it stands ([`ScanError::Fault`]), so that a batch can go on without one event.

use std::borrow::Cow;

use crate::field_error::FieldError;

mod keys;
mod number;
mod pointer;
mod string;
mod walk;

pub(crate) use string::unescape;
pub(crate) use walk::{Piece, Scanner};

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

/// Judges bytes and takes the whitespace between tokens away; borrows where there is none.
///
/// # Errors
/// Any fault, wherever in the value.
pub fn compact(bytes: &[u8]) -> Result<Cow<'_, str>, ScanError> {
    let mut scanner = Scanner::new(bytes)?;
    let piece = scanner.piece()?;
    scanner.end()?;
    match piece.fault {
        Some(fault) => Err(ScanError::Fault(fault)),
        None => Ok(piece.compact()),
    }
}

#[cfg(test)]
mod tests;
