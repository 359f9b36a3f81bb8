//! What a partition holds of a session beside its state.

use crate::session::Session;

/// A live session in its partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) session: Box<Session>,
    /// The layer that knows what it was before.
    pub(super) layer: u64,
    /// The earliest deadline in the queue.
    pub(super) queued: i64,
    /// The earliest entry in the queue of reports.
    pub(super) report_queued: i64,
    /// What the changelog has of it.
    pub(super) saved: Saved,
    /// Whether the open layer writes it.
    pub(super) due: bool,
    /// Whether the open layer reckons with its bytes.
    pub(super) weighed: bool,
    /// When its last snapshot went, or the next is to go, by the monotonic clock.
    pub(super) snapshot: Snapshot,
}

/// What the changelog has of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// Bytes of its state when it was written last.
    pub(super) written: usize,
    /// One past the last record that the written state knows of.
    pub(super) until: i64,
    /// The first record of it since; none where the written state is all.
    pub(super) since: Option<Since>,
}

/// The first record that a session's written state lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Since {
    pub(super) offset: i64,
    /// Log time at that record, in ms.
    pub(super) log_time: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    Never,
    Sent(i64),
    Queued(i64),
}

impl Slot {
    pub(super) fn new(session: Box<Session>, saved: Saved) -> Self {
        Self {
            session,
            layer: 0,
            queued: i64::MAX,
            report_queued: i64::MAX,
            saved,
            due: false,
            weighed: false,
            snapshot: Snapshot::Never,
        }
    }
}
