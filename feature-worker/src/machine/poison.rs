//! Poison: records that are none of play.events. Above a rate a partition stops at the next of them, until it is told
//! to go on.
//!
//! All of it goes by log time and is kept in the partition's state, so that whoever takes the partition over stops at
//! the same record.

use std::fmt;

use eventlog::Record;
use schemas::FieldError;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Stamp;
use serde::{Deserialize, Serialize};

use super::Settings;
use super::output::{Output, Quarantined};
use super::partition::Partition;

/// How many records of a partition are set aside as poison within how much log time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoisonLimit {
    /// The next one stops the partition; 0 for none ever.
    pub records: u32,
    /// In ms, from the first of them on.
    pub within_ms: i64,
}

/// The window in which poison is counted: it begins with the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// Log time at the first, in ms.
    since: i64,
    /// Set aside since then.
    count: u32,
    /// How many there might have been.
    limit: u32,
}

/// Where a partition has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Of the record that would have been one too many: it stays in the log.
    pub offset: i64,
}

impl fmt::Display for PoisonLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = std::time::Duration::from_millis(self.within_ms.unsigned_abs());
        write!(f, "{}/{}", self.records, humantime::format_duration(within))
    }
}

impl Poison {
    /// Whether nothing is counted.
    pub(super) fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Counts one at that log time, in ms; false where it would be one too many.
    fn admit(&mut self, at: i64, limit: PoisonLimit) -> bool {
        if limit.records == 0 {
            *self = Self::default();
            return true;
        }
        let is_over = at >= self.since.saturating_add(limit.within_ms);
        // Whoever raises the limit of a partition that has stopped lets it go on.
        let is_raised = self.limit < limit.records && self.count >= self.limit;
        if self.is_empty() || is_over || is_raised {
            *self = Self { since: at, count: 0, limit: 0 };
        }
        let admitted = self.count < limit.records;
        self.count += u32::from(admitted);
        self.limit = limit.records;
        admitted
    }
}

impl Partition {
    /// Sets a record aside that is none of play.events; false where there are too many, and it stays where it is.
    pub(super) fn poison(
        &mut self,
        record: &Record,
        stamp: Option<&Stamp<'_>>,
        errors: Vec<FieldError>,
        settings: &Settings,
    ) -> bool {
        if !self.admit(record.offset, settings.poison_limit) {
            return false;
        }
        if let Some(stamp) = stamp {
            let counts = self.open.counts.of(&stamp.tenant, &stamp.game, stamp.received_at.ms());
            counts.set_aside(Reason::Poison);
        }
        self.open.outputs.push(Output::Quarantine(Box::new(Quarantined {
            reason: Reason::Poison,
            errors,
            partition: self.number,
            offset: record.offset,
            owner: stamp.map(|stamp| (stamp.tenant.clone(), stamp.game.clone())),
            key: record.key.clone(),
            event_id: None,
            received_at: stamp.map_or(record.timestamp_ms, |stamp| stamp.received_at.ms()),
            request_id: stamp.map(|stamp| stamp.request_id.to_string()),
            raw: record.value.clone().unwrap_or_default(),
        })));
        true
    }

    /// Counts a record that can't be read; false where the partition stops before it.
    fn admit(&mut self, offset: i64, limit: PoisonLimit) -> bool {
        if offset >= self.let_through && !self.poison.admit(self.log_time, limit) {
            self.stop = Some(Stop { offset });
        }
        self.stop.is_none()
    }

    /// Where it has stopped; none where it goes on.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Goes on with a free window. What was read before is not counted again, if it has to be read again.
    pub(super) fn resume(&mut self) {
        let Some(stop) = self.stop.take() else { return };
        self.let_through = stop.offset;
        self.poison = Poison::default();
        let layers = [Some(&mut self.open), self.sealed.as_mut()];
        for start in layers.into_iter().flatten().filter_map(|layer| layer.start.as_mut()) {
            start.poison = Poison::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: PoisonLimit = PoisonLimit { records: 3, within_ms: 1_000 };

    fn admitted(poison: &mut Poison, limit: PoisonLimit, times: &[i64]) -> Vec<bool> {
        times.iter().map(|at| poison.admit(*at, limit)).collect()
    }

    #[test]
    fn so_many_are_admitted_within_a_window_that_begins_with_the_first() {
        let mut poison = Poison::default();
        assert_eq!(admitted(&mut poison, LIMIT, &[500, 500, 1_499, 1_499, 1_500]), [true, true, true, false, true]);
        assert_eq!(admitted(&mut poison, LIMIT, &[1_500, 2_499, 2_499, 2_500]), [true, true, false, true]);
    }

    #[test]
    fn before_the_first_log_time_they_count_too() {
        let mut poison = Poison::default();
        assert_eq!(admitted(&mut poison, LIMIT, &[i64::MIN; 4]), [true, true, true, false]);
        assert!(poison.admit(1_767_600_000_000, LIMIT));
    }

    #[test]
    fn a_higher_limit_frees_what_was_stopped_and_no_other() {
        let (higher, lower) = (PoisonLimit { records: 4, ..LIMIT }, PoisonLimit { records: 2, ..LIMIT });
        let mut stopped = Poison::default();
        admitted(&mut stopped, LIMIT, &[0; 4]);
        let mut again = stopped;
        assert_eq!(admitted(&mut again, LIMIT, &[0]), [false]);
        let mut again = stopped;
        assert_eq!(admitted(&mut again, lower, &[0]), [false]);
        let mut again = stopped;
        assert_eq!(admitted(&mut again, higher, &[0; 5]), [true, true, true, true, false]);
        let mut running = Poison::default();
        admitted(&mut running, LIMIT, &[0; 2]);
        assert_eq!(admitted(&mut running, higher, &[0; 3]), [true, true, false]);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let mut poison = Poison { since: 0, count: 3, limit: 3 };
        assert_eq!(admitted(&mut poison, PoisonLimit { records: 0, within_ms: 1 }, &[0; 2]), [true, true]);
        assert!(poison.is_empty());
    }

    #[test]
    fn a_limit_reads_as_it_is_set() {
        assert_eq!(PoisonLimit { records: 1_000, within_ms: 60_000 }.to_string(), "1000/1m");
    }
}
