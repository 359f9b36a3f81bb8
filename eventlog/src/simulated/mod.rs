//! A log in memory with seeded faults, for tests: what the other logs may do at worst, this one does at will.
//!
//! Not for production, and only there with the feature `simulated`. It is modelled on Kafka: a
//! partition holds records and markers ([`partition`]), transactions are decided first and marked
//! later ([`producers`]), so that the last stable offset lags behind the high watermark; groups have
//! generations and move partitions one by one ([`groups`]). Each [`SimulatedLog`] is one process's
//! view of a [`Cluster`], and what is to befall that process is told it beforehand ([`Fault`]).
//! Time is tokio's: on a paused clock hours pass at once. All chance follows from one seed, so that on
//! a runtime of one thread the same calls give the same history.

mod appender;
mod chance;
mod client;
mod cluster;
mod committer;
mod groups;
mod membership;
mod partition;
mod producers;
mod reader;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use client::{Effect, Fault, Point};
pub use cluster::{Cluster, Defects, Options};

use appender::SimulatedAppender;
use client::Client;
use cluster::Topic;
use membership::SimulatedMembership;
use partition::Partition;
use producers::is_unstable;
use reader::SimulatedReader;

use crate::embedded::catalog::{differences, validate};
use crate::{
    AppendOptions, Appender, EventLog, GroupOptions, LogError, Membership, OffsetRange, ReadRequest, Reader,
    TopicCheck, TopicInfo, TopicPartition, TopicSpec, TopicState,
};

/// One process's view of a [`Cluster`]. Clones are of the same process.
#[derive(Clone)]
pub struct SimulatedLog {
    cluster: Arc<Cluster>,
    client: Arc<Client>,
}

impl SimulatedLog {
    /// Has something befall this process; of several faults at one point the first to be told is the first to come.
    pub fn arm(&self, fault: Fault) {
        self.client.arm(fault);
    }

    /// Takes back all that was to befall it.
    pub fn heal(&self) {
        self.client.heal();
    }

    /// Makes each of its reads beside the group take so much longer.
    pub fn slow_reads(&self, by: Duration) {
        self.client.slow_reads(by);
    }

    /// Kills the process: none of its calls ever returns, and its group misses it in time.
    pub fn kill(&self) {
        self.client.kill();
    }

    /// Whether the process is dead.
    pub fn is_dead(&self) -> bool {
        self.client.is_dead()
    }

    /// Freezes the process for so long.
    pub fn freeze(&self, time: Duration) {
        self.client.freeze(time);
    }

    /// Resolves when the process is dead.
    pub async fn died(&self) {
        self.client.died().await;
    }

    /// What is shared.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// A call takes its time, and may fail.
    async fn call(&self, point: Point) -> Result<(), LogError> {
        refusal(self.call_at(point).await)
    }

    async fn call_at(&self, point: Point) -> Option<Effect> {
        let most = self.cluster.options.latency;
        if !most.is_zero() {
            tokio::time::sleep(self.cluster.chance(|chance| chance.up_to(most))).await;
        }
        self.client.at(point).await
    }

    fn states(&self, specs: &[TopicSpec], mut missing: impl FnMut(&TopicSpec) -> TopicState) -> Vec<TopicCheck> {
        let state = |spec: &TopicSpec| {
            let known = self.cluster.look(|state| state.topics.get(&spec.name).map(|topic| topic.spec.clone()));
            match known.map(|known| differences(&known, spec)) {
                None => missing(spec),
                Some(none) if none.is_empty() => TopicState::Matches,
                Some(differences) => TopicState::Differs(differences),
            }
        };
        let mut state = state;
        specs.iter().map(|spec| TopicCheck { name: spec.name.clone(), state: state(spec) }).collect()
    }
}

/// What an effect at a call means to whoever calls.
fn refusal(effect: Option<Effect>) -> Result<(), LogError> {
    match effect {
        None => Ok(()),
        Some(Effect::Fatal) => Err(LogError::Fatal("so it was to be".into())),
        Some(_) => Err(LogError::Unavailable("so it was to be".into())),
    }
}

#[async_trait]
impl EventLog for SimulatedLog {
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        specs.iter().try_for_each(validate)?;
        Ok(self.states(specs, |spec| {
            self.cluster.change(|state| {
                state.made += 1;
                let partitions = (0..spec.partitions).map(|_| Partition::default()).collect();
                let topic = Topic { id: format!("topic-{}", state.made), spec: spec.clone(), partitions };
                state.topics.insert(spec.name.clone(), topic);
            });
            TopicState::Created
        }))
    }

    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        Ok(self.states(specs, |_| TopicState::Missing))
    }

    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        // Who only asks for a topic has nothing as yet that could be lost for good.
        self.call(Point::Read).await.map_err(|error| LogError::Unavailable(error.to_string()))?;
        self.cluster.look(|state| {
            let topic = state.topics.get(name).ok_or_else(|| LogError::NotFound(name.to_owned()))?;
            Ok(TopicInfo { id: topic.id.clone(), partitions: topic.spec.partitions })
        })
    }

    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        self.call(Point::Read).await?;
        self.cluster.look(|state| state.found(partition).map(Partition::range))
    }

    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        self.call(Point::Read).await?;
        self.cluster.look(|state| Ok(state.found(partition)?.at_time(timestamp_ms)))
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        self.call(Point::Read).await?;
        let told = self.cluster.until(|state| {
            if partitions.iter().any(|partition| is_unstable(&state.producers, group, partition)) {
                return None;
            }
            let known = state.groups.get(group);
            Some(partitions.iter().map(|partition| known?.committed.get(partition).copied()).collect())
        });
        Ok(told.await)
    }

    async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::new(SimulatedAppender::new(self, options)))
    }

    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        self.call(Point::Join).await?;
        Ok(Box::new(SimulatedMembership::join(self, options).await?))
    }

    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        self.call(Point::Read).await?;
        Ok(Box::new(SimulatedReader::open(self.clone(), request)?))
    }
}

impl fmt::Debug for SimulatedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedLog").field("client", &self.client.name).finish_non_exhaustive()
    }
}

/// The error of a position that a partition does not hold.
fn out_of_range(partition: &TopicPartition, wanted: i64, range: OffsetRange) -> LogError {
    LogError::OutOfRange {
        topic: partition.topic.to_string(),
        partition: partition.partition,
        wanted,
        low: range.low,
        high: range.high,
    }
}
