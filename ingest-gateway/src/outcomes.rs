//! Counts what became of the events received, by tenant, game and minute, for play.outcomes. Pure.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use schemas::record::VERSION;
use schemas::record::outcome::{OutcomeRecord, Told};
use schemas::{Game, Tenant, Timestamp};

const MINUTE_MS: i64 = 60_000;

/// What became of an event; each event received has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The log has it now.
    Accepted,
    /// The log had it before.
    Duplicate,
    /// The log had another body under its id before.
    Conflict,
    /// It breaks a rule.
    Rejected,
    /// It was not taken; the client was told to send it again.
    Shed,
    /// It may or may not be in the log; the client was told to send it again.
    Unknown,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Duplicate, Self::Conflict, Self::Rejected, Self::Shed, Self::Unknown];

    /// The word that stands for it in records, tables and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Shed => "shed",
            Self::Unknown => "unknown",
        }
    }
}

/// How many events had which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Fate::ALL.len()]);

impl Counts {
    /// So many with one outcome, and no others.
    pub fn of(fate: Fate, count: u64) -> Self {
        let mut counts = Self::default();
        counts.add(fate, count);
        counts
    }

    /// Counts so many more.
    pub fn add(&mut self, fate: Fate, count: u64) {
        self.0[fate as usize] += count;
    }

    /// The outcomes that there were, and how many of each.
    pub fn iter(&self) -> impl Iterator<Item = (Fate, u64)> {
        Fate::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

type Bucket = (Tenant, Game, i64);

/// Counts since they were last taken.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<Bucket, Counts>>);

/// Counts on their way to the log.
#[derive(Debug, Default)]
pub struct Taken(BTreeMap<Bucket, Counts>);

impl Tally {
    /// Adds a request's counts.
    pub fn add(&self, tenant: &Tenant, game: &Game, received_at: Timestamp, counts: &Counts) {
        let minute = received_at.ms().div_euclid(MINUTE_MS) * MINUTE_MS;
        self.merge((tenant.clone(), game.clone(), minute), counts);
    }

    /// Takes everything out.
    pub fn take(&self) -> Taken {
        Taken(std::mem::take(&mut *self.0.lock()))
    }

    /// Puts back what did not reach the log.
    pub fn put_back(&self, taken: Taken) {
        for (bucket, counts) in taken.0 {
            self.merge(bucket, &counts);
        }
    }

    fn merge(&self, bucket: Bucket, counts: &Counts) {
        let mut buckets = self.0.lock();
        let sums = buckets.entry(bucket).or_default();
        for (fate, count) in counts.iter() {
            sums.add(fate, count);
        }
    }
}

impl Taken {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out what the log turned out to have.
    pub fn forget(&mut self, tenant: &Tenant, game: &Game, minute: Timestamp) {
        self.0.remove(&(tenant.clone(), game.clone(), minute.ms()));
    }

    /// One record a tenant, game and minute.
    pub fn records(&self, gateway: &str, at: Timestamp) -> Vec<OutcomeRecord> {
        let told = self.0.iter().map(|((tenant, game, minute), counts)| Told::Counts {
            tenant: tenant.clone(),
            game: game.clone(),
            minute: Timestamp::from_ms(*minute),
            outcomes: counts.iter().map(|(fate, count)| (fate.as_str().to_owned(), count)).collect(),
        });
        told.map(|told| OutcomeRecord { v: VERSION, gateway: gateway.to_owned(), at, told }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_minute_and_survive_a_failed_write() {
        let tally = Tally::default();
        let (tenant, game) = (Tenant::parse("acme").unwrap(), Game::parse("runner").unwrap());
        let add = |ms, fate, count| tally.add(&tenant, &game, Timestamp::from_ms(ms), &Counts::of(fate, count));
        add(59_999, Fate::Accepted, 2);
        let taken = tally.take();
        add(1, Fate::Accepted, 3);
        add(60_000, Fate::Rejected, 1);
        tally.put_back(taken);
        let records = tally.take().records("gw", Timestamp::from_ms(70_000));
        let told: Vec<_> = records.iter().map(|record| serde_json::to_value(record).unwrap()).collect();
        assert_eq!(told.len(), 2);
        assert_eq!(told[0]["minute"], "1970-01-01T00:00:00.000Z");
        assert_eq!(told[0]["outcomes"]["accepted"], 5);
        assert_eq!(told[1]["outcomes"]["rejected"], 1);
        assert!(tally.take().is_empty());
    }
}
