//! A serde format for memory alone: values in few bytes, to be read again by the same process.
//!
//! No names are written and no types: who reads has to ask for what was written. Unlike other formats of the kind it
//! takes fields that are left out where they hold nothing ([`skip_serializing_if`]): before every eight fields of a struct
//! stands a byte that tells which of the eight are there. Numbers take seven bits a byte, the lowest first.
//!
//! [`skip_serializing_if`]: https://serde.rs/field-attrs.html#skip_serializing_if

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::from_bytes;
pub(crate) use write::to_bytes;

/// What cannot be written in this form, or read from it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(String);

impl serde::ser::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Fields of a struct that share a byte.
const GROUP: usize = 8;
