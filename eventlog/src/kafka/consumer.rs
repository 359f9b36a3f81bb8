//! The thread that polls for a member of a group.
//!
//! One thread owns the consumer: it polls, follows rebalances, moves partitions to where they are
//! asked for and hands batches to the task. It never waits for the task for long: when there is no
//! room it pauses the partitions and goes on polling, so that the group does not miss it.

use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::counter;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::context::MemberContext;
use super::message::Message;
use super::messages::{Command, Content, Item, MemberLink, Notice};
use super::native::{Event, EventQueue};
use super::observer::Observer;
use super::rebalance::{Going, Rebalance};
use super::slots::{Slots, State};
use crate::{Abort, AbortCause, CommitError, LogError, TopicPartition};

/// How long the thread sleeps when nothing happens; a command wakes it.
const IDLE: Duration = Duration::from_millis(200);
/// The same while it waits for something that does not wake it.
const WATCH: Duration = Duration::from_millis(5);
/// So many events are taken in before commands are looked at again.
const BURST: usize = 1_000;
/// When the task takes nothing for so long, partitions are paused and polling goes on.
const HOLD_AFTER: Duration = Duration::from_millis(500);

/// So long may it take until the group has been told that a member leaves.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

/// A member's consumer and what the thread knows of its share.
pub(super) struct Member {
    // The queue must go before its client: fields are dropped in this order.
    pub(super) queue: Arc<EventQueue>,
    pub(super) consumer: BaseConsumer<MemberContext>,
    pub(super) link: Arc<MemberLink>,
    pub(super) observer: Arc<Observer>,
    pub(super) group: String,
    pub(super) instance: String,
    /// Whether records are handed over with their headers.
    pub(super) headers: bool,
    /// What it has subscribed to.
    pub(super) topics: Vec<String>,
    pub(super) slots: Slots,
    /// Counts what was assigned, so that an answer about an earlier share is known.
    pub(super) assignments: u64,
    /// What the group wants, in order, while partitions are being let go.
    pub(super) rebalances: VecDeque<Rebalance>,
    /// Partitions that the task has yet to let go.
    pub(super) going: Option<Going>,
    /// Partitions that the group is known to have committed.
    pub(super) progress: HashSet<TopicPartition>,
    /// Who waits for the outcome of an offset commit, in order.
    pub(super) commits: VecDeque<oneshot::Sender<Result<(), CommitError>>>,
    pub(super) joined: bool,
    /// When the group last gave its partitions away because it had not been heard of.
    pub(super) lost: Option<Instant>,
    /// Since when it has been leaving the group.
    pub(super) leaving: Option<Instant>,
    pub(super) full_since: Option<Instant>,
    pub(super) held: bool,
}

impl Member {
    /// Polls until told to end or until the membership is beyond repair.
    pub(super) fn run(mut self) {
        let link = Arc::clone(&self.link);
        // Goes before `self`, and with it the link's hold on the queue, which must go before its client.
        let _ending = link.ending();
        while self.step().is_continue() {}
    }

    fn step(&mut self) -> ControlFlow<()> {
        while let Some(command) = self.link.next_command() {
            self.obey(command)?;
        }
        if self.has_left() {
            return ControlFlow::Break(());
        }
        self.follow()?;
        self.start_fetching()?;
        if self.make_room().is_none() {
            return ControlFlow::Continue(());
        }
        let watching = self.slots.any_waits_for_seek() || self.going.is_some();
        let mut wait = if watching { WATCH } else { IDLE };
        if self.held || self.leaving.is_some() {
            wait = wait.min(Duration::from_millis(20));
        }
        let queue = Arc::clone(&self.queue);
        for _ in 0..BURST {
            let Some(event) = queue.poll(wait) else {
                self.hand_over_all();
                break;
            };
            self.take(event.read())?;
            wait = Duration::ZERO;
        }
        ControlFlow::Continue(())
    }

    /// Whether the group has been told that this member leaves. A consumer that is closed earlier
    /// says nothing, because its name is a static one, and the group misses it only after a while.
    fn has_left(&self) -> bool {
        let Some(since) = self.leaving else { return false };
        let told = self.slots.is_empty() && !super::native::is_member(self.consumer.client().native_ptr());
        told || since.elapsed() > LEAVE_PATIENCE
    }

    fn take(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Message(message) => self.take_message(&message),
            Event::End { partition, offset } => self.take_end(&partition, offset),
            Event::Assign(partitions) => return self.rebalance(Rebalance::Assign(partitions)),
            Event::Revoke(partitions) => return self.rebalance(Rebalance::Revoke(partitions)),
            Event::Error { code, fatal, text, partition } => return self.take_error(code, fatal, &text, partition),
            Event::Committed(outcome) => {
                if let Some(reply) = self.commits.pop_front() {
                    let outcome = outcome.map_err(aborted);
                    // Who asked may be gone.
                    let _ = reply.send(outcome);
                }
            }
            Event::Log { level, facility, text } => super::context::log(level, &facility, &text),
            // A consumer sends nothing.
            Event::Delivered(_) | Event::Other => {}
        }
        ControlFlow::Continue(())
    }

    fn take_message(&mut self, message: &Message<'_>) {
        let Some(slot) = self.slots.of_message(message) else { return };
        // Below the position: left over from before a seek.
        if slot.state != State::Reading || message.offset() < slot.position {
            return;
        }
        slot.position = message.offset() + 1;
        slot.builder.push(message, self.headers);
        if slot.builder.is_full() {
            slot.hand_over(&self.link);
        }
    }

    fn take_end(&mut self, partition: &TopicPartition, offset: i64) {
        let Some(slot) = self.slots.get(partition) else { return };
        if slot.state != State::Reading || offset < slot.position {
            return;
        }
        slot.hand_over(&self.link);
        slot.position = offset;
        let content = Content::CaughtUp { partition: partition.clone(), position: offset };
        self.link.item(0, Item { epoch: slot.epoch, bytes: 0, content });
    }

    pub(super) fn obey(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Fetch { partition, offset, epoch } => return self.fetch(&partition, offset, epoch),
            Command::Hold { partition, held } => self.hold(&partition, held),
            Command::Found(found) => return self.found(found),
            Command::Metadata { partitions, reply } => {
                let _ = reply.send(self.metadata(&partitions));
            }
            Command::Progressed(partitions) => self.progress.extend(partitions),
            Command::Commit { offsets, reply } => self.commit(&offsets, reply),
            Command::Leave => {
                self.leaving = Some(Instant::now());
                self.consumer.unsubscribe();
            }
            Command::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Tells the task that the membership is over.
    pub(super) fn fail(&self, reason: String) -> ControlFlow<()> {
        self.end(LogError::Fatal(reason))
    }

    pub(super) fn end(&self, why: LogError) -> ControlFlow<()> {
        self.link.notice(Notice::Failed(why));
        ControlFlow::Break(())
    }

    fn metadata(&self, partitions: &[TopicPartition]) -> Result<super::Metadata, Abort> {
        let not = |cause, why: &str| Abort { cause, why: why.to_owned() };
        if self.consumer.assignment_lost() {
            return Err(not(AbortCause::NotOwned, "the group has taken this member's partitions away"));
        }
        if let Some(stranger) = partitions.iter().find(|partition| !self.slots.owns(partition)) {
            return Err(not(AbortCause::NotOwned, &format!("{stranger} is not this member's any more")));
        }
        let metadata = self
            .consumer
            .group_metadata()
            .ok_or_else(|| not(AbortCause::Rebalance, "the group's metadata is not known"))?;
        // Asked after the metadata were taken: what is negative now may have been so then, and the
        // broker does not fence who names no generation.
        if super::native::generation(self.consumer.client().native_ptr()) < 0 {
            return Err(not(AbortCause::Rebalance, "this member is not in the group at the moment"));
        }
        Ok(metadata)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, i64)], reply: oneshot::Sender<Result<(), CommitError>>) {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        let added = offsets.iter().try_for_each(|(partition, offset)| {
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*offset))
        });
        let code = match added {
            Ok(()) => self.queue.commit(self.consumer.client().native_ptr(), &list),
            Err(_) => Code::InvalidArgument,
        };
        if code == Code::NoError {
            self.commits.push_back(reply);
        } else {
            // Who asked may be gone.
            let _ = reply.send(Err(aborted(code)));
        }
    }

    fn hand_over_all(&mut self) {
        for slot in self.slots.iter() {
            slot.hand_over(&self.link);
        }
    }

    /// Has librdkafka fetch nothing of a partition while the task wants nothing of it.
    fn hold(&mut self, partition: &TopicPartition, held: bool) {
        let Some(slot) = self.slots.get(partition).filter(|slot| slot.state != State::Leaving) else { return };
        slot.held = held;
        if !held {
            if !self.held {
                self.resume();
            }
        } else if !slot.paused {
            slot.paused = true;
            let mut list = TopicPartitionList::new();
            list.add_partition(&partition.topic, partition.partition);
            if let Err(error) = self.consumer.pause(&list) {
                tracing::warn!(%error, %partition, "a partition could not be paused");
            }
        }
    }

    /// Waits a little for the task to take something; none when commands come first.
    fn make_room(&mut self) -> Option<()> {
        if self.link.has_room() {
            self.full_since = None;
            if std::mem::take(&mut self.held) {
                self.resume();
            }
            return Some(());
        }
        if self.held {
            return Some(());
        }
        let since = *self.full_since.get_or_insert_with(Instant::now);
        if self.link.wait_for_room(Duration::from_millis(50)) || since.elapsed() < HOLD_AFTER {
            return None;
        }
        counter!("playledger_log_holds_total", "group" => self.group.clone()).increment(1);
        tracing::debug!(group = %self.group, "records are not taken; reading pauses");
        self.pause();
        self.held = true;
        Some(())
    }

    fn pause(&mut self) {
        let reading = self.slots.list(|slot| slot.state == State::Reading && !slot.paused && !slot.held);
        match self.consumer.pause(&reading) {
            Ok(()) => self.slots.set_paused(true),
            Err(error) => tracing::warn!(%error, "partitions could not be paused"),
        }
    }

    /// Lets flow what is to be read and was paused. What was not paused is left alone: librdkafka
    /// would drop what it has fetched of it.
    pub(super) fn resume(&mut self) {
        let paused = self.slots.list(|slot| slot.state == State::Reading && slot.paused && !slot.held);
        if paused.count() == 0 {
            return;
        }
        match self.consumer.resume(&paused) {
            Ok(()) => self.slots.set_paused(false),
            Err(error) => tracing::warn!(%error, "partitions could not be resumed"),
        }
    }
}

/// What it means that offsets were not committed.
fn aborted(code: Code) -> CommitError {
    CommitError::aborted(super::error::cause(Some(code)), code.to_string())
}
