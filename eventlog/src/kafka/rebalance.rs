//! How a member's thread follows the group: assigned, revoked, failed.
//!
//! The thread goes on polling all the while: what has to be asked of the cluster is asked aside
//! ([`super::question`]), and partitions that go are given up when the task has let them go.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use metrics::counter;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::consumer::Member;
use super::error::{self, Holder};
use super::messages::Notice;
use super::observer::CALL;
use super::slots::{Stage, State};
use crate::{Assignment, LogError, Release, TopicPartition};

/// So long may the task keep revoked partitions; then they go, and the group's generation fences it.
const RELEASE_DEADLINE: Duration = Duration::from_secs(30);

/// Where partitions are said to begin before their start is named. A number, although nothing is fetched there: where
/// the end is to be looked up, and the answer comes when they have been moved already, librdkafka looks again half a
/// second later and goes on from the end of then, past all that has come meanwhile.
const NOWHERE: Offset = Offset::Offset(0);

/// What the group wants.
pub(super) enum Rebalance {
    /// These are new.
    Assign(Vec<TopicPartition>),
    /// These go.
    Revoke(Vec<TopicPartition>),
}

/// Partitions that the task has yet to let go.
pub(super) struct Going {
    partitions: Vec<TopicPartition>,
    released: oneshot::Receiver<()>,
    since: Instant,
}

impl Going {
    fn is_over(&mut self, group: &str) -> bool {
        if !matches!(self.released.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return true;
        }
        let late = self.since.elapsed() >= RELEASE_DEADLINE;
        if late {
            tracing::warn!(group, "revoked partitions were not released in {RELEASE_DEADLINE:?}; they go now");
        }
        late
    }
}

impl Member {
    /// Notes what the group wants, and does it as soon as what it wanted before is done.
    pub(super) fn rebalance(&mut self, wanted: Rebalance) -> ControlFlow<()> {
        self.rebalances.push_back(wanted);
        self.follow()
    }

    /// Does what the group wants, in order, until partitions have to be waited for.
    pub(super) fn follow(&mut self) -> ControlFlow<()> {
        loop {
            if let Some(mut going) = self.going.take() {
                if !going.is_over(&self.group) {
                    self.going = Some(going);
                    return ControlFlow::Continue(());
                }
                self.give_up(&going.partitions)?;
            }
            match self.rebalances.pop_front() {
                None => return ControlFlow::Continue(()),
                Some(Rebalance::Assign(partitions)) => self.assign(&partitions)?,
                Some(Rebalance::Revoke(partitions)) => self.revoke(&partitions)?,
            }
        }
    }

    /// Takes new partitions in. The task is told when the cluster has said what is committed of them; each then
    /// waits for its start.
    fn assign(&mut self, partitions: &[TopicPartition]) -> ControlFlow<()> {
        counter!("playledger_log_rebalances_total", "group" => self.group.clone(), "kind" => "assigned").increment(1);
        if let Some(stranger) = partitions.iter().find(|partition| !self.reads(partition)) {
            // A static member is given the share of whoever had its name before.
            return self.end(LogError::Invalid(format!(
                "group {} gives its member {} {stranger}, which this one does not read: members of other topics \
                 live in that group under the same name; give each deployment a group of its own",
                self.group, self.instance
            )));
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            if let Err(error) = list.add_partition_offset(&partition.topic, partition.partition, NOWHERE) {
                return self.fail(format!("{partition} cannot be taken: {error}"));
            }
        }
        // Nothing is read until the task has named the start, perhaps after a long restore: so that nothing is fetched
        // before, it pauses first. What librdkafka does not know as yet is fetched by nobody, and pauses below.
        if let Err(error) = self.pause_all(&list) {
            return self.fail(format!("the assigned partitions could not be paused: {error}"));
        }
        if let Err(error) = self.consumer.incremental_assign(&list) {
            return self.fail(format!("the assigned partitions could not be taken: {error}"));
        }
        if let Err(error) = self.pause_all(&list) {
            return self.fail(format!("the assigned partitions could not be paused: {error}"));
        }
        self.assignments += 1;
        for partition in partitions {
            self.slots.add(partition.clone(), self.assignments);
        }
        // A member without a share learns at least that it has joined.
        let joined = std::mem::replace(&mut self.joined, true);
        if !partitions.is_empty() {
            return self.ask_committed(partitions.to_vec());
        }
        if !joined {
            self.link.notice(Notice::Assigned(Vec::new()));
        }
        ControlFlow::Continue(())
    }

    fn pause_all(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        if partitions.count() == 0 { Ok(()) } else { self.consumer.pause(partitions) }
    }

    fn reads(&self, partition: &TopicPartition) -> bool {
        self.topics.iter().any(|topic| *topic == *partition.topic)
    }

    /// Tells the task of its new partitions: those of this assignment that have not gone meanwhile.
    pub(super) fn tell_assigned(&mut self, assignment: u64, assigned: Vec<Assignment>) {
        let mut told = Vec::with_capacity(assigned.len());
        for found in assigned {
            let slot = self.slots.get(&found.partition);
            let Some(slot) = slot.filter(|slot| slot.assignment == assignment && slot.state != State::Leaving) else {
                continue;
            };
            slot.stage = Stage::Told;
            if found.committed.is_some() {
                self.progress.insert(found.partition.clone());
            }
            told.push(found);
        }
        if !told.is_empty() {
            self.link.notice(Notice::Assigned(told));
        }
    }

    /// Has the task let partitions go; those that are lost, or that it never heard of, go at once.
    fn revoke(&mut self, partitions: &[TopicPartition]) -> ControlFlow<()> {
        let lost = self.consumer.assignment_lost();
        if lost {
            self.lost = Some(Instant::now());
        }
        let kind = if lost { "lost" } else { "revoked" };
        counter!("playledger_log_rebalances_total", "group" => self.group.clone(), "kind" => kind).increment(1);
        let mut told = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let Some(slot) = self.slots.get(partition) else { continue };
            slot.state = State::Leaving;
            slot.builder.clear();
            if slot.stage != Stage::Untold {
                told.push(partition.clone());
            }
        }
        let leaving = self.slots.list(|slot| slot.state == State::Leaving);
        if leaving.count() > 0
            && let Err(error) = self.consumer.pause(&leaving)
        {
            tracing::warn!(%error, "partitions that go could not be paused");
        }
        if told.is_empty() || self.leaving.is_some() {
            return self.give_up(partitions);
        }
        let (release, released) = Release::new();
        self.link.notice(Notice::Revoked { partitions: told, lost, release });
        if lost {
            return self.give_up(partitions);
        }
        self.going = Some(Going { partitions: partitions.to_owned(), released, since: Instant::now() });
        ControlFlow::Continue(())
    }

    /// Tells the group that these may go to another member.
    fn give_up(&mut self, partitions: &[TopicPartition]) -> ControlFlow<()> {
        let mut going = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions.iter().filter(|partition| self.slots.owns(partition)) {
            going.add_partition(&partition.topic, partition.partition);
        }
        if let Err(error) = self.consumer.incremental_unassign(&going) {
            return self.fail(format!("the revoked partitions could not be given up: {error}"));
        }
        self.slots.remove(partitions);
        ControlFlow::Continue(())
    }

    pub(super) fn take_error(
        &mut self,
        code: Code,
        fatal: bool,
        text: &str,
        partition: Option<(TopicPartition, i64)>,
    ) -> ControlFlow<()> {
        match error::fenced_by(code, text, self.lost.map(|lost| lost.elapsed())) {
            Some(Holder::Itself) => {
                return self.fail(format!("offsets were committed by a membership that is over: {text}"));
            }
            // Joining again would only throw the other out, and so on in turns.
            Some(Holder::Another) => {
                return self.end(LogError::Invalid(format!(
                    "another process lives under the name {} in group {}: give each its own name",
                    self.instance, self.group
                )));
            }
            None => {}
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
