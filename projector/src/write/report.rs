//! What became of a load, or of partitions that were looked at.

use eventlog::TopicPartition;

use crate::load::Slice;
use crate::metrics;
use crate::store::Standing;

/// What became of a load.
#[derive(Debug, Default)]
pub struct Report {
    /// Stretches that stand in the tables.
    pub written: Vec<Stood>,
    /// Partitions that another projector has claimed since, with the epoch that was overtaken.
    pub lost: Vec<(TopicPartition, i64)>,
    /// Partitions whose rows a crash of the server has put back, with the epoch and the offset to go on from.
    pub behind: Vec<(TopicPartition, i64, i64)>,
    /// Whether a drain ran out of time before all of it was written.
    pub left: bool,
    /// Whether a claim is gone, so that all partitions have to be claimed anew.
    pub forgotten: bool,
}

/// A stretch that stands in the tables.
#[derive(Clone, Debug)]
pub struct Stood {
    /// Of which partition.
    pub partition: TopicPartition,
    /// Up to which offset.
    pub next: i64,
    /// Time of its newest record, in ms since the epoch.
    pub newest_ms: Option<i64>,
}

impl Report {
    /// Notes how a partition stands that was not written as it should be.
    pub(super) fn note(&mut self, partition: TopicPartition, epoch: i64, standing: Standing) {
        match standing {
            Standing::Done | Standing::Unmoved => {}
            Standing::Forgotten => self.forgotten = true,
            Standing::Behind(next) => {
                metrics::taken_back();
                tracing::warn!(%partition, next, "the server lost its latest rows; reading them again");
                self.behind.push((partition, epoch, next));
            }
            Standing::Lost => {
                metrics::fenced();
                tracing::warn!(%partition, "given up: another projector has claimed it");
                self.lost.push((partition, epoch));
            }
        }
    }
}

impl Stood {
    pub(super) fn of(slice: &Slice) -> Self {
        Self { partition: slice.partition.clone(), next: slice.next, newest_ms: slice.newest_ms() }
    }
}
