//! What there is to be measured of the machine, for metrics.

use super::Machine;
use super::partition::Partition;
use super::slot::Slot;

/// What a commit is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Records of play.events.
    pub records: usize,
    /// The time of the oldest of them, in ms since the epoch; none where there are none.
    pub oldest_ms: Option<i64>,
}

impl Machine {
    /// What the commit under way is made of.
    pub fn under_way(&self) -> Measured {
        let sealed = self.partitions.values().filter_map(|partition| partition.sealed.as_ref());
        sealed.fold(Measured::default(), |sum, layer| Measured {
            records: sum.records + layer.records,
            oldest_ms: [sum.oldest_ms, layer.oldest_ms].into_iter().flatten().min(),
        })
    }

    /// The partitions whose state is not all there yet.
    pub fn awaited(&self) -> Vec<i32> {
        let awaited = self.partitions.iter().filter(|(_, partition)| !partition.is_live());
        awaited.map(|(number, _)| *number).collect()
    }
}

impl Partition {
    /// Events and holes that wait behind a gap, and the events' bytes. Looks at every session.
    pub fn buffered(&self) -> (usize, usize) {
        let waiting = self.slots.values().map(Slot::waiting);
        waiting.fold((0, 0), |(events, bytes), (more, their_bytes)| (events + more, bytes + their_bytes))
    }

    /// How many records lie between what has been applied and the end of the log.
    pub fn lag_records(&self, end: i64) -> i64 {
        self.position.map_or(0, |position| end.saturating_sub(position).max(0))
    }
}
