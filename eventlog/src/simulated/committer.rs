//! Commits: outputs into a transaction, offsets after them, then its end; something may befall each step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::SimulatedLog;
use super::appender::refusal;
use super::client::{Effect, Point};
use super::producers::{Offsets, fenced};
use crate::embedded::assignment::MemberId;
use crate::{AbortCause, Commit, CommitError, Committer, GroupOptions, NewRecord, TopicPartition};

/// A member's place in its group, shared by its ends.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) options: GroupOptions,
    /// Another one after it was missed and has joined again.
    pub(super) id: Mutex<MemberId>,
    pub(super) owned: Mutex<BTreeSet<TopicPartition>>,
    /// Of its producer.
    pub(super) epoch: u64,
    pub(super) is_over: AtomicBool,
}

impl Seat {
    pub(super) fn transactional_id(options: &GroupOptions) -> String {
        format!("{}-{}", options.group, options.instance)
    }
}

/// Commits for a member.
pub(super) struct SimulatedCommitter {
    pub(super) log: SimulatedLog,
    pub(super) seat: Arc<Seat>,
}

impl SimulatedCommitter {
    fn id(&self) -> String {
        Seat::transactional_id(&self.seat.options)
    }

    /// Whether the commit may be begun at all.
    fn judge(&self, commit: &Commit) -> Result<(), CommitError> {
        let seat = &self.seat;
        if seat.is_over.load(Ordering::Acquire) {
            return Err(CommitError::Fatal(format!("{} is no member any more", seat.options.instance)));
        }
        if !seat.options.transactional && !commit.outputs.is_empty() {
            return Err(CommitError::Refused(format!("{} may commit offsets only", seat.options.instance)));
        }
        Ok(())
    }

    /// Refuses offsets of a partition that is not this member's.
    fn check_owned(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), CommitError> {
        if self.log.cluster.options.defects.foreign_partitions {
            return Ok(());
        }
        let owned = self.seat.owned.lock();
        match offsets.iter().find(|(partition, _)| !owned.contains(partition)) {
            Some((partition, _)) => {
                let why = format!("{partition} is not {}'s", self.seat.options.instance);
                Err(CommitError::aborted(AbortCause::NotOwned, why))
            }
            None => Ok(()),
        }
    }

    /// A step of a commit: takes its time, and something may befall it.
    async fn step(&self, point: Point) -> Result<(), CommitError> {
        match self.log.call_at(point).await {
            None | Some(Effect::Crash | Effect::Freeze(_) | Effect::Delay(_)) => Ok(()),
            // The client tries by itself until the log answers.
            Some(Effect::Unavailable) => {
                tokio::time::sleep(self.log.cluster.options.latency * 4).await;
                Ok(())
            }
            Some(Effect::Fatal | Effect::Unknown) => Err(CommitError::Fatal("so it was to be".into())),
            Some(Effect::Abort) => Err(CommitError::aborted(AbortCause::Other, "so it was to be")),
            Some(Effect::Late(by)) => {
                let (cluster, id, epoch) = (Arc::clone(&self.log.cluster), self.id(), self.seat.epoch);
                tokio::spawn(async move {
                    tokio::time::sleep(by).await;
                    end_of_old(&cluster, &id, epoch);
                });
                Err(CommitError::Fatal("so it was to be".into()))
            }
        }
    }

    /// Sends outputs, some at a time, then offsets; at the end the transaction can be committed.
    async fn send(&self, commit: Commit) -> Result<(), CommitError> {
        let (id, epoch) = (self.id(), self.seat.epoch);
        let mut outputs = commit.outputs;
        while !outputs.is_empty() {
            let some = outputs.len().min(1 + self.log.cluster.chance(|chance| chance.below(outputs.len())));
            let rest = outputs.split_off(some);
            let some: Vec<NewRecord> = std::mem::replace(&mut outputs, rest);
            self.log.cluster.change(|state| state.produce(&id, epoch, some))?;
            self.step(Point::Produced).await?;
        }
        // As late as this: a commit that began while they were its own may have lost them since.
        self.check_owned(&commit.offsets)?;
        self.send_offsets(&id, epoch, commit.offsets)?;
        self.step(Point::Sent).await
    }

    fn send_offsets(&self, id: &str, epoch: u64, of: Vec<(TopicPartition, i64)>) -> Result<(), CommitError> {
        let (group, member) = (self.seat.options.group.clone(), *self.seat.id.lock());
        let unchecked = self.log.cluster.options.defects.stale_generations;
        self.log.cluster.change(|state| {
            let is_current = state.groups.get(&group).is_some_and(|known| known.is_current(member));
            let Some(open) = state.begin(id, epoch)? else { return Err(fenced(id)) };
            if !is_current && !unchecked {
                return Err(CommitError::aborted(AbortCause::Rebalance, "the group's generation has changed"));
            }
            open.offsets = Some(Offsets { group, of });
            Ok(())
        })
    }

    /// Ends the transaction.
    fn end(&self, committed: bool) -> Result<(), CommitError> {
        let (id, epoch) = (self.id(), self.seat.epoch);
        let marks = self.log.cluster.change(|state| {
            // What is open is this one's own, or it has been fenced.
            state.begin(&id, epoch)?;
            Ok::<_, CommitError>(state.decide(&id, committed))
        })?;
        self.log.cluster.mark(&id, marks);
        Ok(())
    }

    fn commit_offsets(&self, of: Vec<(TopicPartition, i64)>) -> Result<(), CommitError> {
        let (group, member) = (&self.seat.options.group, *self.seat.id.lock());
        self.log.cluster.change(|state| {
            let group = state.groups.entry(group.clone()).or_default();
            if !group.is_current(member) {
                return Err(CommitError::aborted(AbortCause::Rebalance, "the group's generation has changed"));
            }
            group.committed.extend(of);
            Ok(())
        })
    }
}

/// An end of a transaction that was long on its way: whatever its producer has open now is committed by it.
fn end_of_old(cluster: &Arc<super::Cluster>, id: &str, epoch: u64) {
    let marks = cluster.change(|state| {
        let producer = state.producers.get(id).filter(|producer| producer.epoch == epoch)?;
        producer.open.as_ref().filter(|open| open.decided.is_none())?;
        Some(state.decide(id, true))
    });
    if let Some(marks) = marks {
        cluster.mark(id, marks);
    }
}

#[async_trait]
impl Committer for SimulatedCommitter {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        self.log.client.awake().await;
        self.judge(&commit)?;
        if !self.seat.options.transactional {
            self.check_owned(&commit.offsets)?;
            return self.commit_offsets(commit.offsets);
        }
        let refused = self.log.cluster.look(|state| commit.outputs.iter().find_map(|record| refusal(state, record)));
        if let Some(why) = refused {
            return Err(CommitError::Refused(why));
        }
        self.step(Point::Begin).await?;
        let (id, epoch) = (self.id(), self.seat.epoch);
        // The transaction before has been decided, and may have yet to be marked.
        let begun = self.log.cluster.until(|state| state.begin(&id, epoch).map(|open| open.map(drop)).transpose());
        begun.await?;
        match self.send(commit).await {
            Ok(()) => {}
            Err(CommitError::Aborted(abort)) => {
                self.end(false)?;
                return Err(CommitError::Aborted(abort));
            }
            Err(error) => return Err(error),
        }
        self.end(true)?;
        match self.log.call_at(Point::Done).await {
            Some(Effect::Fatal | Effect::Unknown | Effect::Abort | Effect::Late(_)) => {
                Err(CommitError::Fatal("so it was to be, though the commit is done".into()))
            }
            _ => Ok(()),
        }
    }
}
