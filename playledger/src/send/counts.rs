//! What became of the lines of a run.

use serde::{Deserialize, Serialize};

/// Counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Events that the gateway keeps (or would keep, in a dry run).
    pub accepted: u64,
    /// Events that it had already.
    pub duplicates: u64,
    /// Events whose id it knew with another body.
    pub conflicts: u64,
    /// Events that it refused.
    pub rejected: u64,
    /// Lines that are no event and were not sent.
    pub unreadable: u64,
}

impl Counts {
    /// Whether every line was accepted or a duplicate.
    pub(super) fn is_clean(&self) -> bool {
        self.conflicts == 0 && self.rejected == 0 && self.unreadable == 0
    }

    /// The counts in one sentence.
    pub(super) fn words(&self) -> String {
        let Self { accepted, duplicates, conflicts, rejected, unreadable } = self;
        format!(
            "{accepted} accepted, {duplicates} duplicates, {conflicts} conflicts, {rejected} rejected, {unreadable} unreadable lines"
        )
    }
}
