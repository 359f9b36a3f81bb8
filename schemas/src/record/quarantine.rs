//! play.quarantine: raw bytes that were refused, with the reason in the headers.

use std::borrow::Cow;
use std::fmt;

use uuid::Uuid;

use super::{ReadError, VERSION, header};
use crate::field_error::FieldError;
use crate::time::Timestamp;

/// Makes an enum of reasons, the list of all and their words from one list.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Why a record or event was set aside.
        ///
        /// The gateway's reasons are refusals that the client was told; the worker's and the projector's
        /// are judgements on what the topic holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word that stands for it in headers and tables.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// Gateway: a field breaks its rule; the errors say which.
    Invalid = "invalid",
    /// Gateway: the same event_id came with another body.
    Conflict = "conflict",
    /// Gateway: the credential may not send this.
    Forbidden = "forbidden",
    /// Worker or projector: not a record of that topic.
    Poison = "poison",
    /// Worker: another event stands under its seq.
    SeqConflict = "seq_conflict",
    /// Worker: the session is another player's.
    PlayerMismatch = "player_mismatch",
    /// Worker: the session is of another game.
    GameMismatch = "game_mismatch",
    /// Worker: some of the session's events carry seq and some do not.
    SeqMixed = "seq_mixed",
    /// Worker: evidence among play, or play among evidence.
    KindMismatch = "kind_mismatch",
    /// Worker: it came after its session had been evicted, and is no repeat.
    Late = "late",
    /// Worker: a close of a session that has no events.
    NoSession = "no_session",
    /// Projector: a report that starts a session's second life.
    SecondLife = "second_life",
}

impl Reason {
    /// The reason of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The headers of a record of play.quarantine; its value is the raw bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Why it was set aside.
    pub reason: Reason,
    /// What was wrong with its fields.
    pub errors: Vec<FieldError>,
    /// Where it lay; none where it never reached a topic.
    pub origin: Option<Origin>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The request that brought it, where it is known.
    pub request_id: Option<String>,
    /// The event's id, where it has a sound one.
    pub event_id: Option<Uuid>,
}

/// Where a record lay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whole name of the topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

impl Headers {
    /// Names and values, as they are written.
    pub fn pairs(&self) -> Vec<(&'static str, Cow<'_, [u8]>)> {
        let owned = |text: String| Cow::Owned(text.into_bytes());
        let mut pairs = vec![
            (header::VERSION, owned(VERSION.to_string())),
            (header::REASON, Cow::Borrowed(self.reason.as_str().as_bytes())),
            (header::RECEIVED_AT, owned(self.received_at.to_string())),
        ];
        if !self.errors.is_empty() {
            // Field errors are strings in a list: they always have a JSON form.
            pairs.push((header::ERRORS, Cow::Owned(serde_json::to_vec(&self.errors).unwrap_or_default())));
        }
        if let Some(origin) = &self.origin {
            pairs.push((header::ORIGIN_TOPIC, Cow::Borrowed(origin.topic.as_bytes())));
            pairs.push((header::ORIGIN_PARTITION, owned(origin.partition.to_string())));
            pairs.push((header::ORIGIN_OFFSET, owned(origin.offset.to_string())));
        }
        pairs.extend(self.request_id.as_ref().map(|id| (header::REQUEST_ID, Cow::Borrowed(id.as_bytes()))));
        pairs.extend(self.event_id.map(|id| (header::EVENT_ID, owned(id.to_string()))));
        pairs
    }

    /// Reads them; `get` gives the value of a name. Names that this release doesn't know are ignored.
    ///
    /// # Errors
    /// [`ReadError::Newer`] at a later version; else what is missing or unsound.
    pub fn parse<'h>(get: impl Fn(&str) -> Option<&'h [u8]>) -> Result<Self, ReadError> {
        let text = |name| get(name).and_then(|value| std::str::from_utf8(value).ok());
        match text(header::VERSION).and_then(|v| v.parse().ok()) {
            Some(v) if v > VERSION => return Err(ReadError::Newer(v)),
            Some(1..) => {}
            _ => return Err(ReadError::Shape("a record of play.quarantine has a header `v`")),
        }
        let origin = match text(header::ORIGIN_TOPIC) {
            None => None,
            Some(topic) => Some(Origin {
                topic: topic.to_owned(),
                partition: number(text(header::ORIGIN_PARTITION))?,
                offset: number(text(header::ORIGIN_OFFSET))?,
            }),
        };
        let reason = text(header::REASON).and_then(Reason::named);
        let received_at = text(header::RECEIVED_AT).and_then(Timestamp::parse);
        Ok(Self {
            reason: reason.ok_or(ReadError::Shape("a record of play.quarantine has a header `reason`"))?,
            errors: get(header::ERRORS).map_or(Ok(Vec::new()), serde_json::from_slice)?,
            origin,
            received_at: received_at
                .ok_or(ReadError::Shape("a record of play.quarantine has a header `received_at`, an RFC 3339 time"))?,
            request_id: text(header::REQUEST_ID).map(str::to_owned),
            event_id: text(header::EVENT_ID).and_then(crate::parse::uuid),
        })
    }
}

fn number<T: std::str::FromStr>(text: Option<&str>) -> Result<T, ReadError> {
    text.and_then(|text| text.parse().ok())
        .ok_or(ReadError::Shape("an origin_topic stands with an origin_partition and an origin_offset, both integers"))
}
