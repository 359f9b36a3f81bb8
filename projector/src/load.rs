//! What is written in one transaction: stretches of partitions, decoded.

use std::sync::atomic::{AtomicBool, Ordering};

use eventlog::{Record, TopicPartition};

use crate::decode::Told;

/// A stretch of one partition that is written as a whole.
#[derive(Debug)]
pub struct Slice {
    /// Which partition.
    pub partition: TopicPartition,
    /// The claim under which it is written.
    pub epoch: i64,
    /// Its first offset: what the offsets table must say before.
    pub seen: i64,
    /// One past its last offset: what the table says after. Control records leave holes below it.
    pub next: i64,
    /// Its records, in order.
    pub entries: Vec<Entry>,
}

/// A record and what it tells.
#[derive(Debug)]
pub struct Entry {
    /// As it was read.
    pub record: Record,
    /// What it says.
    pub told: Told,
    /// Whether it lies in the quarantine by now, so that another attempt does not list it again.
    listed: AtomicBool,
}

impl Slice {
    /// Time of its newest record, in ms since the epoch.
    pub fn newest_ms(&self) -> Option<i64> {
        self.entries.iter().map(|entry| entry.record.timestamp_ms).max()
    }
}

impl Entry {
    /// A record that lies in no quarantine as yet.
    pub fn new(record: Record, told: Told) -> Self {
        Self { record, told, listed: AtomicBool::new(false) }
    }

    /// Whether it lies in the quarantine.
    pub fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Relaxed)
    }

    /// Says that it lies in the quarantine.
    pub fn set_listed(&self) {
        self.listed.store(true, Ordering::Relaxed);
    }
}

/// Cuts a load in two, so that a value which the tables refuse can be found: by partitions first,
/// then by records. The load itself where it holds one record or none.
///
/// # Errors
/// The load, when it cannot be cut.
pub fn halve(mut slices: Vec<Slice>) -> Result<(Vec<Slice>, Vec<Slice>), Vec<Slice>> {
    if slices.len() > 1 {
        let second = slices.split_off(slices.len() / 2);
        return Ok((slices, second));
    }
    match slices.pop() {
        Some(mut slice) if slice.entries.len() > 1 => {
            let entries = slice.entries.split_off(slice.entries.len() / 2);
            let cut = entries[0].record.offset;
            let second =
                Slice { partition: slice.partition.clone(), epoch: slice.epoch, seen: cut, next: slice.next, entries };
            slice.next = cut;
            Ok((vec![slice], vec![second]))
        }
        rest => Err(rest.into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use eventlog::Headers;

    use super::*;

    fn slice(offsets: &[i64], next: i64) -> Slice {
        let entry = |offset: &i64| {
            let record = Record {
                offset: *offset,
                timestamp_ms: *offset,
                key: "key".into(),
                value: None,
                headers: Headers::new(),
            };
            Entry::new(record, Told::Nothing)
        };
        let entries = offsets.iter().map(entry).collect();
        Slice { partition: TopicPartition::new("play.sessions", 0), epoch: 1, seen: offsets[0], next, entries }
    }

    #[test]
    fn halves_meet_and_together_cover_the_whole() {
        let (first, second) = halve(vec![slice(&[3, 4, 9], 12)]).unwrap();
        assert_eq!((first[0].seen, first[0].next, first[0].entries.len()), (3, 4, 1));
        assert_eq!((second[0].seen, second[0].next, second[0].entries.len()), (4, 12, 2));
        let (first, second) = halve(vec![slice(&[3], 4), slice(&[5], 7)]).unwrap();
        assert_eq!((first[0].next, second[0].next), (4, 7));
    }

    #[test]
    fn a_single_record_cannot_be_cut() {
        assert_eq!(halve(vec![slice(&[3], 9)]).unwrap_err()[0].next, 9);
    }
}
