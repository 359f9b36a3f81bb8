//! The record of each topic. Every kind carries `v`; a reader ignores fields that it does not know
//! and stops, with a message, at a higher `v`.

pub mod activity;
pub mod live;
pub mod outcome;
pub mod quarantine;
pub mod stamp;

use serde::Deserialize;

/// The form of record that this release reads and writes.
pub const VERSION: u32 = 1;

/// A record's value that carries `v`.
pub trait Record<'a>: Deserialize<'a> {
    /// Form of this record.
    fn v(&self) -> u32;

    /// What makes it no record although its members are sound.
    ///
    /// # Errors
    /// A sentence that says so.
    fn judge(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// Why a value is not a record that this release can use.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or not of the form: poison.
    #[error("not a record of this topic: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a later release: the reader stops.
    #[error("a record of version {0}; this release reads up to {VERSION}: upgrade this daemon first")]
    Newer(u32),
    /// Of the form, but contradicts itself: poison.
    #[error("{0}")]
    Shape(&'static str),
}

/// Reads a record's value. Fields that this release doesn't know are ignored.
///
/// # Errors
/// [`ReadError`]; only `Newer` stops a reader, the others are poison for the quarantine.
pub fn read<'a, T: Record<'a>>(value: &'a [u8]) -> Result<T, ReadError> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let record = match serde_json::from_slice::<T>(value) {
        Ok(record) => record,
        Err(error) => {
            // A later form may lack what this one needs: its version tells more than what is missing.
            return Err(match serde_json::from_slice::<Version>(value) {
                Ok(Version { v }) if v > VERSION => ReadError::Newer(v),
                _ => ReadError::Malformed(error),
            });
        }
    };
    match record.v() {
        v if v > VERSION => Err(ReadError::Newer(v)),
        0 => Err(ReadError::Shape("the versions of records begin at 1")),
        _ => record.judge().map(|()| record).map_err(ReadError::Shape),
    }
}

macro_rules! records {
    ($($record:ty),*) => {$(
        impl Record<'_> for $record {
            fn v(&self) -> u32 {
                self.v
            }
        }

        impl $record {
            /// Reads a record's value.
            ///
            /// # Errors
            /// [`ReadError`]; only `Newer` stops a reader, the others are poison for the quarantine.
            pub fn parse(value: &[u8]) -> Result<Self, ReadError> {
                read(value)
            }
        }
    )*};
}

records!(activity::Activity, live::Live, outcome::OutcomeRecord, crate::report::Report);

/// Names of record headers.
pub mod header {
    /// The event's id, hyphenated, lower case.
    pub const EVENT_ID: &str = "event_id";
    /// Fingerprint of the event's body: its version, a colon, 16 hexadecimal digits.
    pub const FINGERPRINT: &str = "fingerprint";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// Why it was set aside: a word of [`super::quarantine::Reason`].
    pub const REASON: &str = "reason";
    /// What was wrong with its fields: a JSON array of [`crate::FieldError`].
    pub const ERRORS: &str = "errors";
    /// Whole name of the topic that it came from; absent where it never reached one.
    pub const ORIGIN_TOPIC: &str = "origin_topic";
    /// Its partition there.
    pub const ORIGIN_PARTITION: &str = "origin_partition";
    /// Its offset there.
    pub const ORIGIN_OFFSET: &str = "origin_offset";
    /// When it was received, RFC 3339.
    pub const RECEIVED_AT: &str = "received_at";
    /// The request that brought it.
    pub const REQUEST_ID: &str = "request_id";
    /// When the client says that it sent the request, RFC 3339.
    pub const SENT_AT: &str = "sent_at";
    /// The client's version.
    pub const APP_VERSION: &str = "app_version";
    /// What it came as other than a client's own JSON: a word of [`super::stamp::Origin`].
    pub const ORIGIN: &str = "origin";
    /// The session that a close call named beside its body.
    pub const SESSION_ID: &str = "session_id";
    /// Public id of the credential.
    pub const KEY_ID: &str = "key_id";
    /// Version of the headers' form.
    pub const VERSION: &str = "v";
}

#[cfg(test)]
mod tests;
