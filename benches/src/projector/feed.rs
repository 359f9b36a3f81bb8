//! Appends made-up reports to play.sessions and knows where it ends with them.

use std::sync::Arc;

use eventlog::TopicPartition;
use schemas::topics::Topic;

use super::reports::Reports;
use crate::append::Append;
use crate::world::{PARTITIONS, PREFIX, World};

/// Records that are handed over together.
const REQUEST: usize = 500;
/// Requests that wait for their acknowledgement at any time.
const IN_FLIGHT: usize = 40;

/// The ends of play.sessions' partitions.
pub(super) type Ends = [i64; PARTITIONS as usize];

/// Appends reports.
pub(super) struct Feed {
    append: Append,
    topic: Arc<str>,
    /// Where each partition ends with what was appended.
    pub(super) ends: Ends,
}

impl Feed {
    /// Goes on where the topic ends.
    pub(super) async fn new(world: &World) -> anyhow::Result<Self> {
        let append = Append::new(&*world.log, IN_FLIGHT).await?;
        let topic: Arc<str> = Topic::Sessions.name(PREFIX).into();
        let mut ends = Ends::default();
        for (partition, end) in (0..).zip(&mut ends) {
            *end = world.log.offsets(&TopicPartition::new(Arc::clone(&topic), partition)).await?.high;
        }
        Ok(Self { append, topic, ends })
    }

    /// Appends the reports of these numbers and waits until they are kept.
    pub(super) async fn fill(&mut self, reports: &Reports, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let end = numbers.end;
        for from in numbers.step_by(REQUEST) {
            self.append(reports, from..end.min(from + REQUEST)).await?;
        }
        self.settle().await
    }

    /// Appends the reports of these numbers as one request.
    pub(super) async fn append(&mut self, reports: &Reports, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let records: anyhow::Result<Vec<_>> =
            numbers.map(|number| reports.record(&self.topic, PARTITIONS, number)).collect();
        let records = records?;
        for record in &records {
            self.ends[usize::try_from(record.partition.partition)?] += 1;
        }
        self.append.append(records).await
    }

    /// Waits until all is kept.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        self.append.settle().await
    }
}
