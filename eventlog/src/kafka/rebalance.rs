//! How a member's thread follows the group: assigned, revoked, moved, failed.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use metrics::counter;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::consumer::{Member, Notice};
use super::error;
use super::slots::State;
use crate::{Assignment, LogError, Release, TopicPartition};

/// So long may the task keep revoked partitions; then they go, and the group's generation fences it.
const RELEASE_DEADLINE: Duration = Duration::from_secs(30);
/// So long is asked for the committed offsets of new partitions.
const COMMITTED_DEADLINE: Duration = Duration::from_secs(30);
/// So long may a partition take until it can be moved.
const SEEK_DEADLINE: Duration = Duration::from_secs(30);
/// A question whose answer can be done without.
const LOOK: Duration = Duration::from_secs(1);
/// One question to the cluster.
const CALL: Duration = Duration::from_secs(5);

impl Member {
    /// Takes new partitions in, each waiting for its start.
    pub(super) fn assign(&mut self, partitions: &[TopicPartition]) -> ControlFlow<()> {
        counter!("playledger_log_rebalances_total", "group" => self.group.clone(), "kind" => "assigned").increment(1);
        if let Some(stranger) = partitions.iter().find(|partition| !self.reads(partition)) {
            // A static member is given the share of whoever had its name before.
            return self.end(LogError::Invalid(format!(
                "group {} gives its member {} {stranger}, which this one does not read: members of other topics \
                 live in that group under the same name; give each deployment a group of its own",
                self.group, self.instance
            )));
        }
        let assignments = match self.committed(partitions) {
            Ok(assignments) => assignments,
            Err(reason) => return self.fail(reason),
        };
        let mut list = TopicPartitionList::with_capacity(assignments.len());
        for Assignment { partition, committed } in &assignments {
            let offset = committed.map_or(Offset::Beginning, Offset::Offset);
            if let Err(error) = list.add_partition_offset(&partition.topic, partition.partition, offset) {
                return self.fail(format!("{partition} was committed at an impossible offset: {error}"));
            }
        }
        if let Err(error) = self.consumer.incremental_assign(&list) {
            return self.fail(format!("the assigned partitions could not be taken: {error}"));
        }
        // Nothing is read until the task has named the start, perhaps after a long restore.
        if list.count() > 0
            && let Err(error) = self.consumer.pause(&list)
        {
            return self.fail(format!("the assigned partitions could not be paused: {error}"));
        }
        for assignment in &assignments {
            self.slots.add(assignment.partition.clone());
            if assignment.committed.is_some() {
                self.progress.insert(assignment.partition.clone());
            }
        }
        // A member without a share learns at least that it has joined.
        if !assignments.is_empty() || !self.joined {
            self.link.notice(Notice::Assigned(assignments));
        }
        self.joined = true;
        ControlFlow::Continue(())
    }

    fn reads(&self, partition: &TopicPartition) -> bool {
        self.topics.iter().any(|topic| *topic == *partition.topic)
    }

    /// Lets partitions go, as soon as the task has finished with them.
    pub(super) fn revoke(&mut self, partitions: &[TopicPartition]) -> ControlFlow<()> {
        let lost = self.consumer.assignment_lost();
        let kind = if lost { "lost" } else { "revoked" };
        counter!("playledger_log_rebalances_total", "group" => self.group.clone(), "kind" => kind).increment(1);
        for partition in partitions {
            if let Some(slot) = self.slots.get(partition) {
                slot.state = State::Leaving;
                slot.builder.clear();
            }
        }
        let mut ending = ControlFlow::Continue(());
        if !partitions.is_empty() && self.leaving.is_none() {
            let (release, released) = Release::new();
            self.link.notice(Notice::Revoked { partitions: partitions.to_owned(), lost, release });
            if !lost {
                ending = self.wait_for_release(released);
            }
        }
        let mut going = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions.iter().filter(|partition| self.slots.owns(partition)) {
            going.add_partition(&partition.topic, partition.partition);
        }
        if let Err(error) = self.consumer.incremental_unassign(&going) {
            return self.fail(format!("the revoked partitions could not be given up: {error}"));
        }
        self.slots.remove(partitions);
        ending
    }

    /// Commands are obeyed meanwhile: the task may be committing.
    fn wait_for_release(&mut self, mut released: oneshot::Receiver<()>) -> ControlFlow<()> {
        let until = Instant::now() + RELEASE_DEADLINE;
        while matches!(released.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            if Instant::now() >= until {
                tracing::warn!(group = %self.group, "revoked partitions were not released in {RELEASE_DEADLINE:?}; they go now");
                break;
            }
            if let Some(command) = self.link.wait_for_command(Duration::from_millis(2)) {
                self.obey(command)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Where the group's commits stand; asked again while the cluster cannot say, or says that there
    /// is none where there was one before.
    fn committed(&self, partitions: &[TopicPartition]) -> Result<Vec<Assignment>, String> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        let until = Instant::now() + COMMITTED_DEADLINE;
        loop {
            let reason = match self.consumer.committed_offsets(list.clone(), CALL) {
                Ok(found) => match self.assignments_of(&found) {
                    Ok(assignments) => return Ok(assignments),
                    Err(reason) => reason,
                },
                Err(error) if error::is_retriable(&error) => error.to_string(),
                Err(error) => return Err(format!("the group's offsets cannot be read: {error}")),
            };
            if Instant::now() >= until {
                return Err(format!("the group's offsets cannot be read for {COMMITTED_DEADLINE:?}: {reason}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn assignments_of(&self, found: &TopicPartitionList) -> Result<Vec<Assignment>, String> {
        let read = |element: &TopicPartitionListElem<'_>| {
            let partition = TopicPartition::new(element.topic(), element.partition());
            element.error().map_err(|error| format!("{partition}: {error}"))?;
            let committed = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ if self.progress.contains(&partition) => {
                    return Err(format!("{partition} had a committed offset and now has none"));
                }
                _ => None,
            };
            Ok(Assignment { partition, committed })
        };
        found.elements().iter().map(read).collect()
    }

    /// Notes where a partition is to be read from.
    pub(super) fn fetch(&mut self, partition: &TopicPartition, offset: i64, epoch: u64) {
        let Some(slot) = self.slots.get(partition).filter(|slot| slot.state != State::Leaving) else { return };
        slot.builder.clear();
        slot.epoch = epoch;
        slot.position = offset;
        // librdkafka tells of a wrong offset late and stops the partition for good: look first.
        match self.observer.range(partition, LOOK) {
            Ok(range) if offset < range.low || offset > range.high => {
                slot.state = State::Idle;
                self.link.notice(Notice::Failed(error::out_of_range(partition, range, offset)));
            }
            _ => slot.state = State::Seeking(Instant::now()),
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

    pub(super) fn take_error(
        &mut self,
        code: Code,
        fatal: bool,
        text: &str,
        partition: Option<(TopicPartition, i64)>,
    ) -> ControlFlow<()> {
        if error::is_fenced(code) {
            // Joining again would only throw the other out, and so on in turns.
            return self.end(LogError::Invalid(format!(
                "another process lives under the name {} in group {}: give each its own name",
                self.instance, self.group
            )));
        }
        if fatal || matches!(code, Code::GroupAuthorizationFailed | Code::TopicAuthorizationFailed) {
            return self.fail(format!("{code}: {text}"));
        }
        match (code, partition) {
            (Code::AutoOffsetReset | Code::OffsetOutOfRange, Some((partition, offset))) => {
                return self.out_of_range(&partition, offset);
            }
            (Code::PollExceeded, _) => {
                counter!("playledger_log_polls_missed_total", "group" => self.group.clone()).increment(1);
                tracing::error!(group = %self.group, "the group gave this member up because it did not poll: {text}");
            }
            _ => super::context::complaint(code, &format!("group {}: {text}", self.group)),
        }
        ControlFlow::Continue(())
    }

    /// The partition no longer holds what is to be read next; librdkafka has stopped it.
    fn out_of_range(&mut self, partition: &TopicPartition, offset: i64) -> ControlFlow<()> {
        let Some(slot) = self.slots.get(partition) else { return ControlFlow::Continue(()) };
        if slot.state != State::Reading {
            return ControlFlow::Continue(());
        }
        let wanted = slot.position.max(offset);
        slot.hand_over(&self.link);
        slot.state = State::Idle;
        match self.observer.range(partition, CALL) {
            Ok(range) => self.link.notice(Notice::Failed(error::out_of_range(partition, range, wanted))),
            Err(error) => return self.fail(format!("{partition} does not hold offset {wanted}; its range: {error}")),
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
