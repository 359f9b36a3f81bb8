//! play.events: the gateway's stamp around the client's event, or a hole in its place.

mod names;
mod skim;

use std::borrow::Cow;

use serde::de::Deserializer;
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::event::MAX_INTEGER;
use crate::id::{Game, Tenant};
pub use crate::record::ReadError as StampError;
use crate::record::{self, ReadError, Record};
use crate::text::Text;
use crate::time::Timestamp;
pub use names::Names;

/// A record of play.events.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stamp<'a> {
    /// Form of this record.
    pub v: u32,
    /// Whose it is: the credential's, never the body's.
    pub tenant: Tenant,
    /// Which game, environment included.
    pub game: Game,
    /// When the gateway had the whole body; always of this arrival, a redriven one too.
    pub received_at: Timestamp,
    /// When the client says that it sent the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// The client's version, at most 40 characters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<Text<'a>>,
    /// The request that brought it.
    #[serde(borrow)]
    pub request_id: Text<'a>,
    /// Public id of the credential.
    #[serde(borrow)]
    pub key_id: Text<'a>,
    /// The gateway's name.
    #[serde(borrow)]
    pub gateway: Text<'a>,
    /// Where it came from other than a client's own JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Where it lay when it was refused, if it was sent again from there.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub redrive: Option<Redrive<'a>>,
    /// The client's event, in the client's bytes less whitespace between tokens.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Raw<'a>>,
    /// In place of an event: a seq that was refused, so that its session goes on without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hole: Option<Hole>,
}

/// JSON text of one value, without whitespace around it.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The text.
    pub fn get(self) -> &'a str {
        self.0
    }
}

impl<'a> From<&'a RawValue> for Raw<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(raw.get())
    }
}

/// JSON text of one value that is kept.
#[derive(Clone, Debug)]
pub struct RawBuf(Box<str>);

impl RawBuf {
    /// The text.
    pub fn get(&self) -> &str {
        &self.0
    }

    /// The same, borrowed.
    pub fn as_raw(&self) -> Raw<'_> {
        Raw(&self.0)
    }
}

impl From<Raw<'_>> for RawBuf {
    fn from(raw: Raw<'_>) -> Self {
        Self(raw.get().into())
    }
}

impl Serialize for RawBuf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.as_raw().serialize(serializer)
        } else {
            serializer.serialize_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for RawBuf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
        } else {
            Box::<str>::deserialize(deserializer).map(Self)
        }
    }
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Self::from)
    }
}

/// Where an event came from other than a client's own JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Translated from a CloudEvent.
    CloudEvent,
    /// Written by the close call.
    Close,
}

impl Origin {
    /// The word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudEvent => "cloudevent",
            Self::Close => "close",
        }
    }

    /// The origin of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::CloudEvent, Self::Close].into_iter().find(|origin| origin.as_str() == name)
    }
}

/// Where a redriven event lay in the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive<'a> {
    /// Whole name of the topic.
    #[serde(borrow)]
    pub topic: Text<'a>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When it came for the first time; its age is judged by this.
    pub first_received_at: Timestamp,
    /// First offset of its session in play.events, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_first_offset: Option<i64>,
}

/// A seq that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// The session.
    pub session_id: Uuid,
    /// The place that stays empty; at most 2^53 − 1, as an event's.
    pub seq: u64,
    /// Why: a word of [`crate::record::quarantine::Reason`].
    pub reason: Cow<'static, str>,
}

impl<'a> Stamp<'a> {
    /// Reads a record's value.
    ///
    /// # Errors
    /// [`ReadError`]; only `Newer` stops a reader, the others are poison for the quarantine.
    pub fn parse(value: &'a [u8]) -> Result<Self, ReadError> {
        record::read(value)
    }

    /// As [`Stamp::parse`], at a fraction of its cost where the record is as the gateway writes it. The event's text
    /// need not be one value of JSON then: whoever can't read it asks [`Stamp::parse`] what the record is.
    ///
    /// # Errors
    /// As [`Stamp::parse`].
    pub fn skim(value: &'a [u8], names: &mut Names) -> Result<Self, ReadError> {
        skim::skim(value, names).map_or_else(|| Self::parse(value), Ok)
    }
}

impl<'de: 'a, 'a> Record<'de> for Stamp<'a> {
    fn v(&self) -> u32 {
        self.v
    }

    fn judge(&self) -> Result<(), &'static str> {
        match (&self.event, &self.hole) {
            (None, Some(hole)) if hole.seq > MAX_INTEGER => Err("the seq of a hole is from 0 to 9007199254740991"),
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err("a record of play.events holds either an event or a hole"),
        }
    }
}
