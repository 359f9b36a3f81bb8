//! What a member's task keeps of partitions that are held: read already, and not to be handed out yet.

use std::collections::{HashMap, VecDeque};

use super::messages::{Content, Item};
use crate::TopicPartition;

/// So many bytes of held partitions are kept; beyond that a partition is not even fetched. Below it nothing is told
/// to librdkafka, which drops what it has fetched of a partition that is paused.
const MOST_BYTES: usize = 16 << 20;

/// All partitions of a member, each with what was done to it.
#[derive(Default)]
pub(super) struct Owned {
    partitions: HashMap<TopicPartition, Share>,
    /// What is to be handed out before anything that comes later.
    ready: VecDeque<Item>,
    /// Bytes that wait in held partitions.
    bytes: usize,
}

#[derive(Default)]
struct Share {
    /// The number of its last fetch; what belongs to another is stale.
    fetch: u64,
    held: bool,
    /// Whether the thread has been told that it is held.
    paused: bool,
    waiting: VecDeque<Item>,
}

/// What becomes of an item.
pub(super) enum Fate {
    /// It is to be handed out now.
    Now(Item),
    /// It waits, or nobody wants it any more.
    Kept,
    /// It waits, and no more of the partition is to be fetched.
    Enough(TopicPartition),
}

impl Owned {
    /// These are its own from now on.
    pub(super) fn add(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        for partition in partitions {
            self.drop_waiting(&partition);
            self.partitions.insert(partition, Share::default());
        }
    }

    /// These are no more.
    pub(super) fn remove(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.drop_waiting(partition);
            self.partitions.remove(partition);
        }
    }

    /// Only what answers this fetch is wanted of a partition; false when it is none of its own.
    pub(super) fn fetch(&mut self, partition: &TopicPartition, fetch: u64) -> bool {
        self.drop_waiting(partition);
        let share = self.partitions.get_mut(partition);
        share.map(|share| share.fetch = fetch).is_some()
    }

    /// Whether a partition is one of its own.
    pub(super) fn has(&self, partition: &TopicPartition) -> bool {
        self.partitions.contains_key(partition)
    }

    /// Holds a partition or lets it go on; true when the thread is to be told that it goes on.
    pub(super) fn hold(&mut self, partition: &TopicPartition, held: bool) -> bool {
        let Some(share) = self.partitions.get_mut(partition) else { return false };
        share.held = held;
        if held {
            return false;
        }
        self.bytes -= share.waiting.iter().map(|item| item.bytes).sum::<usize>();
        self.ready.append(&mut share.waiting);
        std::mem::take(&mut share.paused)
    }

    /// What has waited and is to be handed out first.
    pub(super) fn next(&mut self) -> Option<Item> {
        while let Some(item) = self.ready.pop_front() {
            if let Fate::Now(item) = self.judge(item) {
                return Some(item);
            }
        }
        None
    }

    /// What becomes of an item.
    pub(super) fn judge(&mut self, item: Item) -> Fate {
        let partition = match &item.content {
            Content::Records(batch) => &batch.partition,
            Content::CaughtUp { partition, .. } => partition,
        };
        // Its partition has gone, or has been moved since.
        let Some(share) = self.partitions.get_mut(partition).filter(|share| share.fetch == item.epoch) else {
            return Fate::Kept;
        };
        if !share.held {
            return Fate::Now(item);
        }
        self.bytes += item.bytes;
        let enough = self.bytes > MOST_BYTES && !share.paused;
        share.paused |= enough;
        let fate = if enough { Fate::Enough(partition.clone()) } else { Fate::Kept };
        share.waiting.push_back(item);
        fate
    }

    fn drop_waiting(&mut self, partition: &TopicPartition) {
        if let Some(share) = self.partitions.get_mut(partition) {
            self.bytes -= share.waiting.drain(..).map(|item| item.bytes).sum::<usize>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Batch;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition::new("t", number)
    }

    fn item(number: i32, epoch: u64, next_offset: i64, bytes: usize) -> Item {
        let batch = Batch { partition: partition(number), records: Vec::new(), next_offset };
        Item { epoch, bytes, content: Content::Records(batch) }
    }

    fn offset(item: &Item) -> i64 {
        let Content::Records(batch) = &item.content else { panic!("no records") };
        batch.next_offset
    }

    fn two() -> Owned {
        let mut owned = Owned::default();
        owned.add([partition(0), partition(1)]);
        assert!(owned.fetch(&partition(0), 1) && owned.fetch(&partition(1), 2) && !owned.fetch(&partition(2), 3));
        owned
    }

    #[test]
    fn what_is_held_waits_in_order_and_the_rest_goes_on() {
        let mut owned = two();
        assert!(!owned.hold(&partition(0), true));
        assert!(owned.has(&partition(0)) && !owned.has(&partition(2)));
        for next in 1..4 {
            assert!(matches!(owned.judge(item(0, 1, next, 10)), Fate::Kept));
            assert!(matches!(owned.judge(item(1, 2, next, 10)), Fate::Now(_)));
        }
        assert!(owned.next().is_none());
        assert!(!owned.hold(&partition(0), false));
        assert_eq!(owned.next().map(|item| offset(&item)), Some(1));
        // Held again in the middle, it loses nothing and keeps its order.
        owned.hold(&partition(0), true);
        assert!(owned.next().is_none());
        assert!(matches!(owned.judge(item(0, 1, 4, 10)), Fate::Kept));
        owned.hold(&partition(0), false);
        assert_eq!(std::iter::from_fn(|| owned.next()).map(|item| offset(&item)).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(owned.bytes, 0);
    }

    #[test]
    fn what_is_too_much_is_not_fetched_until_the_hold_ends() {
        let mut owned = two();
        owned.hold(&partition(0), true);
        assert!(matches!(owned.judge(item(0, 1, 1, MOST_BYTES)), Fate::Kept));
        assert!(matches!(owned.judge(item(0, 1, 2, 1)), Fate::Enough(of) if of == partition(0)));
        assert!(matches!(owned.judge(item(0, 1, 3, 1)), Fate::Kept), "it has been told");
        assert!(owned.hold(&partition(0), false));
        assert!(!owned.hold(&partition(0), false), "it has been told");
    }

    #[test]
    fn a_move_or_a_loss_drops_what_waits() {
        let mut owned = two();
        for number in [0, 1] {
            owned.hold(&partition(number), true);
        }
        assert!(matches!(owned.judge(item(0, 1, 1, 10)), Fate::Kept));
        assert!(matches!(owned.judge(item(1, 2, 1, 10)), Fate::Kept));
        owned.fetch(&partition(0), 3);
        owned.remove(&[partition(1)]);
        owned.hold(&partition(0), false);
        assert!(owned.next().is_none());
        assert_eq!(owned.bytes, 0);
        owned.add([partition(1)]);
        owned.fetch(&partition(1), 4);
        assert!(matches!(owned.judge(item(1, 4, 1, 10)), Fate::Now(_)), "what comes back is not held");
    }
}
