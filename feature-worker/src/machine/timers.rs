//! Deadlines in order. An entry may be stale: who takes it out asks the session itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::state::SessionKey;

/// Keys by time.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(i64, SessionKey)>>);

impl Timers {
    /// Wakes `key` at `at`.
    pub(super) fn push(&mut self, at: i64, key: SessionKey) {
        self.0.push(Reverse((at, key)));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// When the earliest is due, if it is.
    pub(super) fn first(&self, now: i64) -> Option<i64> {
        self.0.peek().map(|Reverse((due, _))| *due).filter(|due| *due <= now)
    }

    /// Takes out the earliest that is due.
    pub(super) fn pop(&mut self, now: i64) -> Option<(i64, SessionKey)> {
        if self.0.peek()?.0.0 > now {
            return None;
        }
        self.0.pop().map(|Reverse(due)| due)
    }
}
