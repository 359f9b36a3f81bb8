//! The log's seam: what the daemons need of a log, and no more.
//!
//! Two logs stand behind it: [`kafka`] (what production runs) and [`embedded`] (one SQLite file;
//! what local mode and most tests run). A third, in memory and with faults at will, is there for tests
//! with the feature `simulated`. This crate knows partitions, offsets, groups and
//! transactions; it knows no word of games.
//!
//! Four things can be done with a log:
//! - [`Appender`]: append a batch and know when it is kept;
//! - [`Membership`]: own partitions within a group, be told of assign and revoke, read batches;
//! - [`Committer`]: commit outputs, state and offsets as one;
//! - [`Reader`]: read a range by offset or time, without a group.

mod append;
pub mod embedded;
pub mod error;
mod group;
pub mod kafka;
mod read;
pub mod record;
#[cfg(feature = "simulated")]
pub mod simulated;
mod topic;

use std::sync::Arc;

use async_trait::async_trait;

pub use append::{AppendOptions, Appender, Backlog, Pending};
pub use error::{Abort, AbortCause, AppendError, CommitError, LogError};
pub use group::{Assignment, Commit, Committer, GroupEvent, GroupOptions, Membership, Release};
pub use read::{ReadRequest, Reader, Stretch};
pub use record::{Batch, Headers, NewRecord, Record, TopicPartition};
pub use topic::{Cleanup, OffsetRange, TopicCheck, TopicInfo, TopicSpec, TopicState};

/// One log with its topics, whichever it is.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Makes the topics that are missing and says of every topic how it stands against its spec.
    ///
    /// An existing topic is never changed.
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError>;

    /// Says of every topic how it stands against its spec; changes nothing.
    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError>;

    /// A topic's identity and number of partitions.
    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError>;

    /// The offsets that a partition holds now.
    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError>;

    /// The offset of the first record whose timestamp is at or after `timestamp_ms`;
    /// none if every record is older.
    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError>;

    /// The offsets that a group has committed; none where it has committed nothing.
    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError>;

    /// Something to append with. Cheap to share; one a process is enough.
    async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError>;

    /// Joins a group of consumers that share the partitions of some topics.
    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError>;

    /// Reads stretches of partitions without a group.
    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError>;
}
