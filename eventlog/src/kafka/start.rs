//! Where a member's thread reads its partitions from: looked at, moved, then read.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::Member;
use super::error;
use super::messages::Notice;
use super::slots::{Stage, State};
use crate::{LogError, OffsetRange, TopicPartition};

/// So long may a partition take until it can be moved.
const SEEK_DEADLINE: Duration = Duration::from_secs(30);
/// One question to the cluster.
const CALL: Duration = Duration::from_secs(5);

impl Member {
    /// Notes where a partition is to be read from.
    pub(super) fn fetch(&mut self, partition: &TopicPartition, offset: i64, epoch: u64) -> ControlFlow<()> {
        let slot = self.slots.get(partition).filter(|slot| slot.state != State::Leaving);
        let Some(slot) = slot else { return ControlFlow::Continue(()) };
        slot.builder.clear();
        slot.epoch = epoch;
        slot.position = offset;
        if slot.stage == Stage::Looked {
            // A later start is one that was read from before.
            slot.state = State::Seeking(Instant::now());
            return ControlFlow::Continue(());
        }
        // librdkafka tells of a wrong offset late and stops the partition for good: look first.
        slot.state = State::Looking;
        self.ask_range(partition.clone(), epoch)
    }

    /// What a partition holds has been told; it may be read, if that holds its start.
    pub(super) fn looked(&mut self, partition: &TopicPartition, epoch: u64, range: Option<OffsetRange>) {
        let slot = self.slots.get(partition);
        let Some(slot) = slot.filter(|slot| slot.state == State::Looking && slot.epoch == epoch) else { return };
        let offset = slot.position;
        match range {
            Some(range) if offset < range.low || offset > range.high => {
                slot.state = State::Idle;
                self.link.notice(Notice::Failed(error::out_of_range(partition, range, offset)));
            }
            // Where the cluster does not say, reading will tell.
            looked => {
                if looked.is_some() {
                    slot.stage = Stage::Looked;
                }
                slot.state = State::Seeking(Instant::now());
            }
        }
    }

    /// Moves the partitions that wait for it, where librdkafka lets them be moved already.
    pub(super) fn start_fetching(&mut self) -> ControlFlow<()> {
        if !self.slots.any_waits_for_seek() {
            return ControlFlow::Continue(());
        }
        let mut wanted = TopicPartitionList::new();
        for slot in self.slots.iter().filter(|slot| matches!(slot.state, State::Seeking(_))) {
            let at = Offset::Offset(slot.position);
            if let Err(error) = wanted.add_partition_offset(&slot.partition.topic, slot.partition.partition, at) {
                let reason = format!("{} cannot be read from {}: {error}", slot.partition, slot.position);
                slot.state = State::Idle;
                self.link.notice(Notice::Failed(LogError::Invalid(reason)));
            }
        }
        let moved = match self.consumer.seek_partitions(wanted, CALL) {
            Ok(moved) => moved,
            Err(error) => return self.fail(format!("partitions cannot be moved: {error}")),
        };
        for element in moved.elements() {
            let partition = TopicPartition::new(element.topic(), element.partition());
            let Some(slot) = self.slots.get(&partition) else { continue };
            match (element.error(), slot.state) {
                (Ok(()), State::Seeking(_)) => slot.state = State::Reading,
                (Err(error), State::Seeking(since)) if !is_early(&error) || since.elapsed() > SEEK_DEADLINE => {
                    return self.fail(format!("{partition} cannot be moved: {error}"));
                }
                _ => {}
            }
        }
        if !self.held {
            self.resume();
        }
        ControlFlow::Continue(())
    }
}

/// Whether a partition cannot be moved yet: it is still being started or stopped.
fn is_early(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(code, Code::State | Code::PreviousInProgress | Code::InProgress | Code::OperationTimedOut)
    })
}
