//! What a request brings, whatever form it came in: the events, and what is said once for all of them. Pure.

use std::borrow::Cow;

use http::HeaderMap;
use schemas::envelope::{self, BrokenLine, RawEvent, RequestCode, RequestError};
use schemas::record::stamp::Origin;
use schemas::scan::Scanned;
use schemas::{FieldCode, FieldError, Text, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use crate::cloudevents;
use crate::credentials::Credential;
use crate::problem::{Code, Problem};

/// Query parameters of an ingest call.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Query {
    /// Judge and keep nothing.
    pub dry_run: Option<String>,
    /// `all`: tell of every event.
    pub results: Option<String>,
    /// When the client says that it sent the request, where no batch says so.
    pub sent_at: Option<String>,
    /// The client's version, where no batch says so.
    pub app_version: Option<String>,
    /// Which game, where no batch says so.
    pub game_id: Option<String>,
}

/// Events and what is said of all of them.
#[derive(Debug)]
pub struct Submission<'a> {
    /// When the client says that it sent them.
    pub sent_at: Option<Timestamp>,
    /// The client's version.
    pub app_version: Option<Cow<'a, str>>,
    /// Which game; none where the credential tells.
    pub game_id: Option<Cow<'a, str>>,
    /// The events.
    pub events: Vec<Item<'a>>,
    /// What they came as, other than a client's own JSON.
    pub origin: Option<Origin>,
    /// The session that a close call names beside its body.
    pub closes: Option<Uuid>,
}

/// One event of a request.
#[derive(Debug)]
pub struct Item<'a> {
    /// As it came, of a close call the whole body: what the quarantine keeps.
    pub raw: Raw<'a>,
    /// The event's JSON, or why it can't be taken.
    pub scanned: Result<Scanned<'a>, Vec<FieldError>>,
}

/// An event's bytes as they came.
#[derive(Debug)]
pub enum Raw<'a> {
    /// JSON, whatever else is wrong with it; of a CloudEvent in binary mode, the structured form made of it.
    Json(Cow<'a, str>),
    /// A line that is no JSON: whatever could be read out of it may be torn, so nothing is.
    Broken(&'a [u8]),
}

impl Raw<'_> {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Json(text) => text.as_bytes(),
            Self::Broken(bytes) => bytes,
        }
    }

    /// The JSON; empty where it is none.
    pub fn json(&self) -> &str {
        match self {
            Self::Json(text) => text,
            Self::Broken(_) => "",
        }
    }
}

impl<'a> From<RawEvent<'a>> for Item<'a> {
    fn from(event: RawEvent<'a>) -> Self {
        Self { raw: Raw::Json(Cow::Borrowed(event.raw)), scanned: event.scanned.map_err(|fault| vec![fault]) }
    }
}

impl<'a> From<BrokenLine<'a>> for Item<'a> {
    fn from(line: BrokenLine<'a>) -> Self {
        Self { raw: Raw::Broken(line.raw), scanned: Err(vec![line.fault]) }
    }
}

impl Query {
    /// Whether nothing is to be kept.
    ///
    /// # Errors
    /// A value that is neither true nor false.
    pub fn is_dry_run(&self) -> Result<bool, Problem> {
        match self.dry_run.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::field("/dry_run", FieldCode::Enum, "must be true or false")),
        }
    }

    /// Whether every event is to be told of.
    ///
    /// # Errors
    /// A value other than `all`.
    pub fn tells_all(&self) -> Result<bool, Problem> {
        match self.results.as_deref() {
            None => Ok(false),
            Some("all") => Ok(true),
            Some(_) => Err(Problem::field("/results", FieldCode::Enum, "must be all, or left out")),
        }
    }
}

impl<'a> Submission<'a> {
    /// A batch of the client's own JSON; what it does not say itself is in the query. Its `batch_id` is
    /// judged and goes no further: an event is known by its own id, however it is batched again.
    ///
    /// # Errors
    /// When it is no batch.
    pub fn batch(body: &'a [u8], query: &'a Query) -> Result<Self, Problem> {
        let batch = envelope::batch(body)?;
        let said = Self::surroundings(query)?;
        let owned = |text: Text<'_>| Cow::Owned(text.as_str().to_owned());
        Ok(Self {
            sent_at: batch.sent_at.or(said.sent_at),
            app_version: batch.app_version.map(owned).or(said.app_version),
            game_id: batch.game_id.map(owned).or(said.game_id),
            events: batch.events.into_iter().map(Item::from).collect(),
            ..said
        })
    }

    /// Events of the client's own JSON, one a line; the rest is in the query.
    ///
    /// # Errors
    /// When it is no text, or has too few or too many lines.
    pub fn lines(body: &'a [u8], query: &'a Query) -> Result<Self, Problem> {
        let item = |line: Result<RawEvent<'a>, BrokenLine<'a>>| line.map_or_else(Item::from, Item::from);
        let events = envelope::lines(body)?.into_iter().map(item).collect();
        Ok(Self { events, ..Self::surroundings(query)? })
    }

    /// A batch of CloudEvents; the rest is in the query.
    ///
    /// # Errors
    /// When it is no such batch.
    pub fn cloudevents(body: &'a [u8], query: &'a Query) -> Result<Self, Problem> {
        let events = envelope::list(body)?.into_iter().map(cloudevents::translate).collect();
        Ok(Self { events, origin: Some(Origin::CloudEvent), ..Self::surroundings(query)? })
    }

    /// One CloudEvent in structured mode; the rest is in the query.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn cloudevent(body: &'a [u8], query: &'a Query) -> Result<Self, Problem> {
        let event = cloudevents::translate(envelope::event(body)?);
        Ok(Self { events: vec![event], origin: Some(Origin::CloudEvent), ..Self::surroundings(query)? })
    }

    /// One CloudEvent in binary mode: its attributes in the headers, its data in the body.
    ///
    /// # Errors
    /// When the body is no JSON.
    pub fn binary(headers: &HeaderMap, body: &[u8], query: &'a Query) -> Result<Self, Problem> {
        let event = cloudevents::binary::read(headers, body)?;
        Ok(Self { events: vec![event], origin: Some(Origin::CloudEvent), ..Self::surroundings(query)? })
    }

    /// One event; the rest is in the query.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn event(body: &'a [u8], query: &'a Query) -> Result<Self, Problem> {
        let event = envelope::event(body)?;
        Ok(Self { events: vec![event.into()], ..Self::surroundings(query)? })
    }

    /// Which of the credential's games it is about.
    ///
    /// # Errors
    /// None named where there are several; one named that is not the credential's.
    pub fn game(&self, credential: &Credential) -> Result<schemas::Game, Problem> {
        match (&self.game_id, &credential.games[..]) {
            (None, [only]) => Ok(only.clone()),
            (None, _) => {
                Err(Problem::field("/game_id", FieldCode::Required, "this credential is for several games: say which"))
            }
            (Some(named), games) => {
                games.iter().find(|game| game.base() == named).cloned().ok_or_else(|| {
                    Problem::new(Code::Forbidden, "this credential is not for the game that game_id names")
                })
            }
        }
    }

    /// What a query says, without any event.
    ///
    /// # Errors
    /// When something in it breaks its rule.
    pub fn surroundings(query: &'a Query) -> Result<Self, Problem> {
        let sent_at = query.sent_at.as_deref().map(|text| {
            time_in_query(text).ok_or_else(|| Problem::field("/sent_at", FieldCode::Format, Timestamp::RULE))
        });
        let app_version = query.app_version.as_deref();
        if app_version.is_some_and(|text| text.chars().count() > envelope::MAX_APP_VERSION) {
            let message = format!("must be at most {} characters", envelope::MAX_APP_VERSION);
            return Err(Problem::field("/app_version", FieldCode::Length, message));
        }
        Ok(Self {
            sent_at: sent_at.transpose()?,
            app_version: app_version.map(Cow::Borrowed),
            game_id: query.game_id.as_deref().map(Cow::Borrowed),
            events: Vec::new(),
            origin: None,
            closes: None,
        })
    }
}

/// A time as a query holds it: the plus of an offset that was not escaped has become a space.
fn time_in_query(text: &str) -> Option<Timestamp> {
    let with_plus = || {
        let (time, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
        Timestamp::parse(&format!("{time}+{}", offset.strip_prefix(' ')?))
    };
    Timestamp::parse(text).or_else(with_plus)
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let code = match error.code {
            RequestCode::MalformedJson => Code::MalformedJson,
            RequestCode::MalformedBody => Code::MalformedBody,
            RequestCode::TooLarge => Code::TooLarge,
        };
        Self { errors: error.errors, ..Self::new(code, error.detail) }
    }
}
