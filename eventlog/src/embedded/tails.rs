//! How far each partition goes, as last seen, and word of every change.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::watch;

/// The ends of the partitions. They only grow; what another process appends comes in through
/// [`super::watch`].
#[derive(Debug)]
pub(super) struct Tails {
    ends: Mutex<HashMap<i64, i64>>,
    changed: watch::Sender<u64>,
}

impl Default for Tails {
    fn default() -> Self {
        Self { ends: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Tails {
    /// The last end seen of a partition row; 0 if none was.
    pub(super) fn end(&self, part: i64) -> i64 {
        self.ends.lock().get(&part).copied().unwrap_or(0)
    }

    /// Takes in ends of partition rows and wakes who waits for one of them to grow.
    pub(super) fn advance(&self, seen: impl IntoIterator<Item = (i64, i64)>) {
        let mut grown = false;
        {
            let mut ends = self.ends.lock();
            for (part, end) in seen {
                let known = ends.entry(part).or_insert(0);
                grown |= end > *known;
                *known = end.max(*known);
            }
        }
        if grown {
            self.changed.send_modify(|version| *version = version.wrapping_add(1));
        }
    }

    /// Tells of every change from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
