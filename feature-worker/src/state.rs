//! play.session-state: what the worker keeps of each session, and of each partition.
//!
//! One record a session, keyed `tenant/session_id`; one a partition, keyed [`PARTITION_KEY`], which
//! no session's key can be. JSON, with `v`: a reader ignores fields that it does not know and stops
//! at a higher version.
//!
//! A session's record says with `a` up to which offset of play.events it speaks. Where events of it
//! have come since, the partition's record says from where they are to be read again, and is of
//! version 2: a release that reads none of that would lose them.

use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use schemas::Tenant;
use schemas::topics::{self, Topic};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::encode::json;
use crate::machine::Poison;
use crate::session::Session;
use crate::session::marker::Marker;

/// The largest value of a record of play.session-state, in bytes: what stands beside it fits too.
pub const MOST_BYTES: usize = Topic::SessionState.max_message_bytes() as usize - (64 << 10);

/// The highest version that this release reads.
const VERSION: u32 = 2;
/// The version of a session's record, and of a partition's whose sessions are all written.
const PLAIN: u32 = 1;
/// The version of a partition's record while sessions are to be read again.
const BEHIND: u32 = 2;

/// Key of a partition's own state.
pub const PARTITION_KEY: &[u8] = b"partition";

/// Names a session.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey {
    /// Whose.
    pub tenant: Tenant,
    /// The session.
    pub session: Uuid,
}

/// What is kept of a session, read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// It lives.
    Live(Box<Session>),
    /// It has been evicted.
    Marker(Box<Marker>),
}

/// The same, to be written.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Written<'a> {
    Live(&'a Session),
    Marker(&'a Marker),
}

/// What is kept of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Log time: the largest `received_at` read from it, in ms since the epoch.
    pub log_time: i64,
    /// The next offset to be read.
    pub next_offset: i64,
    /// Where the events begin that some session's record lacks; none where each record is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
    /// Poison in the present window; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poison: Option<Poison>,
}

/// Where events are to be read again, without output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// First offset of play.events.
    pub from: i64,
    /// Log time at that record, in ms since the epoch.
    pub log_time: i64,
}

/// A session as its record holds it.
#[derive(Debug)]
pub struct Kept {
    /// What it is.
    pub entry: Entry,
    /// One past the last offset of play.events that it knows of; 0 where the record does not say:
    /// it knew all at the time, and what is read again came later.
    pub until: i64,
}

/// A record of play.session-state.
#[derive(Debug)]
pub enum Record {
    /// Of a session; none when it is forgotten.
    Session(SessionKey, Option<Kept>),
    /// Of the partition.
    Partition(Position),
}

/// State that this release can't take up. The worker stops: going on would lose it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Written by a later release.
    #[error("state of version {0}; this release reads up to {VERSION}: upgrade this worker first")]
    Newer(u32),
    /// Not of the form.
    #[error("state under key `{key}` is not of the form: {error}")]
    Malformed {
        /// The record's key.
        key: String,
        /// What is wrong.
        error: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<i64>,
    state: T,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Sessions of two tenants under one id are rare enough to be told apart by a look.
impl Hash for SessionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.session.as_u128().hash(state);
    }
}

impl SessionKey {
    /// The record key.
    pub fn to_bytes(&self) -> Bytes {
        topics::session_key(&self.tenant, self.session).into()
    }

    /// Reads a record key.
    pub fn parse(key: &[u8]) -> Option<Self> {
        let (tenant, session) = std::str::from_utf8(key).ok()?.split_once('/')?;
        Some(Self { tenant: Tenant::parse(tenant).ok()?, session: Uuid::try_parse(session).ok()? })
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.session)
    }
}

/// A record's value for a live session that knows of all records before `until`.
///
/// # Errors
/// When it can't be written as JSON, which would be a fault of the program.
pub fn encode_session(session: &Session, until: i64) -> Result<Bytes, serde_json::Error> {
    encode(&Written::Live(session), until)
}

/// A record's value for an evicted session that knows of all records before `until`.
///
/// # Errors
/// As [`encode_session`].
pub fn encode_marker(marker: &Marker, until: i64) -> Result<Bytes, serde_json::Error> {
    encode(&Written::Marker(marker), until)
}

fn encode(state: &Written<'_>, until: i64) -> Result<Bytes, serde_json::Error> {
    json(&Versioned { v: PLAIN, a: Some(until), state })
}

/// A record's value for a partition.
///
/// # Errors
/// When it can't be written as JSON, which would be a fault of the program.
pub fn encode_partition(position: &Position) -> Result<Bytes, serde_json::Error> {
    let v = if position.replay.is_some() { BEHIND } else { PLAIN };
    json(&Versioned { v, a: None, state: position })
}

/// Reads a record.
///
/// # Errors
/// When it is of a later release or not of the form.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Record>, StateError> {
    let malformed = |error: String| StateError::Malformed { key: String::from_utf8_lossy(key).into_owned(), error };
    if key == PARTITION_KEY {
        return value.map(|value| Ok(Record::Partition(versioned(value, malformed)?.state))).transpose();
    }
    let session =
        SessionKey::parse(key).ok_or_else(|| malformed("neither a session's key nor the partition's".into()))?;
    let kept = value.map(|value| {
        let Versioned { a, state, .. } = versioned(value, malformed)?;
        Ok(Kept { entry: state, until: a.unwrap_or(0) })
    });
    Ok(Some(Record::Session(session, kept.transpose()?)))
}

fn versioned<'a, T: Deserialize<'a>>(
    value: &'a [u8],
    malformed: impl Fn(String) -> StateError,
) -> Result<Versioned<T>, StateError> {
    match serde_json::from_slice::<Versioned<T>>(value) {
        Ok(Versioned { v, .. }) if v > VERSION => Err(StateError::Newer(v)),
        Ok(read) => Ok(read),
        Err(error) => Err(match serde_json::from_slice::<Version>(value) {
            Ok(Version { v }) if v > VERSION => StateError::Newer(v),
            _ => malformed(error.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_with_sessions_behind_is_of_a_version_that_the_release_before_refuses() {
        let mut position = Position { log_time: 1, next_offset: 9, replay: None, poison: None };
        let version = |position: &Position| {
            let value = encode_partition(position).unwrap();
            assert!(
                matches!(decode(PARTITION_KEY, Some(&value)), Ok(Some(Record::Partition(read))) if read == *position)
            );
            serde_json::from_slice::<serde_json::Value>(&value).unwrap()["v"].clone()
        };
        // The release before reads version 1 and no other.
        assert_eq!(version(&position), 1);
        position.replay = Some(Replay { from: 3, log_time: 0 });
        assert_eq!(version(&position), 2);
    }

    #[test]
    fn a_later_releases_state_is_refused_and_unknown_fields_are_not() {
        let newer = br#"{"v":3,"state":{"log_time":1,"next_offset":2}}"#;
        assert!(matches!(decode(PARTITION_KEY, Some(newer)), Err(StateError::Newer(3))));
        let wider = br#"{"v":1,"more":0,"state":{"log_time":1,"next_offset":2,"other":3}}"#;
        let read = decode(PARTITION_KEY, Some(wider)).unwrap();
        assert!(matches!(
            read,
            Some(Record::Partition(Position { log_time: 1, next_offset: 2, replay: None, poison: None }))
        ));
        assert!(matches!(decode(b"nonsense", None), Err(StateError::Malformed { .. })));
        assert!(matches!(decode(PARTITION_KEY, Some(b"{}")), Err(StateError::Malformed { .. })));
    }
}
