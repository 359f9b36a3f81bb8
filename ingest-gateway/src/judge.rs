//! Judges one event in the context of its request: fields, clock, scopes, registered types. Pure.

use std::borrow::Cow;

use schemas::record::quarantine::Reason;
use schemas::record::stamp::Origin;
use schemas::{Data, Event, FieldError, Timestamp, body, parse};
use uuid::Uuid;

use crate::answer::{FORBIDDEN, INVALID_FIELD};
use crate::credentials::{Credential, Scope};
use crate::submission::{Item, claims_another};
use crate::types::Types;
use crate::{close, cloudevents};

/// So far ahead of the gateway an event may be.
pub const MAX_AHEAD_MS: i64 = 5 * 60_000;
/// So far behind the gateway an event may be, without the scope `backfill`.
pub const MAX_BEHIND_MS: i64 = 31 * 24 * 3_600_000;

/// So many faults of an event are told: a small event can have thousands.
const MAX_TOLD: usize = 20;

/// What an event is judged by, beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who sent it.
    pub credential: &'a Credential,
    /// When it was received.
    pub received_at: Timestamp,
    /// When the client says that it sent it.
    pub sent_at: Option<Timestamp>,
    /// What it came as, other than a client's own JSON.
    pub origin: Option<Origin>,
    /// The types in force.
    pub types: &'a Types,
}

/// An event that may go into the log.
#[derive(Debug)]
pub struct Sound<'a> {
    /// Its id.
    pub event_id: Uuid,
    /// Its session.
    pub session_id: Uuid,
    /// The client's bytes less the whitespace between tokens.
    pub text: Cow<'a, str>,
    /// Fingerprint of its body.
    pub body: u64,
}

/// An event that may not.
#[derive(Debug)]
pub struct Refused {
    /// Its id, where it has a sound one.
    pub event_id: Option<Uuid>,
    /// Session and seq, where both are sound and the refusal leaves a hole.
    pub hole: Option<(Uuid, u64)>,
    /// Why, for the quarantine.
    pub reason: Reason,
    /// Why, for the client.
    pub code: &'static str,
    /// What is wrong, in the names that the client used.
    pub errors: Vec<FieldError>,
}

/// Judges an event.
///
/// # Errors
/// What is wrong with it.
pub fn judge<'a>(item: &'a Item<'_>, context: Context<'_>) -> Result<Sound<'a>, Refused> {
    let text = match &item.text {
        Ok(text) => text,
        Err(errors) => return Err(invalid(&item.raw, errors.clone(), context.origin)),
    };
    if claims_another(text, context.credential) {
        return Err(forbidden(text, "", "claims a tenant or game that is not this credential's"));
    }
    if !context.credential.speaks_for_player_of(text) {
        return Err(forbidden(text, player_pointer(context.origin), "is not the player that this token is for"));
    }
    let event = parse::stamped(text, context.origin).map_err(|errors| invalid(text, errors, context.origin))?;
    if event.is_evidence() && !context.credential.may(Scope::Evidence) {
        return Err(forbidden(text, "/event_type", "evidence.recorded needs a credential with the scope `evidence`"));
    }
    let mut errors: Vec<FieldError> = clock_fault(&event, context).into_iter().collect();
    if event.data == Data::Custom {
        errors.extend(context.types.judge(&context.credential.tenant, &event, text).err().unwrap_or_default());
    }
    if !errors.is_empty() {
        return Err(invalid(text, errors, context.origin));
    }
    Ok(Sound {
        event_id: event.event_id,
        session_id: event.session_id,
        body: body::fingerprint(text),
        text: Cow::Borrowed(text),
    })
}

/// What is wrong with the client's clock. The time between the client's sending and our receiving is
/// taken as the clock's error, where the client says when it sent.
fn clock_fault(event: &Event<'_>, context: Context<'_>) -> Option<FieldError> {
    let here = context.sent_at.unwrap_or(context.received_at).ms();
    let ahead = event.timestamp?.ms() - here;
    let fault = |message| Some(FieldError::new("/timestamp", "range", message));
    if ahead > MAX_AHEAD_MS {
        return fault("lies more than 5 minutes in the future, also when sent_at is taken for now");
    }
    if -ahead > MAX_BEHIND_MS && !context.credential.may(Scope::Backfill) {
        return fault("lies more than 31 days in the past; older events need a credential with the scope `backfill`");
    }
    None
}

fn invalid(text: &str, mut errors: Vec<FieldError>, origin: Option<Origin>) -> Refused {
    let rough = parse::rough(text);
    errors.truncate(MAX_TOLD);
    for error in &mut errors {
        match origin {
            Some(Origin::CloudEvent) => error.pointer = cloudevents::pointer(&error.pointer),
            Some(Origin::Close) => error.pointer = close::pointer(&error.pointer),
            None => {}
        }
    }
    Refused {
        event_id: rough.event_id,
        hole: rough.session_id.zip(rough.seq),
        reason: Reason::Invalid,
        code: INVALID_FIELD,
        errors,
    }
}

fn player_pointer(origin: Option<Origin>) -> &'static str {
    if origin == Some(Origin::CloudEvent) { "/subject" } else { "/player_id" }
}

fn forbidden(text: &str, pointer: &str, message: &str) -> Refused {
    Refused {
        event_id: parse::rough(text).event_id,
        hole: None,
        reason: Reason::Forbidden,
        code: FORBIDDEN,
        errors: vec![FieldError::new(pointer, FORBIDDEN, message)],
    }
}
