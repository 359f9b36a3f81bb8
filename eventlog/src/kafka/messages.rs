//! What a member's task and its thread tell each other.

use tokio::sync::oneshot;

use super::link::Link;
use super::question::Found;
use crate::{Abort, Batch, CommitError, LogError, Release, TopicPartition};

/// What the task asks of the thread.
pub(super) enum Command {
    /// Read an owned partition from here on.
    Fetch { partition: TopicPartition, offset: i64, epoch: u64 },
    /// Read nothing of an owned partition for now, or read it on.
    Hold { partition: TopicPartition, held: bool },
    /// What the cluster answered to a question of the thread's own.
    Found(Found),
    /// The group metadata for a commit of these partitions, or why there is none.
    Metadata { partitions: Vec<TopicPartition>, reply: std::sync::mpsc::Sender<Result<super::Metadata, Abort>> },
    /// These partitions have been committed.
    Progressed(Vec<TopicPartition>),
    /// Commit offsets without outputs.
    Commit { offsets: Vec<(TopicPartition, i64)>, reply: oneshot::Sender<Result<(), CommitError>> },
    /// Leave the group and end.
    Leave,
    /// End; the group misses this member after the session time-out.
    Stop,
}

/// What the thread tells the task, at once.
pub(super) enum Notice {
    Assigned(Vec<crate::Assignment>),
    Revoked { partitions: Vec<TopicPartition>, lost: bool, release: Release },
    Failed(LogError),
}

/// What the thread hands to the task, in order.
pub(super) struct Item {
    /// The answer to which [`Command::Fetch`] this is.
    pub(super) epoch: u64,
    /// How much memory it takes, about.
    pub(super) bytes: usize,
    pub(super) content: Content,
}

pub(super) enum Content {
    Records(Batch),
    CaughtUp { partition: TopicPartition, position: i64 },
}

pub(super) type MemberLink = Link<Command, Notice, Item>;
