//! Groups: owning partitions, reading them, committing what came of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::{Batch, CommitError, LogError, NewRecord, TopicPartition};

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
    /// Whether records are wanted with their headers; where they are not, a log may leave them out, which costs less.
    pub headers: bool,
    /// So long may the end of a commit take; then its outcome counts as unknown ([`CommitError::Fatal`]). At most
    /// what the log itself gives a transaction: 10 s on Kafka.
    pub commit_deadline: Duration,
}

impl GroupOptions {
    /// How long the end of a commit may take unless somebody says otherwise.
    pub const COMMIT_DEADLINE: Duration = Duration::from_secs(4);
}

/// A member of a group: owns partitions and reads them.
///
/// A partition is not read until [`Membership::fetch_from`] names its start.
#[async_trait]
pub trait Membership: Send {
    /// The next thing that happened.
    ///
    /// Cancel safe: a dropped call loses nothing, and what it waited for goes on; so who asks in
    /// snatches, however short, gets on.
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

    /// Holds an owned partition's records back, or lets them come again. While it is held [`Membership::next`] hands
    /// out neither records nor [`GroupEvent::CaughtUp`] of it; everything else goes on, and nothing is lost or read
    /// twice. Its start may be named meanwhile; a partition that goes and comes back is held no more.
    ///
    /// # Errors
    /// As [`Membership::fetch_from`].
    fn hold(&mut self, partition: &TopicPartition, held: bool) -> Result<(), LogError>;

    /// What commits for this member; valid as long as the membership.
    fn committer(&self) -> Arc<dyn Committer>;

    /// Leaves the group at once instead of being missed after the session time-out. What it still holds goes,
    /// whether revocations were heard of or not.
    async fn leave(self: Box<Self>) -> Result<(), LogError>;

    /// Ends without leaving the group: whoever joins under the same name within the session time-out has the same
    /// partitions at once, and no other member's move. A log that has no such time-out leaves.
    async fn stay(self: Box<Self>) -> Result<(), LogError> {
        self.leave().await
    }
}

/// What happens to a member of a group.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are this member's from now on; each waits for [`Membership::fetch_from`].
    /// The first may be empty: the member has joined and there is no share for it now.
    Assigned(Vec<Assignment>),
    /// These partitions go. They stay this member's until `release` is dropped or called, so that
    /// a commit under way can end; then another member gets them. A log may hand out nothing of the
    /// others meanwhile (Kafka's client does not), so let them go soon; commits go on.
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
    /// commit will never be taken. [`CommitError::Fatal`] and [`CommitError::Fenced`]: the outcome
    /// is unknown, or it is refused for good; drop the membership and all state, join again.
    /// [`CommitError::Hung`]: end the process.
    async fn commit(&self, commit: Commit) -> Result<(), CommitError>;

    /// Gives up the commit under way, for a member that has no more time: it is aborted unless its end has been
    /// asked for already. Answers when nothing is under way any more; [`Committer::commit`] tells what became of it.
    /// No commit is taken afterwards. Where commits end by themselves at once there is nothing to do.
    async fn abandon(&self) {}
}
