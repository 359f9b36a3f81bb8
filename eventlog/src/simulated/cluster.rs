//! What all clients share: topics, groups, producers, and the time that ends what takes too long.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::SimulatedLog;
use super::chance::Chance;
use super::client::Client;
use super::groups::Group;
use super::partition::{Partition, TransactionId};
use super::producers::{Mark, Producer};
use crate::{Cleanup, LogError, TopicPartition, TopicSpec};

/// How the log behaves. Everything that it leaves to chance follows from the seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where chance begins.
    pub seed: u64,
    /// Each call takes up to so long.
    pub latency: Duration,
    /// Each place of a decided transaction is marked up to so much later than the one before.
    pub marking: Duration,
    /// Most entries of one batch.
    pub batch: usize,
    /// A member unheard of for so long is missed.
    pub session_timeout: Duration,
    /// A transaction open for so long is aborted.
    pub transaction_timeout: Duration,
    /// A revoked partition that is not let go within this time is taken.
    pub revoke_patience: Duration,
    /// How often the log looks after all of these.
    pub beat: Duration,
    /// What is broken in it.
    pub defects: Defects,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            latency: Duration::ZERO,
            marking: Duration::ZERO,
            batch: 1_000,
            session_timeout: Duration::from_secs(10),
            transaction_timeout: Duration::from_secs(10),
            revoke_patience: Duration::from_secs(30),
            beat: Duration::from_millis(100),
            defects: Defects::default(),
        }
    }
}

/// What no sound log does, so that a test can show that it would be noticed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defects {
    /// A commit under an older generation is taken.
    pub stale_generations: bool,
    /// A commit for a partition that has been let go is taken.
    pub foreign_partitions: bool,
}

/// A log in memory that clients share.
#[derive(Debug)]
pub struct Cluster {
    pub(super) options: Options,
    state: Mutex<State>,
    /// Wakes those who wait in the order in which they began to: chance has no part in it.
    changed: Notify,
}

/// All that the log holds.
#[derive(Debug)]
pub(super) struct State {
    pub(super) topics: BTreeMap<String, Topic>,
    /// Topics ever made.
    pub(super) made: u64,
    pub(super) groups: BTreeMap<String, Group>,
    /// By transactional id.
    pub(super) producers: BTreeMap<String, Producer>,
    pub(super) next_transaction: TransactionId,
    pub(super) chance: Chance,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: String,
    pub(super) spec: TopicSpec,
    pub(super) partitions: Vec<Partition>,
}

impl State {
    pub(super) fn partition(&self, of: &TopicPartition) -> Option<&Partition> {
        self.topics.get(&*of.topic)?.partitions.get(usize::try_from(of.partition).ok()?)
    }

    pub(super) fn partition_mut(&mut self, of: &TopicPartition) -> Option<&mut Partition> {
        self.topics.get_mut(&*of.topic)?.partitions.get_mut(usize::try_from(of.partition).ok()?)
    }

    pub(super) fn found(&self, of: &TopicPartition) -> Result<&Partition, LogError> {
        self.partition(of).ok_or_else(|| LogError::NotFound(of.to_string()))
    }
}

impl Cluster {
    /// An empty log. It looks after time-outs as long as the runtime lives in which it is made.
    pub fn open(options: Options) -> Arc<Self> {
        let state = State {
            topics: BTreeMap::new(),
            made: 0,
            groups: BTreeMap::new(),
            producers: BTreeMap::new(),
            next_transaction: 0,
            chance: Chance::of(options.seed),
        };
        let cluster = Arc::new(Self { options, state: Mutex::new(state), changed: Notify::new() });
        tokio::spawn(look_after(Arc::downgrade(&cluster), options.beat));
        cluster
    }

    /// The log as a process of this name sees it.
    pub fn client(self: &Arc<Self>, name: &str) -> SimulatedLog {
        let chance = self.chance(|chance| Chance::of(chance.draw()));
        SimulatedLog { cluster: Arc::clone(self), client: Arc::new(Client::new(name, chance)) }
    }

    /// Cleans a topic now: drops by age, or compacts some of each partition's beginning, however little.
    /// `now_ms` is the time of day by which ages are told.
    pub fn clean(&self, topic: &str, now_ms: i64, whole: bool) {
        self.change(|state| {
            let Some(known) = state.topics.get_mut(topic) else { return };
            let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            for partition in &mut known.partitions {
                let (tombstones, retention) = match known.spec.cleanup {
                    Cleanup::Delete { retention } => (None, retention),
                    Cleanup::Compact { tombstones, retention } => (Some(tombstones), retention),
                };
                if let Some(retention) = retention {
                    partition.age(now_ms.saturating_sub(millis(retention)));
                }
                if let Some(tombstones) = tombstones {
                    let range = partition.range();
                    let length = usize::try_from(range.high - range.low).unwrap_or(0);
                    let part = if whole { length } else { state.chance.below(length + 1) };
                    let until = range.low + i64::try_from(part).unwrap_or(0);
                    partition.compact(until, now_ms, millis(tombstones));
                }
            }
        });
    }

    /// The last stable offset of a partition: where a reader of what is committed stands still.
    ///
    /// # Errors
    /// [`LogError::NotFound`].
    pub fn last_stable(&self, partition: &TopicPartition) -> Result<i64, LogError> {
        self.look(|state| state.found(partition).map(Partition::stable))
    }

    /// Deletes a topic and all that it holds.
    pub fn delete_topic(&self, topic: &str) {
        self.change(|state| drop(state.topics.remove(topic)));
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock())
    }

    /// Draws of chance change nothing that anybody waits for.
    pub(super) fn chance<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        self.quietly(|state| draw(&mut state.chance))
    }

    /// Changes what nobody waits for.
    pub(super) fn quietly<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.notify_waiters();
        result
    }

    /// Resolves at the next change after it is enabled.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Waits until there is something.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed());
            // Before the look, so that nothing is missed in between.
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.state.lock()) {
                return found;
            }
            changed.await;
        }
    }

    /// Marks the places of a decided transaction, at once or one after the other.
    pub(super) fn mark(self: &Arc<Self>, id: &str, marks: Vec<Mark>) {
        if self.options.marking.is_zero() || marks.is_empty() {
            self.change(|state| {
                state.mark_all(id);
            });
            return;
        }
        let (cluster, id) = (Arc::downgrade(self), id.to_owned());
        let pauses: Vec<Duration> =
            self.chance(|chance| marks.iter().map(|_| chance.up_to(self.options.marking)).collect());
        tokio::spawn(async move {
            for (mark, pause) in marks.into_iter().zip(pauses) {
                tokio::time::sleep(pause).await;
                let Some(cluster) = cluster.upgrade() else { return };
                cluster.change(|state| state.mark(&id, &mark));
            }
        });
    }

    fn beat(&self) {
        let Options { session_timeout, transaction_timeout, revoke_patience, .. } = self.options;
        let mut state = self.state.lock();
        let mut changed = state.expire_transactions(transaction_timeout);
        for group in state.groups.values_mut() {
            changed |= group.beat(session_timeout, revoke_patience);
        }
        drop(state);
        if changed {
            self.changed.notify_waiters();
        }
    }
}

async fn look_after(cluster: Weak<Cluster>, period: Duration) {
    loop {
        tokio::time::sleep(period).await;
        let Some(cluster) = cluster.upgrade() else { return };
        cluster.beat();
    }
}
