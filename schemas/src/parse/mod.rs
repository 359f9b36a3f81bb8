//! An event's JSON to a judged [`Event`]: every rule of its fields that needs no context.
//!
//! What needs context is the gateway's: clocks, scopes, tenant and game, whether a type outside of
//! the catalogue is registered and what its schema says.

pub(crate) mod catalogue;
pub(crate) mod field;
mod found;
mod loose;
mod members;
mod read;
mod rough;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::data::Data;
use crate::event::{Event, MAX_INTEGER};
use crate::field_error::{FieldCode, FieldError};
use crate::id::PlayerId;
use crate::record::stamp::Origin;
use crate::text::Text;
use crate::time::Timestamp;
use found::Found;
use members::Members;

pub use loose::each_member;
pub use rough::{Names, Rough, rough};

/// Most bytes of `data`, less whitespace between tokens: 10 KB.
pub const MAX_DATA_BYTES: usize = 10 << 10;
/// Most bytes of an event as a whole, less whitespace between tokens: 32 KB, so that unknown members beside `data` are bounded too.
pub const MAX_EVENT_BYTES: usize = 32 << 10;
/// Most characters of an event type.
pub const MAX_EVENT_TYPE: usize = 100;
/// The rule of ids that are UUIDs, in words.
pub const UUID_RULE: &str = "must be a hyphenated UUID (RFC 9562), neither nil nor max";
/// The rule of event types, in words.
pub const EVENT_TYPE_RULE: &str = "must be lower-case words joined by dots, such as task.started";

/// Judges a client's event. `json` is compact: what [`crate::scan`] makes of the client's bytes.
///
/// # Errors
/// All that is wrong with it, at once.
pub fn event(json: &str) -> Result<Event<'_>, Vec<FieldError>> {
    stamped(json, None)
}

/// Judges an event of play.events: as [`event`], but a `session.closed` that the close call wrote needs no timestamp.
///
/// # Errors
/// All that is wrong with it, at once.
pub fn stamped(json: &str, origin: Option<Origin>) -> Result<Event<'_>, Vec<FieldError>> {
    if json.len() > MAX_EVENT_BYTES {
        let message = format!("an event has at most {MAX_EVENT_BYTES} bytes");
        return Err(vec![FieldError::new("", FieldCode::TooLarge, message)]);
    }
    let members = Members::read(json).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    match judge(members, origin == Some(Origin::Close), &mut errors) {
        Some(event) if errors.is_empty() => Ok(event),
        _ => Err(errors),
    }
}

/// A UUID that may be an id: hyphenated, in any case, neither nil nor max.
pub fn uuid(text: &str) -> Option<Uuid> {
    // Of all the forms that the uuid crate reads only the hyphenated one is so long.
    let uuid = if text.len() == 36 { Uuid::try_parse(text).ok()? } else { return None };
    (!uuid.is_nil() && !uuid.is_max()).then_some(uuid)
}

/// Whether a name has the form of an event type: `^[a-z]+(\.[a-z_]+)+$`, at most 100 characters.
pub fn is_event_type(name: &str) -> bool {
    let mut words = name.split('.');
    let first = words.next().is_some_and(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
    let mut more = 0;
    let rest = words.all(|word| {
        more += 1;
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    });
    first && rest && more > 0 && name.len() <= MAX_EVENT_TYPE
}

/// None only with errors.
fn judge<'a>(members: Members<'a>, may_lack_time: bool, errors: &mut Vec<FieldError>) -> Option<Event<'a>> {
    let event_id = id(members.event_id, "/event_id", errors);
    let session_id = id(members.session_id, "/session_id", errors);
    let player_id = required(members.player_id, "/player_id", errors).and_then(|text| {
        PlayerId::parse(text).map_err(|_| fault(errors, "/player_id", FieldCode::Pattern, PlayerId::RULE)).ok()
    });
    let seq = seq(members.seq, errors);
    let event_type = required(members.event_type, "/event_type", errors).and_then(|name| event_type(name, errors));
    let is_close = event_type.as_ref().is_some_and(|name| &**name == "session.closed");
    let timestamp = if matches!(members.timestamp, None | Some(Found::Null)) && is_close && may_lack_time {
        Some(None)
    } else {
        required(members.timestamp, "/timestamp", errors).and_then(|text| {
            let time = Timestamp::parse(&text);
            time.is_none().then(|| fault(errors, "/timestamp", FieldCode::Format, Timestamp::RULE));
            time.map(Some)
        })
    };
    // The type decides what data may be; where it is unsound nothing can be said of data but its size.
    let data = data(event_type.as_deref(), members.data, errors);
    Some(Event {
        event_id: event_id?,
        session_id: session_id?,
        player_id: player_id?,
        seq,
        event_type: event_type?,
        timestamp: timestamp?,
        data: data?,
    })
}

fn id(found: Option<Found<'_>>, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Uuid> {
    let text = required(found, pointer, errors)?;
    let id = uuid(&text);
    if id.is_none() {
        fault(errors, pointer, FieldCode::Format, UUID_RULE);
    }
    id
}

fn seq(found: Option<Found<'_>>, errors: &mut Vec<FieldError>) -> Option<u64> {
    let found = found.filter(|found| !matches!(found, Found::Null))?;
    match found.integer() {
        None => fault(errors, "/seq", FieldCode::Type, "must be an integer"),
        Some(value) => match u64::try_from(value) {
            Ok(seq) if seq <= MAX_INTEGER => return Some(seq),
            _ => fault(errors, "/seq", FieldCode::Range, "must be from 0 to 9007199254740991"),
        },
    }
    None
}

fn event_type<'a>(name: Text<'a>, errors: &mut Vec<FieldError>) -> Option<Text<'a>> {
    if name.chars().count() > MAX_EVENT_TYPE {
        fault(errors, "/event_type", FieldCode::Length, "must be at most 100 characters");
    } else if !is_event_type(&name) {
        fault(errors, "/event_type", FieldCode::Pattern, EVENT_TYPE_RULE);
    } else {
        return Some(name);
    }
    None
}

fn data<'a>(name: Option<&str>, raw: Option<&'a RawValue>, errors: &mut Vec<FieldError>) -> Option<Data<'a>> {
    let json = match raw.map(RawValue::get) {
        None | Some("null") => "{}",
        Some(json) if !json.starts_with('{') => {
            fault(errors, "/data", FieldCode::Type, "must be an object");
            return None;
        }
        Some(json) if json.len() > MAX_DATA_BYTES => {
            fault(errors, "/data", FieldCode::TooLarge, "must be at most 10 KB");
            return None;
        }
        Some(json) => json,
    };
    match catalogue::entry(name?) {
        Some(entry) => entry.read(json, errors),
        None => Some(Data::Custom),
    }
}

fn required<'a>(found: Option<Found<'a>>, pointer: &str, errors: &mut Vec<FieldError>) -> Option<Text<'a>> {
    match found {
        Some(Found::Text(text)) => return Some(text),
        None | Some(Found::Null) => fault(errors, pointer, FieldCode::Required, "is required"),
        Some(_) => fault(errors, pointer, FieldCode::Type, "must be a string"),
    }
    None
}

fn fault(errors: &mut Vec<FieldError>, pointer: &str, code: FieldCode, message: &str) {
    errors.push(FieldError::new(pointer, code, message));
}

#[cfg(test)]
mod tests;
