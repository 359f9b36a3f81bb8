//! Carries a request's records into the log and learns what became of each of its events.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use eventlog::{AppendError, NewRecord};
use uuid::Uuid;

use crate::answer::{Outcome, Status};
use crate::append;
use crate::claims::Claims;
use crate::dedup::Settled;
use crate::gateway::{Flight, Gateway, Link};
use crate::ingest::{rejected, told};
use crate::judge::Refused;
use crate::metrics;
use crate::outcomes::{self, Counts};
use crate::problem::{Code, Problem};
use crate::publish::{Facts, Target};

/// A request's events, judged and claimed.
pub struct Cargo {
    /// What is the same for all of them.
    pub facts: Facts,
    /// One an event, in the batch's order.
    pub slots: Vec<Slot>,
    /// What goes into the log in any case.
    pub records: Vec<NewRecord>,
    /// The events among them that are this request's to append.
    pub claims: Claims,
}

/// One event's place.
pub struct Slot(Result<(Uuid, Fate), Refused>);

/// What becomes of a sound event.
pub enum Fate {
    /// This request appends it.
    Appended,
    /// The log has it already.
    Known,
    /// Another request, or an earlier place of this one, is appending it.
    Follows(Flight),
    /// The log has another body under its id; the quarantine's record goes along.
    Conflicts,
    /// It conflicts if that ends well; this is its record for the quarantine.
    ConflictsIfKept(Flight, Box<NewRecord>),
}

impl Cargo {
    /// How many records it brings, or may bring, to a topic that is the quarantine, and their bytes.
    pub fn set_aside(&self, quarantine: &Target) -> (usize, usize) {
        let late = self.slots.iter().filter_map(|Slot(slot)| match slot {
            Ok((_, Fate::ConflictsIfKept(_, record))) => Some(&**record),
            _ => None,
        });
        let all = self.records.iter().filter(|record| record.partition.topic == quarantine.name).chain(late);
        all.fold((0, 0), |(records, bytes), record| (records + 1, bytes + record.value.as_ref().map_or(0, Bytes::len)))
    }
}

impl Slot {
    /// A refused event's.
    pub fn refused(refused: Refused) -> Self {
        Self(Err(refused))
    }

    /// A sound event's.
    pub fn sound(event_id: Uuid, fate: Fate) -> Self {
        Self(Ok((event_id, fate)))
    }
}

/// Measures how many sound events had an id that was known.
pub fn tell_hits(slots: &[Slot]) {
    let (mut known, mut in_flight, mut other_body) = (0, 0, 0);
    for Slot(slot) in slots {
        match slot {
            Ok((_, Fate::Known)) => known += 1,
            Ok((_, Fate::Follows(_))) => in_flight += 1,
            Ok((_, Fate::Conflicts | Fate::ConflictsIfKept(..))) => other_body += 1,
            Ok((_, Fate::Appended)) | Err(_) => {}
        }
    }
    for (kind, count) in [("known", known), ("in_flight", in_flight), ("other_body", other_body)] {
        if count > 0 {
            metrics::dedup_hits(kind, count);
        }
    }
}

/// Appends, waits for everything that the answer rests on, and counts.
///
/// # Errors
/// Within: when the log did not acknowledge all of it: the client must send the same events again.
pub async fn carry(gateway: Arc<Gateway>, cargo: Cargo) -> (Counts, Result<Vec<Outcome>, Problem>) {
    let Cargo { facts, mut slots, records, claims } = cargo;
    let link = match gateway.link() {
        Ok(link) => link,
        Err(problem) => return (Counts::default(), Err(problem)),
    };
    let kept = append(&gateway, link, records).await;
    claims.settle(match &kept {
        Ok(()) => Settled::Kept,
        Err(AppendError::Unknown(_)) => Settled::Unknown,
        Err(_) => Settled::NotKept,
    });
    let failure = match &kept {
        Err(error) => Some(Failure::Log(error.clone())),
        Ok(()) => match wait_for_others(&mut slots).await {
            Ok(records) => append(&gateway, link, records).await.err().map(Failure::Log),
            Err(Lost) => Some(Failure::Others),
        },
    };
    let counts = count(&slots, kept.as_ref().err(), failure.is_none());
    gateway.tally.add(&facts.credential.tenant, &facts.game, facts.received_at, &counts);
    for (fate, count) in counts.iter() {
        gateway.measured.events(fate, count);
    }
    let told = match failure {
        None => Ok(slots.into_iter().enumerate().map(|(index, slot)| outcome(index, slot)).collect()),
        Some(failure) => Err(problem(&facts, &failure)),
    };
    (counts, told)
}

/// Why a request's answer can't be given.
enum Failure {
    /// The log did not acknowledge what this request appended, first or after others.
    Log(AppendError),
    /// What others were to append did not reach the log, or nobody knows.
    Others,
}

/// What others were to append did not reach the log, or nobody knows.
struct Lost;

/// Waits for those who append what this request brought too; gives the records of those that conflict.
async fn wait_for_others(slots: &mut [Slot]) -> Result<Vec<NewRecord>, Lost> {
    let mut conflicts = Vec::new();
    for Slot(slot) in slots {
        let Ok((_, fate)) = slot else { continue };
        let (Fate::Follows(flight) | Fate::ConflictsIfKept(flight, _)) = fate else { continue };
        // An error means that whoever appended it is gone without a word.
        let kept = flight.wait_for(Option::is_some).await.is_ok_and(|settled| *settled == Some(Settled::Kept));
        if !kept {
            return Err(Lost);
        }
        *fate = match std::mem::replace(fate, Fate::Known) {
            Fate::ConflictsIfKept(_, record) => {
                conflicts.push(*record);
                Fate::Conflicts
            }
            _ => Fate::Known,
        };
    }
    Ok(conflicts)
}

/// Appends records and waits until all of them are kept; measures it.
async fn append(gateway: &Gateway, link: &Link, records: Vec<NewRecord>) -> Result<(), AppendError> {
    if records.is_empty() {
        return Ok(());
    }
    let began = Instant::now();
    let kept = append::kept(gateway, link, records, link.deadline).await;
    match &kept {
        Ok(()) => gateway.measured.appended(began.elapsed()),
        Err(error) => {
            append::failed(gateway, error);
            metrics::append_failed(match error {
                AppendError::Full => "full",
                AppendError::Unavailable(_) => "unavailable",
                AppendError::Unknown(_) => "unknown",
                AppendError::Refused(_) => "refused",
            });
        }
    }
    kept
}

/// Each event has exactly one outcome, also where the request failed.
fn count(slots: &[Slot], failure: Option<&AppendError>, late_kept: bool) -> Counts {
    use outcomes::Fate as Told;
    let mut counts = Counts::default();
    for Slot(slot) in slots {
        let told = match (slot, failure) {
            (Ok((_, Fate::Appended)), Some(AppendError::Unknown(_))) => Told::Unknown,
            (Ok((_, Fate::Appended)), None) => Told::Accepted,
            (Ok((_, Fate::Known)), None) => Told::Duplicate,
            // Which of the conflicts were to be quarantined late is not told apart: if that failed, all are sent again.
            (Ok((_, Fate::Conflicts)), None) if late_kept => Told::Conflict,
            (Err(_), None) => Told::Rejected,
            _ => Told::Shed,
        };
        counts.add(told, 1);
    }
    counts
}

fn outcome(index: usize, Slot(slot): Slot) -> Outcome {
    match slot {
        Err(refused) => rejected(index, refused),
        Ok((event_id, Fate::Appended)) => told(index, event_id, Status::Accepted),
        Ok((event_id, Fate::Conflicts | Fate::ConflictsIfKept(..))) => told(index, event_id, Status::Conflict),
        Ok((event_id, Fate::Known | Fate::Follows(_))) => told(index, event_id, Status::Duplicate),
    }
}

/// Why a request got no answer is told where the log fails, once; here only what its sender can't help.
fn problem(facts: &Facts, failure: &Failure) -> Problem {
    let request_id = &*facts.request_id;
    match failure {
        Failure::Log(AppendError::Full) => {
            Problem::new(Code::Overloaded, "the gateway is overloaded; send the same events again")
        }
        Failure::Log(error @ AppendError::Refused(_)) => {
            tracing::error!(request_id, %error, "the log will never take a request's records");
            Problem::internal()
        }
        failure => {
            let words = match failure {
                Failure::Log(error) => error.to_string(),
                Failure::Others => "another request's append of the same events".into(),
            };
            tracing::debug!(request_id, error = words, "the log did not acknowledge a request's events");
            Problem::new(
                Code::LogUnavailable,
                "the log did not acknowledge the events in time; send the same events again, under the same event_ids",
            )
        }
    }
}
