//! The overlay of one commit: what was before, so that an abort can go back, and what is to be put out.

use std::collections::HashMap;

use super::counts::Counts;
use super::output::Output;
use crate::state::{Entry, SessionKey};

/// Most records of a partition in one commit.
const MOST_RECORDS: usize = 50_000;
/// Most sessions that one commit touches, over all partitions: it has to end in time.
const MOST_TOUCHED: usize = 10_000;
/// Sessions that a partition may touch in one commit, however many partitions there are.
const LEAST_TOUCHED: usize = 500;
/// Most bytes that one commit writes, over all partitions, as far as they are known before.
const MOST_BYTES: usize = 64 << 20;
/// Bytes that a partition may write in one commit, however many partitions there are: one of the largest states.
const LEAST_BYTES: usize = 4 << 20;

/// How much a partition may do in one commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Sessions that it touches.
    pub(super) sessions: usize,
    /// Bytes that it writes.
    pub(super) bytes: usize,
}

impl Room {
    /// The room of each of so many partitions.
    pub(super) fn of(partitions: usize) -> Self {
        let partitions = partitions.max(1);
        Self {
            sessions: (MOST_TOUCHED / partitions).max(LEAST_TOUCHED),
            bytes: (MOST_BYTES / partitions).max(LEAST_BYTES),
        }
    }
}

/// What has been done since the last commit was begun.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Each session that was touched, as it was before; none where it was not there.
    pub(super) before: HashMap<SessionKey, Option<Before>>,
    /// What is to be put out beside state.
    pub(super) outputs: Vec<Output>,
    /// What became of the records.
    pub(super) counts: Counts,
    /// Records folded.
    pub(super) records: usize,
    /// Bytes to be written: the records' own, and twice what the states of touched sessions took the
    /// last time, for each may bring a report.
    pub(super) bytes: usize,
    /// Where it began; none where nothing has been read.
    pub(super) start: Option<Start>,
}

/// What a session was before.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) entry: Entry,
    /// Bytes of its state when it was written last.
    pub(super) written: usize,
}

/// Where a partition stood before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) log_time: i64,
    pub(super) position: Option<i64>,
    pub(super) poison_run: u32,
}

impl Layer {
    /// Whether a commit should not grow any larger: by sessions, records or bytes.
    pub(super) fn is_full(&self, room: Room) -> bool {
        self.before.len() >= room.sessions
            || self.outputs.len() >= 2 * room.sessions
            || self.records >= MOST_RECORDS
            || self.bytes >= room.bytes
    }

    /// Whether there is nothing to commit.
    pub(super) fn is_clean(&self) -> bool {
        self.before.is_empty() && self.outputs.is_empty() && self.start.is_none()
    }
}
