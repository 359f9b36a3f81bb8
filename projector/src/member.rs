//! A member of the group at work: what it owns, what waits, what is being written.

mod loads;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use daemon::{Component, Shell};
use eventlog::{Batch, EventLog, GroupEvent, LogError, Membership, TopicPartition};
use schemas::record::VERSION;
use schemas::topics::Topic;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::assign::{Taken, Takeover, take_over};
use crate::backoff::{Backoff, unless_draining};
use crate::decode::decode;
use crate::ends::Ends;
use crate::freshness::Freshness;
use crate::hint::Hint;
use crate::load::Entry;
use crate::pending::Pending;
use crate::topics::Topics;
use crate::write::{Report, Sink};
use loads::finished;

/// How often metrics and health are told.
const TICK: Duration = Duration::from_secs(1);
/// How often it is looked whether all that was written still stands.
const LOOK: Duration = Duration::from_secs(5);
/// How long a revocation waits for the load under way; the epoch protects what comes after.
const LET_GO: Duration = Duration::from_secs(10);
/// How long a drain waits for what is being written; then for the group to be left.
const DRAIN: Duration = Duration::from_secs(18);
const LEAVE: Duration = Duration::from_secs(4);

/// How a membership ended.
pub(crate) enum End {
    /// As it was told.
    Drained,
    /// The log dropped it: join again.
    Dropped(String),
}

/// A member of the group.
pub(crate) struct Member<'a> {
    log: &'a Arc<dyn EventLog>,
    topics: &'a Topics,
    sink: Arc<Sink>,
    shell: &'a Shell,
    component: &'a Component,
    membership: Box<dyn Membership>,
    owned: HashMap<TopicPartition, Owned>,
    pending: Pending,
    writing: Option<JoinHandle<anyhow::Result<Report>>>,
    /// A load was left unwritten, because a drain ran out of time.
    left: bool,
    /// Why this membership must end and another be begun.
    over: Option<String>,
    freshness: Freshness,
    ends: Ends,
    hint: Hint,
    /// When to look how the partitions stand.
    look: Instant,
}

/// A partition that this member reads.
struct Owned {
    topic: Topic,
    epoch: i64,
    /// What the offsets row says once everything handed to the sink stands.
    handed: i64,
    /// The next offset to be read.
    position: i64,
}

impl<'a> Member<'a> {
    pub(crate) fn new(
        log: &'a Arc<dyn EventLog>,
        topics: &'a Topics,
        sink: Arc<Sink>,
        shell: &'a Shell,
        component: &'a Component,
        membership: Box<dyn Membership>,
    ) -> Self {
        let hint = Hint::new(membership.committer());
        Self {
            log,
            topics,
            sink,
            shell,
            component,
            membership,
            owned: HashMap::new(),
            pending: Pending::default(),
            writing: None,
            left: false,
            over: None,
            freshness: Freshness::default(),
            ends: Ends::new(Arc::clone(log)),
            hint,
            look: Instant::now() + LOOK,
        }
    }

    /// Works until told to drain or until the log drops it.
    pub(crate) async fn run(mut self) -> anyhow::Result<End> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            if let Some(why) = self.over.take() {
                self.finish_writing(LET_GO).await?;
                return Ok(End::Dropped(why));
            }
            let due = self.pending.due().filter(|_| self.writing.is_none());
            tokio::select! {
                biased;
                () = self.shell.shutdown.draining() => break,
                outcome = finished(&mut self.writing), if self.writing.is_some() => {
                    self.writing = None;
                    self.settle(outcome?)?;
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.hand_over(),
                _ = tick.tick() => self.tell(),
                event = self.membership.next(), if self.pending.has_room() => match event {
                    Ok(event) => self.take(event).await?,
                    // Snapshots of a day ago are of no use: a new claim goes on from what is left.
                    Err(error @ LogError::OutOfRange { .. }) if self.may_skip(&error) => self.over = Some(error.to_string()),
                    Err(error @ (LogError::Fatal(_) | LogError::Unavailable(_))) => self.over = Some(error.to_string()),
                    Err(error) => return Err(error.into()),
                },
            }
        }
        self.drain().await
    }

    async fn take(&mut self, event: GroupEvent) -> anyhow::Result<()> {
        match event {
            GroupEvent::Assigned(assigned) => {
                let partitions = assigned.into_iter().map(|assignment| assignment.partition).collect();
                self.own(partitions).await
            }
            GroupEvent::Revoked { partitions, lost, release } => {
                for partition in &partitions {
                    self.pending.remove(partition);
                    self.freshness.disown(partition);
                    self.hint.forget(partition);
                    self.owned.remove(partition);
                }
                if !lost {
                    self.finish_writing(LET_GO).await?;
                }
                release.done();
                Ok(())
            }
            GroupEvent::Records(batch) => self.read(batch),
            GroupEvent::CaughtUp { partition, position } => {
                self.extend(&partition, position, Vec::new());
                Ok(())
            }
        }
    }

    async fn own(&mut self, partitions: Vec<TopicPartition>) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(self.shell, self.component);
        let work = Box::pin(take_over(&**self.log, self.sink.store(), self.topics, partitions, &mut backoff));
        let taken = match unless_draining(self.shell, self.component, work).await.transpose()? {
            Some(Takeover::Done(taken)) => taken,
            Some(Takeover::Outdated(why)) => {
                self.over = Some(why);
                return Ok(());
            }
            None => return Ok(()),
        };
        for Taken { partition, topic, topic_id, claim, start } in taken {
            tracing::info!(%partition, start, epoch = claim.epoch, "taken over");
            self.sink.know(&partition.topic, &topic_id);
            self.fetch_from(&partition, start)?;
            self.freshness.own(partition.clone(), claim.next_offset);
            let owned = Owned { topic, epoch: claim.epoch, handed: claim.next_offset, position: start };
            self.owned.insert(partition, owned);
        }
        Ok(())
    }

    fn fetch_from(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        match self.membership.fetch_from(partition, offset) {
            // It has gone meanwhile; the group tells so next.
            Err(LogError::NotFound(_)) => {}
            Err(error @ LogError::Fatal(_)) => self.over = Some(error.to_string()),
            outcome => outcome?,
        }
        Ok(())
    }

    fn read(&mut self, batch: Batch) -> anyhow::Result<()> {
        let Some(owned) = self.owned.get(&batch.partition) else { return Ok(()) };
        let (topic, position) = (owned.topic, owned.position);
        let mut entries = Vec::with_capacity(batch.records.len());
        for record in batch.records {
            if record.offset < position {
                continue;
            }
            let told = decode(topic, &record).map_err(|newer| {
                anyhow::anyhow!(
                    "{} holds at offset {} a record of form {}; this projector reads up to {VERSION}: upgrade it first",
                    batch.partition,
                    record.offset,
                    newer.0
                )
            })?;
            entries.push(Entry::new(record, told));
        }
        self.extend(&batch.partition, batch.next_offset, entries);
        Ok(())
    }

    /// What follows in a partition waits for its transaction; nothing where it has been read before.
    fn extend(&mut self, partition: &TopicPartition, next: i64, entries: Vec<Entry>) {
        let Some(owned) = self.owned.get_mut(partition) else { return };
        if next <= owned.position && entries.is_empty() && next <= owned.handed {
            return;
        }
        owned.position = owned.position.max(next);
        let oldest = entries.iter().map(|entry| entry.record.timestamp_ms).min();
        self.freshness.read(partition, next, oldest);
        self.pending.extend(partition, owned.epoch, owned.handed, owned.position, entries);
    }

    fn tell(&mut self) {
        self.component.beat();
        if self.writing.is_none() && self.over.is_none() && self.look <= Instant::now() {
            self.look_after();
        }
        self.ends.ask(self.owned.keys());
        self.freshness.publish(&self.topics.names(), &self.ends, self.shell.clock.now_ms());
        self.hint.give();
    }

    fn may_skip(&self, error: &LogError) -> bool {
        matches!(error, LogError::OutOfRange { topic, .. } if self.topics.named(topic) == Some(Topic::Live))
    }

    /// Writes what has been read and leaves.
    async fn drain(mut self) -> anyhow::Result<End> {
        let shutdown = self.shell.shutdown.clone();
        let last = async {
            self.finish_writing(DRAIN).await?;
            if self.writing.is_none() && !self.left && self.pending.due().is_some() {
                self.hand_over();
                self.finish_writing(DRAIN).await?;
            }
            anyhow::Ok(())
        };
        tokio::select! {
            outcome = timeout(DRAIN, last) => if let Ok(outcome) = outcome { outcome? },
            () = shutdown.ending() => return Ok(End::Drained),
        }
        self.hint.give_last().await;
        match timeout(LEAVE, self.membership.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::info!(%error, "the group was not left in order; it will miss this projector by itself");
            }
            Err(_) => tracing::info!("the group did not answer; it will miss this projector by itself"),
        }
        Ok(End::Drained)
    }
}
