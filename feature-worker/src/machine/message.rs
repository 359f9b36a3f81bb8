//! What goes into the machine, and what it wants done.

use bytes::Bytes;
use eventlog::Record;

use super::output::Output;
use crate::state::{self, SessionKey, StateError};

/// What happens to the machine.
#[derive(Debug)]
pub enum Input {
    /// A partition is ours.
    Assigned {
        /// Which.
        partition: i32,
        /// Where the group's last commit says to go on.
        committed: Option<i64>,
    },
    /// Records of the partition's state, in order.
    Restored {
        /// Which.
        partition: i32,
        /// Of the command.
        epoch: u64,
        /// What play.session-state says.
        records: Vec<Restored>,
    },
    /// The partition's state has been read to its end.
    RestoreDone {
        /// Which.
        partition: i32,
        /// Of the command.
        epoch: u64,
    },
    /// Records of play.events that some session's state lacks, in order.
    Replayed {
        /// Which partition.
        partition: i32,
        /// Of the command.
        epoch: u64,
        /// In order.
        records: Vec<Record>,
    },
    /// They have been read to their end.
    ReplayDone {
        /// Which partition.
        partition: i32,
        /// Of the command.
        epoch: u64,
    },
    /// Records of play.events.
    Batch {
        /// Of which partition.
        partition: i32,
        /// In order.
        records: Vec<Record>,
        /// The position after them.
        next_offset: i64,
    },
    /// All that the partition holds has been handed out.
    CaughtUp {
        /// Which.
        partition: i32,
    },
    /// What was asked of the log.
    ReadBack {
        /// Of which partition.
        partition: i32,
        /// Of the command.
        epoch: u64,
        /// The records of the sessions asked for, in order.
        records: Vec<Record>,
    },
    /// Time goes on.
    Tick,
    /// The commit under way is done.
    Committed,
    /// Nothing of the commit under way is or will be seen.
    Aborted,
    /// Partitions go.
    Revoked {
        /// Names the answer.
        token: u64,
        /// Which.
        partitions: Vec<i32>,
        /// They are another's already.
        lost: bool,
    },
    /// Partitions that have stopped at poison go on.
    Resume,
    /// The process ends: commit what is there and stop.
    Drain,
}

/// A record of play.session-state, read.
#[derive(Debug)]
pub struct Restored {
    /// What it says.
    pub record: state::Record,
    /// How many bytes its value takes.
    pub bytes: usize,
}

impl Restored {
    /// Reads records: much work, to be done beside the machine's loop.
    ///
    /// # Errors
    /// [`StateError`] where this release can't take one up.
    pub fn of(records: &[Record]) -> Result<Vec<Self>, StateError> {
        let mut restored = Vec::with_capacity(records.len());
        for record in records {
            if let Some(read) = state::decode(&record.key, record.value.as_deref())? {
                restored.push(Self { record: read, bytes: record.value.as_ref().map_or(0, Bytes::len) });
            }
        }
        Ok(restored)
    }
}

/// What the machine wants done.
#[derive(Debug)]
pub enum Command {
    /// Read the partition's state and hand it in.
    Restore {
        /// Which.
        partition: i32,
        /// To be handed back.
        epoch: u64,
    },
    /// Read a stretch of play.events and hand all of it in.
    Replay {
        /// Which partition.
        partition: i32,
        /// To be handed back.
        epoch: u64,
        /// First offset.
        from: i64,
        /// One past the last offset.
        until: i64,
    },
    /// Read play.events from here on; from the oldest record if none.
    FetchFrom {
        /// Which partition.
        partition: i32,
        /// First offset.
        offset: Option<i64>,
    },
    /// Read a stretch of play.events again and hand in the records of some sessions.
    ReadBack {
        /// Of which partition.
        partition: i32,
        /// To be handed back.
        epoch: u64,
        /// First offset.
        from: i64,
        /// One past the last offset.
        until: i64,
        /// Whose records.
        sessions: Vec<SessionKey>,
    },
    /// Commit outputs and offsets as one.
    Commit {
        /// Reports, snapshots, counts, state.
        outputs: Vec<Output>,
        /// By partition, the next offset to be read.
        offsets: Vec<(i32, i64)>,
    },
    /// Let revoked partitions go.
    Release {
        /// Of the input.
        token: u64,
    },
    /// Stop; with a message where a person must act.
    Stop {
        /// What is wrong and what to do.
        error: Option<String>,
    },
}
