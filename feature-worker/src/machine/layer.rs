//! The overlay of one commit: what was before, so that an abort can go back, and what is to be put out.

use std::collections::HashMap;

use super::counts::Counts;
use super::output::Output;
use crate::state::{Entry, SessionKey};

/// Most records of a partition in one commit.
const MOST_RECORDS: usize = 50_000;

/// What has been done since the last commit was begun.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Each session that was touched, as it was before; none where it was not there.
    pub(super) before: HashMap<SessionKey, Option<Entry>>,
    /// What is to be put out beside state.
    pub(super) outputs: Vec<Output>,
    /// What became of the records.
    pub(super) counts: Counts,
    /// Records folded.
    pub(super) records: usize,
    /// Log time and position before; none where nothing has been read.
    pub(super) start: Option<(i64, Option<i64>)>,
}

impl Layer {
    /// Whether a commit should not grow any larger: so many sessions are touched, or so many records read.
    pub(super) fn is_full(&self, room: usize) -> bool {
        self.before.len() >= room || self.outputs.len() >= 2 * room || self.records >= MOST_RECORDS
    }

    /// Whether there is nothing to commit.
    pub(super) fn is_clean(&self) -> bool {
        self.before.is_empty() && self.outputs.is_empty() && self.start.is_none()
    }
}
