//! The overlay of one commit: what was before, so that an abort can go back, and what is to be put out.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::counts::Counts;
use super::output::Output;
use super::poison::Poison;
use super::slot::{Image, Saved};
use crate::session::marker::Marker;
use crate::state::SessionKey;

/// Most records of a partition in one commit.
pub(super) const MOST_RECORDS: usize = 50_000;
/// Most sessions that one commit writes, over all partitions: it has to end in time.
const MOST_WRITTEN: usize = 10_000;
/// Sessions that a partition may write in one commit, however many partitions there are.
const LEAST_WRITTEN: usize = 500;
/// So many times as many may be touched and left to be read again.
const TOUCHED: usize = 2;
/// Most bytes that one commit writes, over all partitions, as far as they are known before.
const MOST_BYTES: usize = 64 << 20;
/// Bytes that a partition may write in one commit, however many partitions there are: one of the largest states.
const LEAST_BYTES: usize = 4 << 20;

/// How much a partition may do in one commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Sessions that it writes.
    pub(super) sessions: usize,
    /// Bytes that it writes.
    pub(super) bytes: usize,
    /// What a restore may read again.
    pub(super) window: Window,
}

/// How much of play.events a restore may read again, so that states need not be written at every commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Records, over all partitions of a worker; 0 has every touched session written at every commit.
    pub records: usize,
    /// Log time, in ms.
    pub age_ms: i64,
}

impl Room {
    /// The room of each of so many partitions.
    pub(super) fn of(partitions: usize, window: Window) -> Self {
        let partitions = partitions.max(1);
        Self {
            sessions: (MOST_WRITTEN / partitions).max(LEAST_WRITTEN),
            bytes: (MOST_BYTES / partitions).max(LEAST_BYTES),
            window: Window { records: window.records / partitions, ..window },
        }
    }
}

/// What has been done since the last commit was begun.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Each session that was touched, as it was before.
    pub(super) before: HashMap<SessionKey, Before, RandomState>,
    /// What is to be put out beside state.
    pub(super) outputs: Vec<Output>,
    /// Sessions of which a snapshot is among that.
    pub(super) shown: Vec<SessionKey>,
    /// What became of the records.
    pub(super) counts: Counts,
    /// Records folded.
    pub(super) records: usize,
    /// The time of the oldest of them, in ms since the epoch.
    pub(super) oldest_ms: Option<i64>,
    /// Sessions to be written.
    pub(super) sessions: usize,
    /// Bytes to be written: the records' own, and twice what the states of those sessions took the
    /// last time, for each may bring a report.
    pub(super) bytes: usize,
    /// Where it began; none where nothing has been read.
    pub(super) start: Option<Start>,
}

/// What a session was before.
#[derive(Debug)]
pub(super) enum Before {
    /// Not there.
    Absent,
    /// It lived.
    Live(Image, Saved),
    /// It had been evicted.
    Marker(Box<Marker>),
}

/// Where a partition stood before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) log_time: i64,
    pub(super) position: Option<i64>,
    pub(super) poison: Poison,
}

impl Layer {
    /// Whether a commit should not grow any larger: by sessions, records or bytes.
    pub(super) fn is_full(&self, room: Room) -> bool {
        self.sessions >= room.sessions
            || self.before.len() >= TOUCHED * room.sessions
            || self.outputs.len() >= 2 * room.sessions
            || self.records >= MOST_RECORDS
            || self.bytes >= room.bytes
    }

    /// Whether there is nothing to commit.
    pub(super) fn is_clean(&self) -> bool {
        self.before.is_empty() && self.outputs.is_empty() && self.start.is_none()
    }
}
