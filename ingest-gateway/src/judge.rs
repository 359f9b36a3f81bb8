//! Judges one event in the context of its request: fields, clock, scopes, registered types. Pure.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use schemas::event::EVIDENCE;
use schemas::parse::{Names, Rough};
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Origin;
use schemas::scan::Scanned;
use schemas::{Data, Event, FieldCode, FieldError, Game, Timestamp, parse};
use uuid::Uuid;

use crate::answer::EventCode;
use crate::credentials::{Credential, Scope};
use crate::submission::Item;
use crate::types::Types;
use crate::{close, cloudevents, whose};

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
    /// Which of the credential's games the request is about.
    pub game: &'a Game,
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
    /// Stands for its player where limits are counted.
    pub player: u64,
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
    pub code: EventCode,
    /// What is wrong, in the names that the client used.
    pub errors: Vec<FieldError>,
}

/// Why an event is refused.
enum Fault {
    /// What is wrong with its fields, in our names.
    Fields(Vec<FieldError>),
    /// It could not be translated; what is wrong, in its client's names.
    Form(Vec<FieldError>),
    /// The credential does not allow it: where, and why.
    Forbidden(&'static str, &'static str),
}

const EVIDENCE_NEEDS: Fault =
    Fault::Forbidden("/event_type", "evidence.recorded needs a credential with the scope `evidence`");

/// Judges an event.
///
/// # Errors
/// What is wrong with it.
pub fn judge<'a>(item: &'a Item<'_>, context: Context<'_>) -> Result<Sound<'a>, Refused> {
    sound(item, context).map_err(|fault| refused(&rough(item, context.origin), fault, context))
}

fn sound<'a>(item: &'a Item<'_>, context: Context<'_>) -> Result<Sound<'a>, Fault> {
    let claims = match context.origin {
        Some(Origin::CloudEvent) => whose::OF_CLOUDEVENTS,
        Some(Origin::Close) | None => whose::OF_EVENTS,
    };
    if whose::claims_another(item.raw.json(), claims, &context.credential.tenant, context.game) {
        return Err(Fault::Forbidden("", "claims a tenant or game that is not this request's"));
    }
    let Scanned { text, fingerprint } = item.scanned.as_ref().map_err(|errors| Fault::Form(errors.clone()))?;
    if !context.credential.speaks_for_player_of(text) {
        return Err(Fault::Forbidden("/player_id", "is not the player that this token is for"));
    }
    let event = parse::stamped(text, context.origin).map_err(Fault::Fields)?;
    if event.is_evidence() && !context.credential.may(Scope::Evidence) {
        return Err(EVIDENCE_NEEDS);
    }
    let mut errors: Vec<FieldError> = clock_fault(&event, context).into_iter().collect();
    if event.data == Data::Custom {
        errors.extend(context.types.judge(&context.credential.tenant, &event, text).err().unwrap_or_default());
    }
    if !errors.is_empty() {
        return Err(Fault::Fields(errors));
    }
    Ok(Sound {
        event_id: event.event_id,
        session_id: event.session_id,
        body: *fingerprint,
        player: short(event.player_id.as_str()),
        text: Cow::Borrowed(text),
    })
}

fn short(player: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    player.hash(&mut hasher);
    hasher.finish()
}

/// What is wrong with the client's clock. The time between the client's sending and our receiving is
/// taken as the clock's error, where the client says when it sent.
fn clock_fault(event: &Event<'_>, context: Context<'_>) -> Option<FieldError> {
    let here = context.sent_at.unwrap_or(context.received_at).ms();
    let ahead = event.timestamp?.ms() - here;
    let fault = |message| Some(FieldError::new("/timestamp", FieldCode::Range, message));
    if ahead > MAX_AHEAD_MS {
        return fault("lies more than 5 minutes in the future, also when sent_at is taken for now");
    }
    if -ahead > MAX_BEHIND_MS && !context.credential.may(Scope::Backfill) {
        return fault("lies more than 31 days in the past; older events need a credential with the scope `backfill`");
    }
    None
}

/// What can be told of an event although it is refused.
fn rough(item: &Item<'_>, origin: Option<Origin>) -> Rough {
    match (origin, &item.scanned) {
        (Some(Origin::CloudEvent), _) => parse::rough(item.raw.json(), cloudevents::NAMES),
        // Its client's body says neither which event it makes nor of which session.
        (Some(Origin::Close), Ok(scanned)) => parse::rough(&scanned.text, Names::OWN),
        (Some(Origin::Close) | None, _) => parse::rough(item.raw.json(), Names::OWN),
    }
}

fn refused(rough: &Rough, fault: Fault, context: Context<'_>) -> Refused {
    // What the credential does not allow is refused for that, whatever else is wrong with it.
    let is_evidence = rough.event_type.as_deref() == Some(EVIDENCE);
    let fault = match fault {
        Fault::Fields(_) | Fault::Form(_) if is_evidence && !context.credential.may(Scope::Evidence) => EVIDENCE_NEEDS,
        fault => fault,
    };
    let in_the_clients_names = |pointer: &str| match context.origin {
        Some(Origin::CloudEvent) => cloudevents::pointer(pointer),
        Some(Origin::Close) => close::pointer(pointer),
        None => pointer.to_owned(),
    };
    let (reason, code, mut errors) = match fault {
        Fault::Forbidden(pointer, message) => {
            let error = FieldError::new(in_the_clients_names(pointer), FieldCode::Forbidden, message);
            (Reason::Forbidden, EventCode::Forbidden, vec![error])
        }
        Fault::Form(errors) => (Reason::Invalid, EventCode::InvalidField, errors),
        Fault::Fields(mut errors) => {
            for error in &mut errors {
                error.pointer = in_the_clients_names(&error.pointer);
            }
            (Reason::Invalid, EventCode::InvalidField, errors)
        }
    };
    errors.truncate(MAX_TOLD);
    let hole = rough.session_id.zip(rough.seq).filter(|_| reason == Reason::Invalid);
    Refused { event_id: rough.event_id, hole, reason, code, errors }
}
