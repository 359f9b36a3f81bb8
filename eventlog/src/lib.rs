//! The log's seam: what the daemons need of a log, and no more.
//!
//! Two logs stand behind it: [`kafka`] (what production runs) and [`embedded`] (one SQLite file;
//! what local mode and most tests run). This crate knows partitions, offsets, groups and
//! transactions; it knows no word of games.
//!
//! Four things can be done with a log:
//! - [`Appender`]: append a batch and know when it is kept;
//! - [`Membership`]: own partitions within a group, be told of assign and revoke, read batches;
//! - [`Committer`]: commit outputs, state and offsets as one;
//! - [`Reader`]: read a range by offset or time, without a group.

pub mod embedded;
pub mod error;
pub mod kafka;
pub mod record;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

pub use error::{AppendError, CommitError, LogError};
pub use record::{Batch, Headers, NewRecord, Record, TopicPartition};

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

/// What a topic should be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its whole name.
    pub name: String,
    /// Number of partitions; for life.
    pub partitions: i32,
    /// Copies of each partition; the embedded log has one whatever stands here.
    pub replication: i32,
    /// How long a record is kept.
    pub cleanup: Cleanup,
    /// The largest record that it takes, in bytes.
    pub max_message_bytes: u32,
}

/// What becomes of old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Dropped when older than this; kept for ever if none.
    Delete {
        /// Age after which a record may go.
        retention: Option<Duration>,
    },
    /// Only the newest of each key is kept; tombstones go after `tombstones`.
    Compact {
        /// How long a tombstone stays readable.
        tombstones: Duration,
        /// Age after which even the newest of a key may go; for ever if none.
        retention: Option<Duration>,
    },
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Differs from that of a topic of the same name that was deleted and made again.
    pub id: String,
    /// Number of partitions.
    pub partitions: i32,
}

/// How a topic stands against its spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCheck {
    /// The topic's name.
    pub name: String,
    /// What was found.
    pub state: TopicState,
}

/// What was found of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// It is as it should be.
    Matches,
    /// It was made now.
    Created,
    /// It does not exist.
    Missing,
    /// It exists and differs: one sentence a difference, with both values.
    Differs(Vec<String>),
}

/// The offsets that a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    /// Offset of the oldest record still there.
    pub low: i64,
    /// One past the last offset given out, those of open transactions included.
    pub high: i64,
}

/// How an [`Appender`] behaves.
#[derive(Clone, Debug)]
pub struct AppendOptions {
    /// How long a record may wait for its acknowledgement before its outcome counts as unknown.
    pub deadline: Duration,
    /// How long a record may wait for company.
    pub linger: Duration,
    /// At most so many bytes may wait; beyond, [`AppendError::Full`].
    pub max_bytes: usize,
    /// At most so many records may wait; beyond, [`AppendError::Full`].
    pub max_records: usize,
}

impl Default for AppendOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(2),
            linger: Duration::from_millis(5),
            max_bytes: 256 << 20,
            max_records: 1_000_000,
        }
    }
}

/// Appends records and tells when they are kept by every in-sync replica.
#[async_trait]
pub trait Appender: Send + Sync {
    /// Hands records over and returns at once; the [`Pending`] resolves when all of them are kept.
    ///
    /// Records of one partition are kept in the order in which they were handed over.
    ///
    /// # Errors
    /// [`AppendError::Full`] when the queue has no room for all of them: then none was taken.
    fn append(&self, records: Vec<NewRecord>) -> Result<Pending, AppendError>;

    /// Waits until all that was handed over is kept or has failed, at most so long.
    async fn flush(&self, deadline: Duration) -> Result<(), AppendError>;

    /// What waits for its acknowledgement.
    fn backlog(&self) -> Backlog;
}

/// What waits in an [`Appender`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// Records not yet acknowledged.
    pub records: usize,
    /// Age of the oldest of them; zero when there is none.
    pub oldest: Duration,
}

/// The outcome of an append, once it is known: the offsets of its records, in their order.
pub struct Pending(pub(crate) oneshot::Receiver<Result<Vec<i64>, AppendError>>);

impl Pending {
    /// A pending outcome and the end that settles it.
    pub fn new() -> (oneshot::Sender<Result<Vec<i64>, AppendError>>, Self) {
        let (settle, outcome) = oneshot::channel();
        (settle, Self(outcome))
    }

    /// Waits for the outcome.
    ///
    /// # Errors
    /// [`AppendError::Unavailable`] when nothing was written, [`AppendError::Unknown`] when
    /// something may have been.
    pub async fn kept(self) -> Result<Vec<i64>, AppendError> {
        self.0
            .await
            .unwrap_or_else(|_| Err(AppendError::Unknown("the appender ended before it told the outcome".into())))
    }
}

/// How to join a group.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// The group's name.
    pub group: String,
    /// This member's name, stable over restarts; names the transactional id too.
    pub instance: String,
    /// The topics whose partitions are shared.
    pub topics: Vec<String>,
    /// Whether this member commits outputs and offsets as one ([`Committer::commit`] with outputs).
    pub transactional: bool,
    /// Whether records of open and aborted transactions are hidden. Only off where the topic's
    /// writers use no transactions.
    pub read_committed: bool,
}

/// A member of a group: owns partitions and reads them.
///
/// A partition is not read until [`Membership::fetch_from`] names its start.
#[async_trait]
pub trait Membership: Send {
    /// The next thing that happened.
    ///
    /// Cancel safe: a dropped call loses nothing.
    ///
    /// # Errors
    /// [`LogError::Fatal`] ends the membership: drop it, drop all state, join again.
    /// [`LogError::OutOfRange`] when a partition no longer holds the position asked for.
    async fn next(&mut self) -> Result<GroupEvent, LogError>;

    /// Reads an owned partition from `offset` on: its start after an assignment, or a move after
    /// an aborted commit. What was read of it before and not yet handed out is dropped.
    ///
    /// That the partition does not hold `offset` is told by [`Membership::next`].
    ///
    /// # Errors
    /// [`LogError::NotFound`] when the partition is not this member's, [`LogError::Fatal`] when the
    /// membership has ended.
    fn fetch_from(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError>;

    /// What commits for this member; valid as long as the membership.
    fn committer(&self) -> Arc<dyn Committer>;

    /// Leaves the group at once instead of being missed after the session time-out.
    async fn leave(self: Box<Self>) -> Result<(), LogError>;
}

/// What happens to a member of a group.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are this member's from now on; each waits for [`Membership::fetch_from`].
    /// The first may be empty: the member has joined and there is no share for it now.
    Assigned(Vec<Assignment>),
    /// These partitions go. They stay this member's until `release` is dropped or called, so that
    /// a commit under way can end; then another member gets them.
    Revoked {
        /// What goes.
        partitions: Vec<TopicPartition>,
        /// They are another's already: nothing may be committed for them.
        lost: bool,
        /// Lets them go.
        release: Release,
    },
    /// Records of one owned partition, in order.
    Records(Batch),
    /// Everything visible of the partition has been handed out; comes after an assignment to an
    /// empty or read partition too, and again whenever the end is reached anew.
    CaughtUp {
        /// Which partition.
        partition: TopicPartition,
        /// Its position: the next offset to be read.
        position: i64,
    },
}

/// A partition that has become this member's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Which.
    pub partition: TopicPartition,
    /// Where the group's last commit says to go on; none before the first.
    pub committed: Option<i64>,
}

/// Lets revoked partitions go when it is called or dropped.
#[derive(Debug)]
pub struct Release(Option<oneshot::Sender<()>>);

impl Release {
    /// A release and the end that learns of it.
    pub fn new() -> (Self, oneshot::Receiver<()>) {
        let (release, released) = oneshot::channel();
        (Self(Some(release)), released)
    }

    /// Lets them go.
    pub fn done(self) {}
}

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            // The log may have ended first; then nobody waits.
            let _ = release.send(());
        }
    }
}

/// What is to be committed as one.
#[derive(Debug, Default)]
pub struct Commit {
    /// Records to append: outputs and state.
    pub outputs: Vec<NewRecord>,
    /// Of each input partition, the next offset to be read.
    pub offsets: Vec<(TopicPartition, i64)>,
}

/// Commits for a member of a group.
#[async_trait]
pub trait Committer: Send + Sync {
    /// Makes outputs and offsets visible together, or neither. One at a time.
    ///
    /// A member that is not transactional may commit offsets only: a hint for lag tools.
    ///
    /// # Errors
    /// [`CommitError::Aborted`]: nothing of it is or will be seen, for instance because one of the
    /// partitions is not this member's any more; go back to the committed offsets of those that
    /// are, with [`Membership::fetch_from`]. [`CommitError::Refused`]: neither, and the same
    /// commit will never be taken. [`CommitError::Fatal`]: fenced, or the outcome is
    /// unknown; drop the membership and all state, join again.
    async fn commit(&self, commit: Commit) -> Result<(), CommitError>;
}

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
