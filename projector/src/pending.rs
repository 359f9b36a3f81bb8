//! What has been read and decoded and waits for its transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use eventlog::TopicPartition;
use tokio::time::Instant;

use crate::load::{Entry, Slice};

/// How long a record waits for company when nothing else is being written.
const LINGER: Duration = Duration::from_millis(20);
/// How long an offset without a record (a transaction's marker) waits.
const BARE_LINGER: Duration = Duration::from_secs(1);
/// So many records are written without waiting for more.
const ENOUGH: usize = 2_000;
/// So many records, or bytes, wait at most; then reading pauses.
const MOST: usize = 20_000;
const MOST_BYTES: usize = 32 << 20;

/// Slices that wait, one a partition.
#[derive(Default)]
pub(crate) struct Pending {
    slices: BTreeMap<TopicPartition, Slice>,
    records: usize,
    bytes: usize,
    since: Option<Instant>,
}

impl Pending {
    /// Adds what follows in a partition: records, and the offset after them.
    pub(crate) fn extend(&mut self, partition: &TopicPartition, epoch: i64, seen: i64, next: i64, entries: Vec<Entry>) {
        self.records += entries.len();
        self.bytes += entries.iter().map(bytes).sum::<usize>();
        let fresh = || Slice { partition: partition.clone(), epoch, seen, next, entries: Vec::new() };
        let slice = self.slices.entry(partition.clone()).or_insert_with(fresh);
        slice.next = slice.next.max(next);
        slice.entries.extend(entries);
        self.since.get_or_insert_with(Instant::now);
    }

    /// Forgets a partition.
    pub(crate) fn remove(&mut self, partition: &TopicPartition) {
        if let Some(slice) = self.slices.remove(partition) {
            self.records -= slice.entries.len();
            self.bytes -= slice.entries.iter().map(bytes).sum::<usize>();
        }
    }

    /// Whether more may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.records < MOST && self.bytes < MOST_BYTES
    }

    /// How many records wait.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// When it should be written; none while nothing waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        let since = self.since.filter(|_| !self.slices.is_empty())?;
        let linger = match self.records {
            0 => BARE_LINGER,
            ENOUGH.. => Duration::ZERO,
            _ => LINGER,
        };
        Some(since + linger)
    }

    /// Takes all of it.
    pub(crate) fn take(&mut self) -> Vec<Slice> {
        std::mem::take(self).slices.into_values().collect()
    }
}

fn bytes(entry: &Entry) -> usize {
    entry.record.value.as_ref().map_or(0, bytes::Bytes::len)
}
