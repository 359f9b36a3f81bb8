//! One request's events on their way to the log: judge, know duplicates, append, wait, answer.

use std::sync::Arc;

use eventlog::NewRecord;
use schemas::body;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Origin;
use tokio::sync::watch;
use uuid::Uuid;

use crate::access::Noted;
use crate::answer::{Answer, EventCode, Outcome, Status};
use crate::carried::Carried;
use crate::carry::{self, Cargo, Fate, Slot, carry};
use crate::claims::Claims;
use crate::dedup::{Claim, Settled};
use crate::dry;
use crate::gateway::{Flight, Gateway};
use crate::judge::{Context, Refused, Sound, judge};
use crate::limits::meter::Meter;
use crate::limits::standing::Refusal;
use crate::outcomes::{Counts, Fate as Told};
use crate::problem::Problem;
use crate::publish::{Facts, Publisher};
use crate::submission::Item;

/// How a request wants to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Judge and keep nothing.
    pub dry_run: bool,
    /// Tell of every event.
    pub tell_all: bool,
}

/// Takes a request's events in; notes what became of them.
///
/// # Errors
/// When the log did not acknowledge everything, or when no event went through.
pub async fn ingest(
    gateway: &Arc<Gateway>,
    facts: Facts,
    items: &[Item<'_>],
    manner: Manner,
    meter: &Meter,
    noted: &Noted,
) -> Result<Answer, Problem> {
    let types = gateway.types.types();
    let context = Context {
        credential: &facts.credential,
        game: &facts.game,
        received_at: facts.received_at,
        sent_at: facts.sent_at,
        origin: facts.origin,
        types: &types,
    };
    let verdicts: Vec<_> = items.iter().map(|item| judge(item, context)).collect();
    let players = verdicts.iter().flatten().map(|sound| sound.player).collect();
    if let Err(refusal) = gateway.limits.brings(&facts.credential, meter, items.len(), players) {
        return Err(shed(gateway, &facts, items.len(), manner, noted, refusal));
    }
    let (request_id, received_at) = (Arc::clone(&facts.request_id), facts.received_at);
    if manner.dry_run {
        let outcomes = dry::outcomes(gateway, &facts, verdicts);
        let answer = Answer { dry_run: true, ..Answer::new(request_id, received_at, outcomes, manner.tell_all) };
        return answer.judged();
    }
    let cargo = load(gateway, facts, items, verdicts)?;
    let (records, bytes) = cargo.set_aside(&gateway.link()?.targets.quarantine);
    if let Err(refusal) = gateway.limits.sets_aside(&cargo.facts.credential, meter, records, bytes) {
        // Nothing of it was produced: who waits for the same events has to send them again.
        cargo.claims.settle(Settled::NotKept);
        return Err(shed(gateway, &cargo.facts, items.len(), manner, noted, refusal));
    }
    // What has been claimed is carried to its end, though the client may have gone.
    let (counts, outcomes) = Carried::new(carry(Arc::clone(gateway), cargo), &gateway.work).await;
    noted.ended(counts);
    Answer::new(request_id, received_at, outcomes?, manner.tell_all).judged()
}

/// A request that is over a limit, its body split already: none of its events is taken.
fn shed(gateway: &Gateway, facts: &Facts, events: usize, manner: Manner, noted: &Noted, refusal: Refusal) -> Problem {
    if !manner.dry_run {
        let counts = Counts::of(Told::Shed, events as u64);
        gateway.tally.add(&facts.credential.tenant, &facts.game, facts.received_at, &counts);
        gateway.measured.events(Told::Shed, events as u64);
        noted.ended(counts);
    }
    refusal.into()
}

/// Claims the sound events and makes the records of all. Nothing here waits: what is claimed is always carried.
fn load(
    gateway: &Arc<Gateway>,
    facts: Facts,
    items: &[Item<'_>],
    verdicts: Vec<Result<Sound<'_>, Refused>>,
) -> Result<Cargo, Problem> {
    let link = gateway.link()?;
    let (tell, flight) = watch::channel(None);
    let mut claims = Claims::new(Arc::clone(gateway), tell);
    let bytes = verdicts.iter().flatten().map(|sound| sound.text.len()).sum();
    let claimed = claim(gateway, &facts, verdicts, &flight, &mut claims);
    let mut publisher = Publisher::new(&facts, &link.targets, items.len(), bytes);
    let mut slots = Vec::with_capacity(items.len());
    let mut records: Vec<NewRecord> = Vec::with_capacity(items.len());
    for (item, claimed) in items.iter().zip(claimed) {
        let (sound, seen) = match claimed {
            Ok(claimed) => claimed,
            Err(refused) => {
                records.push(publisher.quarantined(
                    refused.event_id,
                    item.raw.bytes(),
                    refused.reason,
                    refused.errors.clone(),
                ));
                records.extend(refused.hole.map(|(session, seq)| publisher.hole(session, seq, refused.reason)));
                slots.push(Slot::refused(refused));
                continue;
            }
        };
        let fate = match seen {
            Claim::Fresh => {
                let fingerprint = body::to_header(sound.body);
                records.push(publisher.event(sound.event_id, sound.session_id, &sound.text, &fingerprint));
                Fate::Appended
            }
            Claim::Known { same_body: true } => Fate::Known,
            Claim::InFlight { same_body: true, flight } => Fate::Follows(flight),
            Claim::Known { same_body: false } | Claim::Doubtful => {
                records.push(conflicting(&publisher, sound.event_id, item));
                Fate::Conflicts
            }
            Claim::InFlight { same_body: false, flight } => {
                let record = conflicting(&publisher, sound.event_id, item);
                Fate::ConflictsIfKept(flight, Box::new(record))
            }
        };
        slots.push(Slot::sound(sound.event_id, fate));
    }
    drop(publisher);
    carry::tell_hits(&slots);
    Ok(Cargo { facts, slots, records, claims })
}

/// Claims the sound events, in one go; says of each what it turned out to be.
fn claim<'a>(
    gateway: &Gateway,
    facts: &Facts,
    verdicts: Vec<Result<Sound<'a>, Refused>>,
    flight: &Flight,
    claims: &mut Claims,
) -> Vec<Result<(Sound<'a>, Claim<Flight>), Refused>> {
    // A session that is closed again is closed the same way, whatever the second body says.
    let any_body = facts.origin == Some(Origin::Close);
    let tenant = facts.credential.tenant.as_str();
    let mut window = gateway.window.lock();
    let mut claim = |sound: Sound<'a>| {
        let key = window.key(tenant, sound.event_id);
        let seen = if any_body {
            window.claim_any_body(key, sound.body, flight)
        } else {
            window.claim(key, sound.body, flight)
        };
        if matches!(seen, Claim::Fresh) {
            claims.add(key);
        }
        (sound, seen)
    };
    verdicts.into_iter().map(|verdict| verdict.map(&mut claim)).collect()
}

fn conflicting(publisher: &Publisher<'_>, event_id: Uuid, item: &Item<'_>) -> NewRecord {
    publisher.quarantined(Some(event_id), item.raw.bytes(), Reason::Conflict, Vec::new())
}

/// What a client is told of a refused event.
pub(crate) fn rejected(index: usize, refused: Refused) -> Outcome {
    Outcome {
        index,
        event_id: refused.event_id,
        status: Status::Rejected,
        code: Some(refused.code),
        errors: refused.errors,
    }
}

/// What a client is told of an event that breaks no rule.
pub(crate) fn told(index: usize, event_id: Uuid, status: Status) -> Outcome {
    let code = (status == Status::Conflict).then_some(EventCode::Conflict);
    Outcome { index, event_id: Some(event_id), status, code, errors: Vec::new() }
}
