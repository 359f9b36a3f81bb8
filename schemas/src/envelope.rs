//! The body of a request: what surrounds the events, and each event for itself.

use uuid::Uuid;

use crate::event::Event;
use crate::field_error::{FieldCode, FieldError};
use crate::id::Game;
use crate::parse::{self, Names, Rough};
use crate::scan::{Piece, Read, ScanError, Scanned, Scanner};
use crate::text::Text;
use crate::time::Timestamp;

mod lines;

pub use lines::{BrokenLine, lines};

/// Most events of a batch.
pub const MAX_EVENTS: usize = 1_000;
/// Most characters of an `app_version`.
pub const MAX_APP_VERSION: usize = 40;

/// A batch: its own fields are sound, its events are judged one by one.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    /// The client's name for the batch.
    pub batch_id: Option<Uuid>,
    /// When the client says that it sent it.
    pub sent_at: Option<Timestamp>,
    /// The client's version.
    pub app_version: Option<Text<'a>>,
    /// Which game; none where the credential tells. It has no environment.
    pub game_id: Option<Text<'a>>,
    /// From 1 to [`MAX_EVENTS`].
    pub events: Vec<RawEvent<'a>>,
}

/// An event as it came.
#[derive(Debug)]
pub struct RawEvent<'a> {
    /// The client's bytes, whitespace and all; what the quarantine keeps.
    pub raw: &'a str,
    /// What was found in them; or why it can't be taken whatever its fields say.
    pub scanned: Result<Scanned<'a>, FieldError>,
}

/// Why a request as a whole is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct RequestError {
    /// The problem's code.
    pub code: RequestCode,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// The fields in question; pointers from the body's root.
    pub errors: Vec<FieldError>,
}

/// Codes of refused requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestCode {
    /// Not JSON: 400.
    MalformedJson,
    /// JSON, but not of the form: 400.
    MalformedBody,
    /// Too many events: 413.
    TooLarge,
}

impl RequestCode {
    /// The word in the answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::MalformedBody => "malformed_body",
            Self::TooLarge => "too_large",
        }
    }
}

/// Reads the body of a batch.
///
/// # Errors
/// When it is not JSON or not a batch; one bad event is none.
pub fn batch(body: &[u8]) -> Result<Batch<'_>, RequestError> {
    let mut scanner = Scanner::new(body)?;
    if scanner.next() != Some(b'{') {
        scanner.value()?;
        return Err(RequestError::form("", FieldCode::Type, "a batch is an object with `events`: {\"events\":[…]}"));
    }
    let (mut batch, mut seen) = (Batch::default(), Seen::default());
    scanner.object(|scanner, name| match &*scanner.bytes_of(name) {
        b"batch_id" => seen.batch_id.set(scanner.piece()?),
        b"sent_at" => seen.sent_at.set(scanner.piece()?),
        b"app_version" => seen.app_version.set(scanner.piece()?),
        b"game_id" => seen.game_id.set(scanner.piece()?),
        b"events" if scanner.next() == Some(b'[') => {
            seen.events = Some(0);
            events(scanner, &mut batch.events, &mut seen.events)
        }
        _ => scanner.value(),
    })?;
    scanner.end()?;
    if let Some(fault) = scanner.fault() {
        return Err(ScanError::Fault(fault).into());
    }
    seen.judge(batch)
}

/// Reads a bare array of events.
///
/// # Errors
/// When it is not JSON, not an array, or its length is out of bounds.
pub fn list(body: &[u8]) -> Result<Vec<RawEvent<'_>>, RequestError> {
    let mut scanner = Scanner::new(body)?;
    if scanner.next() != Some(b'[') {
        scanner.value()?;
        return Err(RequestError::form("", FieldCode::Type, "expected an array of events"));
    }
    let (mut list, mut count) = (Vec::new(), Some(0));
    events(&mut scanner, &mut list, &mut count)?;
    scanner.end()?;
    match count_error("", count) {
        Some(error) => Err(error),
        None => Ok(list),
    }
}

/// Reads a body that is one event.
///
/// # Errors
/// When it is not JSON or no object.
pub fn event(body: &[u8]) -> Result<RawEvent<'_>, RequestError> {
    let mut scanner = Scanner::new(body)?;
    let is_object = scanner.next() == Some(b'{');
    let piece = scanner.piece()?;
    scanner.end()?;
    if is_object { Ok(piece.into()) } else { Err(RequestError::form("", FieldCode::Type, "an event is a JSON object")) }
}

impl RawEvent<'_> {
    /// Judges its fields by all rules that need no context.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn judge(&self) -> Result<Event<'_>, Vec<FieldError>> {
        match &self.scanned {
            Ok(scanned) => parse::event(&scanned.text),
            Err(fault) => Err(vec![fault.clone()]),
        }
    }

    /// What can be told of it although it is refused.
    pub fn rough(&self) -> Rough {
        parse::rough(self.raw, Names::OWN)
    }
}

fn events<'a>(scanner: &mut Scanner<'a>, events: &mut Vec<RawEvent<'a>>, count: &mut Option<usize>) -> Read<()> {
    scanner.array(|scanner| {
        let piece = scanner.piece()?;
        let number = count.get_or_insert(0);
        *number += 1;
        if *number <= MAX_EVENTS {
            events.push(piece.into());
        }
        Ok(())
    })
}

/// The batch's own fields as they stand.
#[derive(Default)]
struct Seen<'a> {
    batch_id: Member<'a>,
    sent_at: Member<'a>,
    app_version: Member<'a>,
    game_id: Member<'a>,
    events: Option<usize>,
}

#[derive(Default)]
struct Member<'a>(Option<Piece<'a>>);

impl<'a> Member<'a> {
    #[expect(clippy::unnecessary_wraps, reason = "stands at the end of a match whose other arms can fail")]
    fn set(&mut self, piece: Piece<'a>) -> Read<()> {
        self.0 = Some(piece);
        Ok(())
    }

    /// Its value, if it is there and not null, as `judge` sees it.
    fn read<T>(
        self,
        name: &'static str,
        errors: &mut Vec<FieldError>,
        judge: impl FnOnce(Text<'a>) -> Result<T, (FieldCode, String)>,
    ) -> Option<T> {
        let piece = self.0.filter(|piece| piece.raw != "null")?;
        let pointer = format!("/{name}");
        if let Some(fault) = piece.fault {
            errors.push(FieldError { pointer: pointer + &fault.pointer, ..fault });
            return None;
        }
        let judged = match serde_json::from_str::<Text<'a>>(piece.raw) {
            Ok(text) => judge(text),
            Err(_) => Err((FieldCode::Type, "must be a string".to_owned())),
        };
        judged.map_err(|(code, message)| errors.push(FieldError::new(pointer, code, message))).ok()
    }
}

impl<'a> Seen<'a> {
    fn judge(self, mut batch: Batch<'a>) -> Result<Batch<'a>, RequestError> {
        let errors = &mut Vec::new();
        batch.batch_id = self.batch_id.read("batch_id", errors, |text| {
            parse::uuid(&text).ok_or_else(|| (FieldCode::Format, parse::UUID_RULE.to_owned()))
        });
        batch.sent_at = self.sent_at.read("sent_at", errors, |text| {
            Timestamp::parse(&text).ok_or_else(|| (FieldCode::Format, Timestamp::RULE.to_owned()))
        });
        batch.app_version = self.app_version.read("app_version", errors, |text| {
            let fits = text.chars().count() <= MAX_APP_VERSION;
            fits.then_some(text)
                .ok_or_else(|| (FieldCode::Length, format!("must be at most {MAX_APP_VERSION} characters")))
        });
        batch.game_id = self.game_id.read("game_id", errors, |text| {
            let sound = Game::parse(&text).is_ok() && !text.contains('@');
            sound.then_some(text).ok_or_else(|| (FieldCode::Pattern, "must be 1 to 64 of A-Z a-z 0-9 . _ -".to_owned()))
        });
        if let Some(first) = errors.first() {
            let detail = format!("{} {}", first.pointer, first.message);
            return Err(RequestError { code: RequestCode::MalformedBody, detail, errors: std::mem::take(errors) });
        }
        match count_error("/events", self.events) {
            Some(error) => Err(error),
            None => Ok(batch),
        }
    }
}

fn count_error(pointer: &str, count: Option<usize>) -> Option<RequestError> {
    match count {
        None => Some(RequestError::form(pointer, FieldCode::Required, "must be an array of 1 to 1000 events")),
        Some(0) => Some(RequestError::form(pointer, FieldCode::Length, "must hold 1 to 1000 events")),
        Some(count) if count > MAX_EVENTS => {
            let message = format!("holds {count} events; a batch holds at most {MAX_EVENTS}: split it");
            Some(RequestError {
                code: RequestCode::TooLarge,
                ..RequestError::form(pointer, FieldCode::Length, &message)
            })
        }
        Some(_) => None,
    }
}

impl RequestError {
    fn form(pointer: &str, code: FieldCode, message: &str) -> Self {
        let detail = if pointer.is_empty() { message.to_owned() } else { format!("{pointer} {message}") };
        Self { code: RequestCode::MalformedBody, detail, errors: vec![FieldError::new(pointer, code, message)] }
    }
}

impl From<Box<ScanError>> for RequestError {
    fn from(error: Box<ScanError>) -> Self {
        Self::from(*error)
    }
}

impl From<ScanError> for RequestError {
    fn from(error: ScanError) -> Self {
        let detail = error.to_string();
        match error {
            ScanError::Malformed { .. } => Self { code: RequestCode::MalformedJson, detail, errors: Vec::new() },
            ScanError::Fault(fault) => Self { code: RequestCode::MalformedBody, detail, errors: vec![fault] },
        }
    }
}

impl<'a> From<Piece<'a>> for RawEvent<'a> {
    fn from(piece: Piece<'a>) -> Self {
        let scanned = Scanned { text: piece.compact(), fingerprint: piece.fingerprint };
        Self { raw: piece.raw, scanned: piece.fault.map_or(Ok(scanned), Err) }
    }
}

#[cfg(test)]
mod tests;
