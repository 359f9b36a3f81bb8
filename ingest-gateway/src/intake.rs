//! From a request's head and decoded body to its events: in which form they come, and whose they claim to be. Pure.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use schemas::Game;

use crate::close;
use crate::cloudevents::binary;
use crate::credentials::Credential;
use crate::decode::Encoding;
use crate::problem::{Code, Problem};
use crate::submission::{Query, Submission};
use crate::whose;

/// The largest body, as it comes and decoded.
pub const MAX_BYTES: usize = 2 << 20;

/// A call that brings events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// POST /v1/events
    Event,
    /// POST /v1/batch
    Batch,
    /// POST /v1/sessions/{session_id}/close, of that session.
    Close(String),
}

/// In which form events come. Known before the body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One event of Playledger's own JSON, or the body of a close call.
    Event,
    /// A batch of it.
    Batch,
    /// The same, one event a line.
    Lines,
    /// One CloudEvent in structured mode.
    CloudEvent,
    /// A batch of CloudEvents.
    CloudEvents,
    /// A CloudEvent's attributes in the headers, its data in the body.
    Binary,
}

impl Form {
    /// By the content type, and by the headers of a CloudEvent in binary mode. From whoever has a publishable key,
    /// plain text is taken for JSON: it is all that a browser's `sendBeacon` sends to another origin without asking.
    ///
    /// # Errors
    /// A type or character set that is not understood, or not by this call.
    pub fn of(call: &Call, headers: &HeaderMap, credential: &Credential) -> Result<Self, Problem> {
        let content_type = content_type(headers)?;
        if *call == Call::Event && is_data(headers, content_type.as_deref())? {
            return Ok(Self::Binary);
        }
        let form = match content_type.as_deref() {
            None | Some("application/json") => Self::Batch,
            Some("text/plain") if credential.publishable => Self::Batch,
            Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => Self::Lines,
            Some("application/cloudevents+json") => Self::CloudEvent,
            Some("application/cloudevents-batch+json") => Self::CloudEvents,
            Some(_) => return Err(unsupported()),
        };
        match (call, form) {
            (Call::Batch, form) => Ok(form),
            (_, Self::Batch) => Ok(Self::Event),
            (Call::Event, Self::CloudEvent) => Ok(form),
            (Call::Event, _) => {
                let detail = "send one event as `Content-Type: application/json` or `application/cloudevents+json`; \
                              batches and lines go to /v1/batch";
                Err(Problem::new(Code::UnsupportedMediaType, detail))
            }
            (Call::Close(_), _) => {
                Err(Problem::new(Code::UnsupportedMediaType, "send `Content-Type: application/json`"))
            }
        }
    }
}

/// How a body is encoded.
///
/// # Errors
/// An encoding that is not understood, or several.
pub fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let mut named = headers.get_all(CONTENT_ENCODING).iter();
    let encoding = match (named.next(), named.next()) {
        (None, _) => Some(Encoding::Identity),
        (Some(value), None) => value.to_str().ok().and_then(Encoding::named),
        (Some(_), Some(_)) => None,
    };
    let detail = "send the body plain, or encoded once as gzip, deflate, br or zstd";
    encoding.ok_or_else(|| Problem::new(Code::UnsupportedEncoding, detail))
}

/// What a body holds, and the game that it is about.
///
/// # Errors
/// When it is not of its form, or claims as a whole another tenant or game than the credential's.
pub fn submission<'a>(
    call: &Call,
    form: Form,
    headers: &HeaderMap,
    body: &'a [u8],
    query: &'a Query,
    credential: &Credential,
) -> Result<(Submission<'a>, Game), Problem> {
    // By what the object around the events may claim another's: that concerns the whole request.
    let (submission, around) = match (call, form) {
        (Call::Close(session), _) => (close::submission(session, body, query)?, Some(whose::OF_EVENTS)),
        (_, Form::Batch) => (Submission::batch(body, query)?, Some(whose::OF_BATCHES)),
        (_, Form::Event) => (Submission::event(body, query)?, None),
        (_, Form::Lines) => (Submission::lines(body, query)?, None),
        (_, Form::CloudEvent) => (Submission::cloudevent(body, query)?, None),
        (_, Form::CloudEvents) => (Submission::cloudevents(body, query)?, None),
        (_, Form::Binary) => (Submission::binary(headers, body, query)?, None),
    };
    let game = submission.game(credential)?;
    let text = around.and_then(|claims| Some((std::str::from_utf8(body).ok()?, claims)));
    if text.is_some_and(|(text, claims)| whose::claims_another(text, claims, &credential.tenant, &game)) {
        let detail = "the body claims a tenant or game that is not this request's";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok((submission, game))
}

/// Whether the body is the data of a CloudEvent in binary mode: the headers are one's, and the content type names
/// no form of a whole CloudEvent.
///
/// # Errors
/// Data that is no JSON.
fn is_data(headers: &HeaderMap, content_type: Option<&str>) -> Result<bool, Problem> {
    let named = content_type.unwrap_or("application/json");
    if !binary::is(headers) || named.starts_with("application/cloudevents") {
        return Ok(false);
    }
    let is_json = named.ends_with("/json") || named.ends_with("+json");
    is_json.then_some(true).ok_or_else(unsupported)
}

/// The content type in lower case, without its parameters.
fn content_type(headers: &HeaderMap) -> Result<Option<Cow<'_, str>>, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().map_err(|_| unsupported())?;
    let mut parts = text.split(';').map(str::trim);
    let named = parts.next().unwrap_or_default();
    let charset =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let utf8 = |name: &str| ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known));
    let readable = charset.is_none_or(|(_, name)| utf8(name.trim().trim_matches('"')));
    let is_lower = !named.bytes().any(|byte| byte.is_ascii_uppercase());
    let named = if is_lower { Cow::Borrowed(named) } else { Cow::Owned(named.to_ascii_lowercase()) };
    readable.then_some(Some(named)).ok_or_else(unsupported)
}

fn unsupported() -> Problem {
    let detail = "send `Content-Type: application/json`, `application/x-ndjson`, `application/cloudevents+json` or \
                  `application/cloudevents-batch+json`, in UTF-8";
    Problem::new(Code::UnsupportedMediaType, detail)
}
