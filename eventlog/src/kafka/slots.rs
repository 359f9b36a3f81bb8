//! The partitions that a consumer holds, and what has been gathered of each.

use std::time::Instant;

use rdkafka::TopicPartitionList;

use super::batch::BatchBuilder;
use super::message::Message;
use super::messages::{Content, Item, MemberLink};
use crate::TopicPartition;

/// All partitions of a consumer. Few, so a list that remembers where it last looked.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    last: usize,
}

/// One partition.
pub(super) struct Slot {
    pub(super) partition: TopicPartition,
    /// The topic as librdkafka's messages name it; learned from the first.
    handle: Option<usize>,
    pub(super) state: State,
    /// Which of the member's assignments brought it.
    pub(super) assignment: u64,
    pub(super) stage: Stage,
    /// Whether librdkafka has been told not to fetch it.
    pub(super) paused: bool,
    /// Whether the task wants nothing of it for now.
    pub(super) held: bool,
    /// The answer to which fetch is being read.
    pub(super) epoch: u64,
    /// The next offset that may come.
    pub(super) position: i64,
    pub(super) builder: BatchBuilder,
}

/// How far a partition has come since it was assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The task has not been told of it.
    Untold,
    /// The task knows that it is its own.
    Told,
    /// A start that was named has been found within what it holds.
    Looked,
}

/// What happens to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: no start has been named, or it could not be read there.
    Idle,
    /// It is being asked whether the partition holds the position.
    Looking,
    /// It is to be read from the position on, since then.
    Seeking(Instant),
    /// It is being read.
    Reading,
    /// It goes to another member as soon as the task lets it.
    Leaving,
}

impl Slot {
    /// A partition just assigned; it is paused until its start is named.
    fn new(partition: TopicPartition, assignment: u64) -> Self {
        Self {
            partition,
            handle: None,
            state: State::Idle,
            assignment,
            stage: Stage::Untold,
            paused: true,
            held: false,
            epoch: 0,
            position: 0,
            builder: BatchBuilder::default(),
        }
    }

    /// Hands what has been gathered to the task.
    pub(super) fn hand_over(&mut self, link: &MemberLink) {
        if self.builder.is_empty() {
            return;
        }
        let size = self.builder.bytes();
        let batch = self.builder.take(self.partition.clone(), self.position);
        link.item(size, Item { epoch: self.epoch, bytes: size, content: Content::Records(batch) });
    }
}

impl Slots {
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn iter(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut()
    }

    pub(super) fn owns(&self, partition: &TopicPartition) -> bool {
        self.slots.iter().any(|slot| slot.partition == *partition)
    }

    pub(super) fn get(&mut self, partition: &TopicPartition) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.partition == *partition)
    }

    /// The slot that a message belongs to.
    pub(super) fn of_message(&mut self, message: &Message<'_>) -> Option<&mut Slot> {
        let (handle, partition) = (Some(message.topic_handle()), message.partition());
        let is_it = |slot: &Slot| slot.handle == handle && slot.partition.partition == partition;
        if !self.slots.get(self.last).is_some_and(is_it) {
            self.last = match self.slots.iter().position(is_it) {
                Some(found) => found,
                None => self.learn(message)?,
            };
        }
        self.slots.get_mut(self.last)
    }

    /// Finds the slot by the topic's name and remembers its handle.
    fn learn(&mut self, message: &Message<'_>) -> Option<usize> {
        let topic = message.topic();
        let found = self
            .slots
            .iter()
            .position(|slot| *slot.partition.topic == *topic && slot.partition.partition == message.partition())?;
        self.slots[found].handle = Some(message.topic_handle());
        Some(found)
    }

    pub(super) fn add(&mut self, partition: TopicPartition, assignment: u64) {
        self.slots.retain(|slot| slot.partition != partition);
        self.slots.push(Slot::new(partition, assignment));
        self.forget_handles();
    }

    pub(super) fn remove(&mut self, partitions: &[TopicPartition]) {
        self.slots.retain(|slot| !partitions.contains(&slot.partition));
        self.forget_handles();
    }

    /// A handle is only good while a partition of its topic stays assigned.
    fn forget_handles(&mut self) {
        self.last = 0;
        for slot in &mut self.slots {
            slot.handle = None;
        }
    }

    pub(super) fn any_waits_for_seek(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot.state, State::Seeking(_)))
    }

    /// Notes that librdkafka has been told to fetch what is being read and not held, or not to.
    pub(super) fn set_paused(&mut self, paused: bool) {
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Reading && !slot.held) {
            slot.paused = paused;
        }
    }

    /// Those partitions that `choose` picks, as librdkafka wants them.
    pub(super) fn list(&self, choose: impl Fn(&Slot) -> bool) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for slot in self.slots.iter().filter(|slot| choose(slot)) {
            list.add_partition(&slot.partition.topic, slot.partition.partition);
        }
        list
    }
}
