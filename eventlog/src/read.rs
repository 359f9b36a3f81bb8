//! Reading stretches of partitions without a group.

use async_trait::async_trait;

use crate::{Batch, LogError, TopicPartition};

/// What to read without a group.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The stretches; each partition at most once.
    pub stretches: Vec<Stretch>,
    /// Whether records of open and aborted transactions are hidden.
    pub read_committed: bool,
}

/// A stretch of a partition.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Which partition.
    pub partition: TopicPartition,
    /// First offset.
    pub from: i64,
    /// One past the last offset; on and on if none.
    pub until: Option<i64>,
}

/// Reads stretches of partitions.
#[async_trait]
pub trait Reader: Send {
    /// The next records of one partition; none when every stretch has been read to its end.
    ///
    /// Ends are exact and counted by position, so that an offset that holds no visible record
    /// (a transaction's marker, an aborted or compacted record) is passed all the same. Where a
    /// transaction is still open below an end, `read_committed` waits for it.
    /// Cancel safe.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] when a stretch starts below what the partition still holds.
    async fn next(&mut self) -> Result<Option<Batch>, LogError>;

    /// The next offset to be read of each stretch, in the order of the request.
    fn positions(&self) -> Vec<i64>;
}
