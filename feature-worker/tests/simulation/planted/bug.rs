//! The bugs: decorators of the log's traits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use eventlog::simulated::SimulatedLog;
use eventlog::{
    AbortCause, AppendOptions, Appender, Batch, Commit, CommitError, Committer, EventLog, GroupEvent, GroupOptions,
    LogError, Membership, NewRecord, OffsetRange, ReadRequest, Reader, Release, TopicCheck, TopicInfo, TopicPartition,
    TopicSpec,
};
use feature_worker::state::PARTITION_KEY;
use schemas::topics::Topic;

use crate::run::PREFIX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// After an aborted commit reading goes on where it was.
    NoRewind,
    /// State is restored to the last stable offset, not to the high watermark.
    RestoreToStable,
    /// Offsets are committed, and outputs after them.
    OffsetsFirst,
    /// Tombstones of the changelog are not written.
    NoTombstones,
    /// A commit of unknown outcome is taken for aborted.
    UnknownIsAborted,
    /// A commit of unknown outcome is taken for done.
    UnknownIsDone,
    /// The log takes commits under an older generation.
    StaleGeneration,
    /// Partitions are let go before the commit under way has ended, and the log asks only who commits.
    EarlyRelease,
    /// The last batch of a restore is missing.
    RestoreShort,
    /// The last record of a read-back is missing.
    ReadBackShort,
    /// Every seventh state of a session is lost.
    LostStates,
    /// What was read before a move is handed out after it.
    OldItems,
}

/// A log with a bug in front of it.
pub(super) struct Planted {
    pub(super) log: SimulatedLog,
    pub(super) bug: Bug,
}

fn is_of(topic: Topic, partition: &TopicPartition) -> bool {
    *partition.topic == topic.name(PREFIX)
}

#[async_trait]
impl EventLog for Planted {
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.log.ensure_topics(specs).await
    }

    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.log.check_topics(specs).await
    }

    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        self.log.topic(name).await
    }

    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        let mut range = self.log.offsets(partition).await?;
        if self.bug == Bug::RestoreToStable && is_of(Topic::SessionState, partition) {
            range.high = self.log.cluster().last_stable(partition)?;
        }
        Ok(range)
    }

    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        self.log.offset_at(partition, timestamp_ms).await
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        self.log.committed(group, partitions).await
    }

    async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        self.log.appender(options).await
    }

    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        let member = self.log.join(options).await?;
        Ok(Box::new(Member { inner: member, bug: self.bug, handed_out: BTreeMap::new(), again: VecDeque::new() }))
    }

    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        let of = |topic| request.stretches.iter().all(|stretch| is_of(topic, &stretch.partition));
        let short = match self.bug {
            Bug::RestoreShort if of(Topic::SessionState) => Some(Short::Batch),
            Bug::ReadBackShort if of(Topic::Events) => Some(Short::Record),
            _ => None,
        };
        let reader = self.log.read(request).await?;
        Ok(match short {
            Some(short) => Box::new(ShortReader { reader, short, held: None }),
            None => reader,
        })
    }
}

/// A membership with a bug in front of it.
struct Member {
    inner: Box<dyn Membership>,
    bug: Bug,
    /// Of each partition that is being read, what was handed out last.
    handed_out: BTreeMap<TopicPartition, Option<Batch>>,
    /// To be handed out once more.
    again: VecDeque<Batch>,
}

#[async_trait]
impl Membership for Member {
    async fn next(&mut self) -> Result<GroupEvent, LogError> {
        if let Some(batch) = self.again.pop_front() {
            return Ok(GroupEvent::Records(batch));
        }
        Ok(match self.inner.next().await? {
            GroupEvent::Revoked { partitions, lost, release } => {
                self.handed_out.retain(|partition, _| !partitions.contains(partition));
                if self.bug == Bug::EarlyRelease {
                    release.done();
                    GroupEvent::Revoked { partitions, lost, release: Release::new().0 }
                } else {
                    GroupEvent::Revoked { partitions, lost, release }
                }
            }
            GroupEvent::Records(batch) => {
                self.handed_out.insert(batch.partition.clone(), Some(batch.clone()));
                GroupEvent::Records(batch)
            }
            event => event,
        })
    }

    fn fetch_from(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        match (self.bug, self.handed_out.insert(partition.clone(), None)) {
            (Bug::NoRewind, Some(_)) => return Ok(()),
            (Bug::OldItems, Some(Some(batch))) => self.again.push_back(batch),
            _ => {}
        }
        self.inner.fetch_from(partition, offset)
    }

    fn hold(&mut self, partition: &TopicPartition, held: bool) -> Result<(), LogError> {
        self.inner.hold(partition, held)
    }

    fn committer(&self) -> Arc<dyn Committer> {
        Arc::new(Author { committer: self.inner.committer(), bug: self.bug, states: AtomicUsize::new(0) })
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        self.inner.leave().await
    }

    async fn stay(self: Box<Self>) -> Result<(), LogError> {
        self.inner.stay().await
    }
}

/// A committer with a bug in front of it.
struct Author {
    committer: Arc<dyn Committer>,
    bug: Bug,
    states: AtomicUsize,
}

impl Author {
    /// Whether the bug lets a record through.
    fn keeps(&self, record: &NewRecord) -> bool {
        let is_state = is_of(Topic::SessionState, &record.partition);
        match self.bug {
            Bug::NoTombstones => !is_state || record.value.is_some(),
            Bug::LostStates => {
                let is_session = is_state && &*record.key != PARTITION_KEY;
                !is_session || !self.states.fetch_add(1, Ordering::Relaxed).is_multiple_of(7)
            }
            _ => true,
        }
    }
}

#[async_trait]
impl Committer for Author {
    async fn commit(&self, mut commit: Commit) -> Result<(), CommitError> {
        commit.outputs.retain(|record| self.keeps(record));
        if self.bug == Bug::OffsetsFirst {
            let offsets = std::mem::take(&mut commit.offsets);
            self.committer.commit(Commit { outputs: Vec::new(), offsets }).await?;
        }
        match (self.bug, self.committer.commit(commit).await) {
            (Bug::UnknownIsAborted, Err(CommitError::Fatal(why))) => Err(CommitError::aborted(AbortCause::Other, why)),
            (Bug::UnknownIsDone, Err(CommitError::Fatal(_))) => Ok(()),
            (_, outcome) => outcome,
        }
    }

    async fn abandon(&self) {
        self.committer.abandon().await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Short {
    Batch,
    Record,
}

/// A reader that drops the end.
struct ShortReader {
    reader: Box<dyn Reader>,
    short: Short,
    held: Option<Batch>,
}

#[async_trait]
impl Reader for ShortReader {
    async fn next(&mut self) -> Result<Option<Batch>, LogError> {
        loop {
            match (self.reader.next().await?, self.held.take()) {
                (Some(batch), None) => self.held = Some(batch),
                (Some(batch), Some(before)) => {
                    self.held = Some(batch);
                    return Ok(Some(before));
                }
                (None, Some(mut last)) if self.short == Short::Record => {
                    last.records.pop();
                    return Ok(Some(last));
                }
                (None, _) => return Ok(None),
            }
        }
    }

    fn positions(&self) -> Vec<i64> {
        self.reader.positions()
    }
}
