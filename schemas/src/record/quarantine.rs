//! play.quarantine: raw bytes that were refused, with the reason in the headers.

use std::borrow::Cow;
use std::fmt;

use uuid::Uuid;

use super::{ReadError, VERSION, header, stamp};
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
///
/// Of an event that reached play.events the stamp at its origin tells how it came; of one that a
/// gateway refused these headers do, so that it can be sent again as it was.
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
    /// When the client says that it sent the request.
    pub sent_at: Option<Timestamp>,
    /// The client's version.
    pub app_version: Option<String>,
    /// What the bytes are, other than an event in a client's own JSON: a CloudEvent, or the body of a close call.
    pub came_as: Option<stamp::Origin>,
    /// The session that a close call named beside its body.
    pub session_id: Option<Uuid>,
    /// Public id of the credential that brought it.
    pub key_id: Option<String>,
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
    /// Headers that say no more than why, and when it was received.
    pub fn new(reason: Reason, received_at: Timestamp) -> Self {
        Self {
            reason,
            errors: Vec::new(),
            origin: None,
            received_at,
            request_id: None,
            event_id: None,
            sent_at: None,
            app_version: None,
            came_as: None,
            session_id: None,
            key_id: None,
        }
    }

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
        let more = [
            (header::REQUEST_ID, borrowed(self.request_id.as_deref())),
            (header::EVENT_ID, self.event_id.map(|id| owned(id.to_string()))),
            (header::SENT_AT, self.sent_at.map(|at| owned(at.to_string()))),
            (header::APP_VERSION, borrowed(self.app_version.as_deref())),
            (header::ORIGIN, self.came_as.map(|origin| Cow::Borrowed(origin.as_str().as_bytes()))),
            (header::SESSION_ID, self.session_id.map(|id| owned(id.to_string()))),
            (header::KEY_ID, borrowed(self.key_id.as_deref())),
        ];
        pairs.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
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
        let came_as = text(header::ORIGIN).map(|word| {
            stamp::Origin::named(word).ok_or(ReadError::Shape("an `origin` is cloudevent, close, or left out"))
        });
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
            sent_at: text(header::SENT_AT).and_then(Timestamp::parse),
            app_version: text(header::APP_VERSION).map(str::to_owned),
            came_as: came_as.transpose()?,
            session_id: text(header::SESSION_ID).and_then(crate::parse::uuid),
            key_id: text(header::KEY_ID).map(str::to_owned),
        })
    }
}

fn borrowed(text: Option<&str>) -> Option<Cow<'_, [u8]>> {
    text.map(|text| Cow::Borrowed(text.as_bytes()))
}

fn number<T: std::str::FromStr>(text: Option<&str>) -> Result<T, ReadError> {
    text.and_then(|text| text.parse().ok())
        .ok_or(ReadError::Shape("an origin_topic stands with an origin_partition and an origin_offset, both integers"))
}
