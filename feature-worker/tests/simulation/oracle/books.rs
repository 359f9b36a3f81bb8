//! The books: what play.activity says became of the records of each minute.

use std::collections::{BTreeMap, BTreeSet};

use eventlog::Record;
use schemas::record::activity::Activity;
use schemas::record::quarantine::Reason;

use super::topic::Topic;
use super::{Minute, Outcome, json, same};

/// What became of the records of a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) applied: BTreeMap<String, u64>,
    pub(super) repeats: u64,
    pub(super) holes: u64,
    pub(super) set_aside: BTreeMap<String, u64>,
}

/// Adds play.activity up.
pub(super) fn read(activity: &[Record]) -> BTreeMap<Minute, Books> {
    let mut books: BTreeMap<Minute, Books> = BTreeMap::new();
    for counts in activity.iter().filter_map(|record| json::<Activity>(record).ok()) {
        let minute = books.entry((counts.game.to_string(), counts.minute.ms().div_euclid(60_000))).or_default();
        let adds = [(&mut minute.applied, counts.applied), (&mut minute.set_aside, counts.set_aside)];
        for (sums, more) in adds {
            for (name, count) in more {
                *sums.entry(name).or_default() += count;
            }
        }
        minute.repeats += counts.repeats;
        minute.holes += counts.holes;
    }
    books
}

/// Every record is applied, a repeat, a hole or set aside; the books say so minute by minute.
pub(super) fn every_record_is_counted_once(topic: &Topic<'_>, outcome: &Outcome) -> Result<(), String> {
    let mut aside = outcome.aside.clone();
    let mut set_aside: BTreeMap<Minute, BTreeMap<String, u64>> = BTreeMap::new();
    let mut taken: BTreeMap<Minute, u64> = BTreeMap::new();
    for (place, minute) in &topic.poison {
        same(&format!("the reason of {place:?}"), &Some(Reason::Poison), &aside.remove(place))?;
        if let Some(minute) = minute {
            *set_aside.entry(minute.clone()).or_default().entry(Reason::Poison.to_string()).or_default() += 1;
        }
    }
    for told in &topic.events {
        match aside.remove(&told.place) {
            Some(reason) => {
                *set_aside.entry(told.minute.clone()).or_default().entry(reason.to_string()).or_default() += 1;
            }
            None => *taken.entry(told.minute.clone()).or_default() += 1,
        }
    }
    same("set aside, and no event", &BTreeMap::new(), &aside)?;
    let minutes = outcome.books.keys().chain(taken.keys()).chain(set_aside.keys()).chain(topic.holes.keys());
    for minute in minutes.collect::<BTreeSet<_>>() {
        let books = outcome.books.get(minute).cloned().unwrap_or_default();
        let counted = books.applied.values().sum::<u64>() + books.repeats;
        same(&format!("applied and repeats of {minute:?}"), &taken.get(minute).copied().unwrap_or(0), &counted)?;
        same(&format!("holes of {minute:?}"), &topic.holes.get(minute).copied().unwrap_or(0), &books.holes)?;
        let expected = set_aside.get(minute).cloned().unwrap_or_default();
        same(&format!("set aside of {minute:?}"), &expected, &books.set_aside)?;
    }
    Ok(())
}
