//! The thread that reads stretches of partitions.
//!
//! How far a stretch has been read is known by position, not by its last record: a partition's end as
//! librdkafka tells it lies behind markers and aborted records.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::batch::BatchBuilder;
use super::context::LogContext;
use super::error;
use super::link::Link;
use super::message::Message;
use super::native::{Event, EventQueue};
use super::observer::{CALL, Observer};
use crate::{Batch, LogError, Stretch, TopicPartition};

/// How long the thread sleeps when nothing comes; the reader's end wakes it.
const IDLE: Duration = Duration::from_millis(200);
/// So many events are taken in before it is looked whether there is room.
const BURST: usize = 1_000;

/// What the task tells the thread: to end.
pub(super) struct Stop;

pub(super) type ReaderLink = Link<Stop, LogError, (usize, Batch)>;

/// The thread's end.
pub(super) struct Reading {
    // The queue must go before its client: fields are dropped in this order.
    pub(super) queue: Arc<EventQueue>,
    pub(super) consumer: BaseConsumer<LogContext>,
    pub(super) link: Arc<ReaderLink>,
    pub(super) observer: Arc<Observer>,
    pub(super) stretches: Vec<Progress>,
    /// Which stretch the last message was of.
    pub(super) last: usize,
}

/// How far a stretch has been read.
pub(super) struct Progress {
    pub(super) stretch: Stretch,
    handle: Option<usize>,
    pub(super) position: i64,
    builder: BatchBuilder,
    pub(super) done: bool,
}

impl Progress {
    /// A stretch of which nothing has been read.
    pub(super) fn of(stretch: Stretch) -> Self {
        let position = stretch.from;
        let done = stretch.until.is_some_and(|until| until <= position);
        Self { stretch, handle: None, position, builder: BatchBuilder::default(), done }
    }
}

impl Reading {
    /// Reads until every stretch is done, or until told to stop.
    pub(super) fn run(mut self) {
        let link = Arc::clone(&self.link);
        // Goes before `self`, and with it the link's hold on the queue, which must go before its client.
        let _ending = link.ending();
        while self.stretches.iter().any(|progress| !progress.done) {
            if self.link.next_command().is_some() {
                break;
            }
            if !self.link.wait_for_room(IDLE) {
                continue;
            }
            if let Err(error) = self.burst() {
                self.link.notice(error);
                break;
            }
        }
    }

    fn burst(&mut self) -> Result<(), LogError> {
        let queue = Arc::clone(&self.queue);
        let mut wait = IDLE;
        for _ in 0..BURST {
            let Some(event) = queue.poll(wait) else {
                for index in 0..self.stretches.len() {
                    self.hand_over(index);
                }
                break;
            };
            match event.read() {
                Event::Message(message) => self.take_message(&message),
                Event::End { partition, offset } => self.take_end(&partition, offset),
                Event::Error { code, fatal, text, partition } => self.take_error(code, fatal, &text, partition)?,
                Event::Log { level, facility, text } => super::context::log(level, &facility, &text),
                _ => {}
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn take_message(&mut self, message: &Message<'_>) {
        let Some(index) = self.of_message(message) else { return };
        let progress = &mut self.stretches[index];
        if progress.done || message.offset() < progress.position {
            return;
        }
        if let Some(until) = progress.stretch.until.filter(|until| message.offset() >= *until) {
            return self.finish(index, until);
        }
        progress.position = message.offset() + 1;
        progress.builder.push(message, true);
        if progress.stretch.until == Some(progress.position) {
            self.finish(index, message.offset() + 1);
        } else if self.stretches[index].builder.is_full() {
            self.hand_over(index);
        }
    }

    /// Everything visible below `offset` has come; what lies between are markers and the like.
    fn take_end(&mut self, partition: &TopicPartition, offset: i64) {
        let found = self.stretches.iter().position(|progress| progress.stretch.partition == *partition);
        let Some(index) = found else { return };
        let progress = &mut self.stretches[index];
        if progress.done || offset < progress.position {
            return;
        }
        if let Some(until) = progress.stretch.until.filter(|until| offset >= *until) {
            return self.finish(index, until);
        }
        let passed = offset > progress.position;
        progress.position = offset;
        if passed && progress.builder.is_empty() {
            let partition = progress.stretch.partition.clone();
            self.link.item(0, (index, Batch { partition, records: Vec::new(), next_offset: offset }));
        } else {
            self.hand_over(index);
        }
    }

    /// The stretch has been read to its end.
    fn finish(&mut self, index: usize, until: i64) {
        let progress = &mut self.stretches[index];
        progress.done = true;
        progress.position = until;
        let partition = progress.stretch.partition.clone();
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.topic, partition.partition);
        let size = progress.builder.bytes();
        let batch = progress.builder.take(partition, until);
        self.link.item(size, (index, batch));
        if let Err(error) = self.consumer.pause(&list) {
            tracing::debug!(%error, "a partition that has been read could not be paused");
        }
    }

    fn hand_over(&mut self, index: usize) {
        let progress = &mut self.stretches[index];
        if !progress.builder.is_empty() {
            let size = progress.builder.bytes();
            let batch = progress.builder.take(progress.stretch.partition.clone(), progress.position);
            self.link.item(size, (index, batch));
        }
    }

    fn of_message(&mut self, message: &Message<'_>) -> Option<usize> {
        let (handle, partition) = (message.topic_handle(), message.partition());
        let is_it =
            |progress: &Progress| progress.handle == Some(handle) && progress.stretch.partition.partition == partition;
        if !self.stretches.get(self.last).is_some_and(is_it) {
            self.last = match self.stretches.iter().position(is_it) {
                Some(found) => found,
                None => self.learn(message)?,
            };
        }
        Some(self.last)
    }

    fn learn(&mut self, message: &Message<'_>) -> Option<usize> {
        let partition = TopicPartition::new(message.topic(), message.partition());
        let found = self.stretches.iter().position(|progress| progress.stretch.partition == partition)?;
        self.stretches[found].handle = Some(message.topic_handle());
        Some(found)
    }

    fn take_error(
        &self,
        code: Code,
        fatal: bool,
        text: &str,
        partition: Option<(TopicPartition, i64)>,
    ) -> Result<(), LogError> {
        match (code, partition) {
            (Code::AutoOffsetReset | Code::OffsetOutOfRange, Some((partition, offset))) => {
                let range = self.observer.range(&partition, CALL)?;
                Err(error::out_of_range(&partition, range, offset))
            }
            (Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition, Some((partition, _))) => {
                Err(LogError::NotFound(partition.to_string()))
            }
            (Code::TopicAuthorizationFailed, _) => Err(error::of_code(code, text)),
            _ if fatal => Err(LogError::Fatal(format!("{code}: {text}"))),
            _ => {
                super::context::complaint(code, text);
                Ok(())
            }
        }
    }
}
