//! One partition: records and markers under offsets, what of them is to be seen, and how far.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use crate::{NewRecord, OffsetRange, Record};

/// Names a transaction.
pub(super) type TransactionId = u64;

/// What lies under an offset.
#[derive(Debug)]
struct Entry {
    offset: i64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Record {
        record: Record,
        fate: Fate,
        /// When a tombstone may go: told when it is first cleaned.
        goes_at: Option<i64>,
    },
    /// The end of a transaction.
    Marker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Of no transaction, or of one that was committed.
    Kept,
    Open(TransactionId),
    Aborted,
}

/// What was read, and the next offset to be read.
pub(super) type Read = (Vec<Record>, i64);

/// One partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// In the order of their offsets, which have holes where records were cleaned away.
    entries: VecDeque<Entry>,
    low: i64,
    next: i64,
    /// The first offset of each open transaction.
    open: BTreeMap<TransactionId, i64>,
}

impl Partition {
    /// Appends a record, of a transaction or of none; its offset.
    pub(super) fn append(&mut self, new: NewRecord, transaction: Option<TransactionId>) -> i64 {
        let offset = self.next;
        let NewRecord { key, value, headers, timestamp_ms, .. } = new;
        let record = Record { offset, timestamp_ms, key, value, headers };
        let fate = transaction.map_or(Fate::Kept, Fate::Open);
        if let Some(transaction) = transaction {
            self.open.entry(transaction).or_insert(offset);
        }
        self.entries.push_back(Entry { offset, kind: Kind::Record { record, fate, goes_at: None } });
        self.next += 1;
        offset
    }

    /// Ends a transaction: its marker takes an offset.
    pub(super) fn end(&mut self, transaction: TransactionId, committed: bool) {
        let Some(first) = self.open.remove(&transaction) else { return };
        let place = self.entries.partition_point(|entry| entry.offset < first);
        for entry in self.entries.range_mut(place..) {
            if let Kind::Record { fate, .. } = &mut entry.kind
                && *fate == Fate::Open(transaction)
            {
                *fate = if committed { Fate::Kept } else { Fate::Aborted };
            }
        }
        self.entries.push_back(Entry { offset: self.next, kind: Kind::Marker });
        self.next += 1;
    }

    /// The offsets that it holds, those of open transactions included.
    pub(super) fn range(&self) -> OffsetRange {
        OffsetRange { low: self.low, high: self.next }
    }

    /// The last stable offset: the first of an open transaction, else the end.
    pub(super) fn stable(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.next)
    }

    /// How far a reader gets.
    pub(super) fn end_of(&self, read_committed: bool) -> i64 {
        if read_committed { self.stable() } else { self.next }
    }

    /// At most `most` entries from `from` on and below `until`; none where there is nothing as yet.
    pub(super) fn read(&self, from: i64, until: i64, read_committed: bool, most: usize) -> Option<Read> {
        let end = until.min(self.end_of(read_committed));
        if from >= end {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.offset < from);
        let (mut records, mut next, mut taken) = (Vec::new(), end, 0);
        for entry in self.entries.range(first..).take_while(|entry| entry.offset < end) {
            if taken == most {
                next = entry.offset;
                break;
            }
            taken += 1;
            if let Kind::Record { record, fate, .. } = &entry.kind
                && (*fate == Fate::Kept || !read_committed)
            {
                records.push(record.clone());
            }
        }
        Some((records, next))
    }

    /// The offset of the first record to be seen whose time is at or after `timestamp_ms`.
    pub(super) fn at_time(&self, timestamp_ms: i64) -> Option<i64> {
        self.entries.iter().find_map(|entry| match &entry.kind {
            Kind::Record { record, .. } if record.timestamp_ms >= timestamp_ms => Some(entry.offset),
            _ => None,
        })
    }

    /// Drops the records in front that are older than `before_ms`.
    pub(super) fn age(&mut self, before_ms: i64) {
        let stable = self.stable();
        while let Some(front) = self.entries.front().filter(|front| front.offset < stable) {
            if matches!(&front.kind, Kind::Record { record, .. } if record.timestamp_ms >= before_ms) {
                break;
            }
            self.entries.pop_front();
            self.low = self.entries.front().map_or(self.next, |front| front.offset);
        }
    }

    /// Cleans what lies below `until` and is stable: of each key only the newest record stays, and nothing of
    /// what was aborted. A tombstone stays for `tombstones_ms` after it was cleaned for the first time.
    pub(super) fn compact(&mut self, until: i64, now_ms: i64, tombstones_ms: i64) {
        let until = until.min(self.stable());
        let mut newest: HashMap<Bytes, i64> = HashMap::new();
        for entry in self.entries.iter().take_while(|entry| entry.offset < until) {
            if let Kind::Record { record, fate: Fate::Kept, .. } = &entry.kind {
                newest.insert(record.key.clone(), entry.offset);
            }
        }
        self.entries.retain_mut(|entry| match &mut entry.kind {
            _ if entry.offset >= until => true,
            Kind::Marker => false,
            Kind::Record { record, fate, goes_at } => {
                let is_newest = *fate == Fate::Kept && newest.get(&record.key) == Some(&entry.offset);
                let is_over =
                    record.value.is_none() && *goes_at.get_or_insert(now_ms.saturating_add(tombstones_ms)) <= now_ms;
                is_newest && !is_over
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Headers, TopicPartition};

    fn record(key: &'static str, value: Option<&'static str>, timestamp_ms: i64) -> NewRecord {
        NewRecord {
            partition: TopicPartition::new("t", 0),
            key: key.into(),
            value: value.map(Bytes::from),
            headers: Headers::new(),
            timestamp_ms,
        }
    }

    fn seen(partition: &Partition, read_committed: bool) -> Vec<i64> {
        let (records, _) = partition.read(0, i64::MAX, read_committed, usize::MAX).unwrap_or_default();
        records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn an_open_transaction_holds_back_what_comes_after_it_and_no_more() {
        let mut partition = Partition::default();
        partition.append(record("a", Some("1"), 0), None);
        partition.append(record("b", Some("2"), 0), Some(7));
        partition.append(record("c", Some("3"), 0), None);
        partition.append(record("d", Some("4"), 0), Some(8));
        assert_eq!((partition.stable(), partition.range().high), (1, 4));
        assert_eq!((seen(&partition, true), seen(&partition, false)), (vec![0], vec![0, 1, 2, 3]));
        partition.end(7, false);
        assert_eq!((partition.stable(), seen(&partition, true)), (3, vec![0, 2]), "one was aborted, one is open");
        partition.end(8, true);
        assert_eq!((seen(&partition, true), partition.stable()), (vec![0, 2, 3], 6), "two markers have offsets");
        assert_eq!(partition.read(4, i64::MAX, true, 1), Some((Vec::new(), 5)), "and are passed");
    }

    #[test]
    fn cleaning_keeps_the_newest_that_counts_and_never_touches_what_is_open() {
        let mut partition = Partition::default();
        partition.append(record("a", Some("1"), 0), None);
        partition.append(record("a", Some("2"), 0), None);
        partition.append(record("gone", Some("1"), 0), None);
        partition.append(record("gone", None, 0), None);
        partition.append(record("a", Some("3"), 0), Some(1));
        partition.compact(i64::MAX, 1_000, 10);
        assert_eq!(seen(&partition, false), [1, 3, 4], "what is open may yet be aborted");
        partition.end(1, false);
        partition.compact(i64::MAX, 1_009, 10);
        assert_eq!(seen(&partition, false), [1, 3], "the tombstone stays for its time");
        partition.compact(i64::MAX, 1_010, 10);
        assert_eq!((seen(&partition, false), partition.range().high), (vec![1], 6), "which is over");
    }
}
