//! What a partition holds of a session beside its state.

use crate::state::Entry;

/// A session in its partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) entry: Entry,
    /// The layer that knows what it was before.
    pub(super) layer: u64,
    /// The earliest deadline in the queue.
    pub(super) queued: i64,
    /// The earliest entry in the queue of reports.
    pub(super) report_queued: i64,
    /// Bytes of its state when it was written last.
    pub(super) written: usize,
    /// When its last snapshot went, or the next is to go, by the monotonic clock.
    pub(super) snapshot: Snapshot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    Never,
    Sent(i64),
    Queued,
}

impl Slot {
    pub(super) fn is_live(&self) -> bool {
        matches!(self.entry, Entry::Live(_))
    }

    pub(super) fn new(entry: Entry, layer: u64) -> Self {
        Self { entry, layer, queued: i64::MAX, report_queued: i64::MAX, written: 0, snapshot: Snapshot::Never }
    }
}
