//! What can go wrong with a log, by what the caller does about it.

use thiserror::Error;

/// A failure to look at, read or join.
#[derive(Debug, Error)]
pub enum LogError {
    /// It may work later: try again.
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// There is no such topic or partition.
    #[error("there is no topic or partition {0}")]
    NotFound(String),
    /// The partition does not hold the offset asked for: the topic was truncated or made again.
    #[error(
        "{topic}/{partition} holds offsets {low} to {high}, not {wanted}: it was truncated, or made again under its old name"
    )]
    OutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What was asked for.
        wanted: i64,
        /// The oldest offset there.
        low: i64,
        /// One past the newest.
        high: i64,
    },
    /// Settings or data that the log cannot work with: a person must act.
    #[error("{0}")]
    Invalid(String),
    /// The member or client cannot go on: drop it and all state, start anew.
    #[error("the log's client cannot go on: {0}")]
    Fatal(String),
}

/// A failure to append.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// No room: nothing was taken. Shed load.
    #[error("the queue to the log is full")]
    Full,
    /// Nothing was written.
    #[error("the log did not take it: {0}")]
    Unavailable(String),
    /// It may or may not have been written: a repeat must be safe.
    #[error("the log did not say in time whether it took it: {0}")]
    Unknown(String),
    /// The log will never take this record (too large, no such partition).
    #[error("the log refuses it: {0}")]
    Refused(String),
}

/// A failure to commit.
#[derive(Debug, Error)]
pub enum CommitError {
    /// Nothing of it is or will be seen; go back to the committed offsets.
    #[error("the commit was aborted: {0}")]
    Aborted(Abort),
    /// Nothing of it is seen, and the same commit will never be taken (a record too large, no such
    /// partition): a person or the caller must change it.
    #[error("the log refuses the commit: {0}")]
    Refused(String),
    /// The outcome is unknown: drop the membership and all state, join again.
    #[error("the commit's outcome is unknown or refused for good: {0}")]
    Fatal(String),
    /// Nothing of it is seen: the cluster has given this member up, or another has its name. As
    /// [`CommitError::Fatal`], but ask [`crate::Membership::next`] before joining again: within some
    /// heartbeats it says [`LogError::Invalid`] where another has the name.
    #[error("the commit is refused, this member is fenced: {0}")]
    Fenced(String),
    /// No outcome came at all, long after every deadline: the log's client hangs and cannot be had back.
    /// The process is to end, so that another takes over from what is committed.
    #[error("the log's client hangs over a commit: {0}")]
    Hung(String),
}

/// An aborted commit.
#[derive(Clone, Debug, Error)]
#[error("{why}")]
pub struct Abort {
    /// What kind of thing it was, for metrics.
    pub cause: AbortCause,
    /// What happened, for people.
    pub why: String,
}

/// Why a commit was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbortCause {
    /// The group is being shared out anew: this member's generation is not the newest, or it is not in the group
    /// for the moment.
    Rebalance,
    /// One of the partitions is not this member's any more.
    NotOwned,
    /// An output was not acknowledged in time.
    Delivery,
    /// The member gave it up itself ([`crate::Committer::abandon`]).
    Abandoned,
    /// Anything else.
    Other,
}

impl AbortCause {
    /// Its name as a label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rebalance => "rebalance",
            Self::NotOwned => "not_owned",
            Self::Delivery => "delivery",
            Self::Abandoned => "abandoned",
            Self::Other => "other",
        }
    }
}

impl CommitError {
    /// An aborted commit.
    pub fn aborted(cause: AbortCause, why: impl Into<String>) -> Self {
        Self::Aborted(Abort { cause, why: why.into() })
    }

    /// Whether the member can commit nothing any more.
    pub fn ends_membership(&self) -> bool {
        matches!(self, Self::Fatal(_) | Self::Fenced(_) | Self::Hung(_))
    }

    /// What kind of failure it is, as a label of metrics: the cause of an abort, else `refused`, `fatal`, `fenced`
    /// or `hung`.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Aborted(abort) => abort.cause.as_str(),
            Self::Refused(_) => "refused",
            Self::Fatal(_) => "fatal",
            Self::Fenced(_) => "fenced",
            Self::Hung(_) => "hung",
        }
    }
}
