//! Counts what becomes of the records of each game and minute.

use std::collections::{BTreeMap, HashMap};

use foldhash::quality::RandomState;
use schemas::record::VERSION;
use schemas::record::activity::Activity;
use schemas::record::quarantine::Reason;
use schemas::{Game, Tenant, Timestamp};

const MINUTE_MS: i64 = 60_000;

/// A game, and a minute since the epoch.
type Key = (Tenant, Game, i64);

/// Counts since the last commit.
#[derive(Debug, Default)]
pub(super) struct Counts {
    places: HashMap<Key, usize, RandomState>,
    minutes: Vec<(Key, Minute)>,
    /// The place of what was counted last: most records are of the game and minute of the one before.
    last: usize,
}

#[derive(Debug, Default)]
pub(super) struct Minute {
    applied: HashMap<Box<str>, u64, RandomState>,
    repeats: u64,
    holes: u64,
    set_aside: HashMap<Reason, u64>,
}

impl Counts {
    /// The counts of a game and the minute of `received_at`.
    pub(super) fn of(&mut self, tenant: &Tenant, game: &Game, received_at: i64) -> &mut Minute {
        let minute = received_at.div_euclid(MINUTE_MS);
        let is_last = |(key, _): &(Key, Minute)| key.2 == minute && key.1 == *game && key.0 == *tenant;
        if !self.minutes.get(self.last).is_some_and(is_last) {
            let key = (tenant.clone(), game.clone(), minute);
            let next = self.minutes.len();
            self.last = *self.places.entry(key.clone()).or_insert(next);
            if self.last == next {
                self.minutes.push((key, Minute::default()));
            }
        }
        &mut self.minutes[self.last].1
    }

    /// The records of play.activity, in a fixed order.
    pub(super) fn drain(&mut self) -> Vec<Activity> {
        let minutes: BTreeMap<_, _> = std::mem::take(self).minutes.into_iter().collect();
        let records = minutes.into_iter().map(|((tenant, game, minute), counts)| Activity {
            v: VERSION,
            tenant,
            game,
            minute: Timestamp::from_ms(minute * MINUTE_MS),
            applied: counts.applied.into_iter().map(|(name, count)| (name.into(), count)).collect(),
            repeats: counts.repeats,
            holes: counts.holes,
            set_aside: counts
                .set_aside
                .into_iter()
                .map(|(reason, count)| (reason.as_str().to_owned(), count))
                .collect(),
        });
        records.collect()
    }
}

impl Minute {
    /// An event took a place.
    pub(super) fn applied(&mut self, event_type: &str) {
        match self.applied.get_mut(event_type) {
            Some(count) => *count += 1,
            None => {
                self.applied.insert(event_type.into(), 1);
            }
        }
    }

    /// A record told again what was known.
    pub(super) fn repeat(&mut self) {
        self.repeats += 1;
    }

    /// A hole came.
    pub(super) fn hole(&mut self) {
        self.holes += 1;
    }

    /// An event was set aside.
    pub(super) fn set_aside(&mut self, reason: Reason) {
        *self.set_aside.entry(reason).or_default() += 1;
    }
}
