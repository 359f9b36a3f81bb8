//! From records to row changes. Pure: what the tables hold comes in as [`Known`].
//!
//! Changes are collapsed by key, in the order of their keys, so that each row is touched once and
//! projectors that share a table take their locks in the same order.

mod changes;
mod days;
mod horizons;
mod known;
mod players;
mod reports;
mod tasks;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, btree_map::Entry as Place};

use schemas::Timestamp;
use schemas::record::activity::Activity;
use schemas::record::live::Live;
use schemas::record::outcome::Told as OutcomeTold;
use schemas::record::quarantine::Reason;
use schemas::report::Report;
use uuid::Uuid;

pub use changes::{
    Changes, Count, DayChange, EvidenceRow, PlayerChange, Positioned, Refusal, SecondLife, SessionRow, TaskRow,
};
pub use days::{Before, PlayerDay, PlayerDays, Settled, Totals};
pub use horizons::{Horizons, Skipped};
pub use known::{Known, KnownSession, KnownTask, Share};
pub use tasks::{SUMS, TaskGrowth, taken_back};

use crate::decode::Told;
use crate::load::Slice;

/// Tenant and session.
pub type SessionKey<'a> = (&'a str, Uuid);

/// What becomes of the tables by these records.
pub fn project<'a>(slices: &'a [Slice], known: &'a Known) -> Changes<'a> {
    let mut changes = Changes::default();
    let mut newest = reports::Newest::new(known);
    let mut live: BTreeMap<SessionKey<'a>, Option<&'a Live>> = BTreeMap::new();
    let mut counts = Counts::default();
    let mut seconds = SecondLives::default();
    for slice in slices {
        let partition = i64::from(slice.partition.partition);
        for entry in &slice.entries {
            // A newer revision of what has a row is applied as ever: the row goes with the next removal.
            if let Some(model) = known.horizons().passed(&entry.told).filter(|_| !newest.continues(&entry.told)) {
                changes.skipped[model as usize] += 1;
                if let Told::Live(snapshot) = &entry.told {
                    live.insert((snapshot.tenant.as_str(), snapshot.session), None);
                }
                continue;
            }
            let offset = entry.record.offset;
            let mut refuse = |reason, why: String| {
                changes.refused.push(Refusal { partition: &slice.partition, entry, reason, why });
            };
            match &entry.told {
                Told::Report(report) => {
                    if let Err(kept) = newest.take(report) {
                        let second = SecondLife { report, kept, partition, offset };
                        refuse(Reason::SecondLife, second.why());
                        seconds.add(second);
                    }
                }
                Told::Poison(why) => refuse(Reason::Poison, why.clone()),
                Told::Live(snapshot) => {
                    live.insert((snapshot.tenant.as_str(), snapshot.session), Some(snapshot));
                }
                Told::LiveEnded { tenant, session } => {
                    live.insert((tenant.as_str(), *session), None);
                }
                Told::Activity(activity) => counts.add_activity(activity),
                Told::Outcome(outcome) => {
                    if let OutcomeTold::Counts { tenant, game, minute, outcomes } = &outcome.told {
                        for (word, events) in outcomes {
                            add(&mut counts.outcomes, (tenant.as_str(), game.as_str(), *minute, word.clone()), *events);
                        }
                    }
                }
                Told::SetAside(row) => changes.quarantine.push(Positioned { partition, offset, row }),
                Told::Event(row) => changes.events.push(Positioned { partition, offset, row }),
                Told::Nothing => {}
            }
        }
    }
    newest.into_changes(&mut changes);
    changes.second_lives = seconds.0.into_values().collect();
    for (key, snapshot) in live {
        match snapshot {
            Some(snapshot) => changes.live.push(snapshot),
            None => changes.live_ended.push(key),
        }
    }
    counts.into_changes(&mut changes);
    changes
}

/// Session and where its life began → the newest report of that life.
#[derive(Default)]
struct SecondLives<'a>(BTreeMap<(SessionKey<'a>, i32, i64), SecondLife<'a>>);

impl<'a> SecondLives<'a> {
    fn add(&mut self, second: SecondLife<'a>) {
        let Report { tenant, session, provenance, revision, .. } = second.report;
        let key = ((tenant.as_str(), *session), provenance.partition, provenance.first_offset);
        let newest = self.0.entry(key).or_insert(second);
        if newest.report.revision < *revision {
            *newest = second;
        }
    }
}

/// Tenant, game, minute and word → how many more.
type ByMinute<'a> = BTreeMap<(&'a str, &'a str, Timestamp, String), u64>;

#[derive(Default)]
struct Counts<'a> {
    activity: ByMinute<'a>,
    worker: ByMinute<'a>,
    outcomes: ByMinute<'a>,
}

impl<'a> Counts<'a> {
    fn add_activity(&mut self, activity: &'a Activity) {
        let key = |word: String| (activity.tenant.as_str(), activity.game.as_str(), activity.minute, word);
        let mut applied = 0_u64;
        for (event_type, events) in &activity.applied {
            add(&mut self.activity, key(crate::jsonb::plain(event_type).into_owned()), *events);
            applied = applied.saturating_add(*events);
        }
        add(&mut self.worker, key("applied".to_owned()), applied);
        add(&mut self.worker, key("repeat".to_owned()), activity.repeats);
        add(&mut self.worker, key("hole".to_owned()), activity.holes);
        for (reason, events) in &activity.set_aside {
            add(&mut self.worker, key(format!("set_aside/{}", crate::jsonb::plain(reason))), *events);
        }
    }

    fn into_changes(self, changes: &mut Changes<'a>) {
        changes.activity = rows(self.activity);
        changes.worker_outcomes = rows(self.worker);
        changes.outcomes = rows(self.outcomes);
    }
}

fn add<'a>(counts: &mut ByMinute<'a>, key: (&'a str, &'a str, Timestamp, String), events: u64) {
    match counts.entry(key) {
        _ if events == 0 => {}
        Place::Vacant(place) => {
            place.insert(events);
        }
        // Counts that overflow are no counts: the largest one is refused by the tables, and found.
        Place::Occupied(mut place) => *place.get_mut() = place.get().saturating_add(events),
    }
}

fn rows(counts: ByMinute<'_>) -> Vec<Count<'_>> {
    let row = |((tenant, game, minute, word), events)| Count {
        tenant,
        game,
        minute,
        word,
        // Beyond bigint only where a record is absurd; adding it then fails in the table, as it should.
        events: bigint(events),
    };
    counts.into_iter().map(row).collect()
}

/// A count that was judged to fit when its record was read.
pub(crate) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
