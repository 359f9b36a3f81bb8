//! What waits to be written: a bounded queue in front of the one writer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::backlog::Ticket;
use super::failure::Failure;
use crate::{AppendError, Commit, CommitError, NewRecord};

/// A transaction takes no more once it has this many bytes; one request is never split.
const BATCH_BYTES: usize = 8 << 20;
/// How long a commit may wait for the file before it is given up as aborted.
pub(super) const COMMIT_PATIENCE: Duration = Duration::from_secs(10);

/// The queue. Requests leave it in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes the writer.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Request>,
    bytes: usize,
    commits: usize,
    closed: bool,
}

/// Something to be written.
#[derive(Debug)]
pub(super) struct Request {
    /// What is to be written.
    pub(super) work: Work,
    /// Who waits for it.
    pub(super) settle: Settle,
    /// From when on it need not wait for company any more.
    pub(super) due: Instant,
    /// When its outcome counts as unknown.
    pub(super) deadline: Instant,
    /// What it takes of a transaction's room.
    pub(super) bytes: usize,
}

/// What is to be written.
#[derive(Debug)]
pub(super) enum Work {
    /// Records.
    Append(Vec<NewRecord>),
    /// Outputs and offsets of a group's member, if it still is one.
    Commit {
        /// Outputs and offsets.
        commit: Commit,
        /// Whose.
        author: Author,
    },
}

/// A member of a group, as the file must still know it for its commit to hold.
#[derive(Clone, Debug)]
pub(super) struct Author {
    /// The group.
    pub(super) group: Arc<str>,
    /// The member's name.
    pub(super) instance: Arc<str>,
    /// Its membership's number under that name.
    pub(super) epoch: i64,
    /// Of each offset to be committed: the partition's row, the number of the claim to it, the offset.
    pub(super) claims: Vec<(i64, i64, i64)>,
}

/// Who waits for an outcome. Dropped, the waiter learns that the log ended without a word.
#[derive(Debug)]
pub(super) enum Settle {
    /// An append, with its place in its appender's backlog.
    Append(oneshot::Sender<Result<Vec<i64>, AppendError>>, Ticket),
    /// A commit.
    Commit(oneshot::Sender<Result<(), CommitError>>),
}

impl Queue {
    /// Puts a request at the end; false when the log has been closed.
    pub(super) fn push(&self, request: Request) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.bytes += request.bytes;
        let urgent = matches!(request.work, Work::Commit { .. });
        state.commits += usize::from(urgent);
        let wake = state.waiting.is_empty() || urgent || state.bytes >= BATCH_BYTES;
        state.waiting.push_back(request);
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        true
    }

    /// Waits until there is something to write that has waited for company long enough.
    ///
    /// False when the queue is closed and empty.
    pub(super) async fn ready(&self) -> bool {
        loop {
            let due = {
                let state = self.state.lock();
                match state.waiting.front() {
                    None if state.closed => return false,
                    None => None,
                    Some(_) if state.closed || state.commits > 0 || state.bytes >= BATCH_BYTES => return true,
                    Some(first) => Some(first.due),
                }
            };
            match due {
                None => self.arrived.notified().await,
                Some(due) if due <= Instant::now() => return true,
                Some(due) => tokio::select! {
                    () = self.arrived.notified() => {}
                    () = tokio::time::sleep_until(due.into()) => {}
                },
            }
        }
    }

    /// Takes what goes into one transaction.
    pub(super) fn take(&self) -> Vec<Request> {
        let mut state = self.state.lock();
        let mut taken = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES {
            let Some(request) = state.waiting.pop_front() else { break };
            bytes += request.bytes;
            state.commits -= usize::from(matches!(request.work, Work::Commit { .. }));
            taken.push(request);
        }
        state.bytes -= bytes;
        taken
    }

    /// The first deadline of what waits.
    pub(super) fn first_deadline(&self) -> Option<Instant> {
        self.state.lock().waiting.iter().map(|request| request.deadline).min()
    }

    /// Gives up what has waited beyond its deadline: nothing of it was or will be written.
    pub(super) fn expire(&self, now: Instant, why: &Failure) {
        let expired = {
            let mut state = self.state.lock();
            let (expired, kept) = state.waiting.drain(..).partition::<VecDeque<_>, _>(|r| r.deadline <= now);
            state.waiting = kept;
            state.bytes -= expired.iter().map(|request| request.bytes).sum::<usize>();
            state.commits -= expired.iter().filter(|r| matches!(r.work, Work::Commit { .. })).count();
            expired
        };
        for request in expired {
            request.settle.not_written(why);
        }
    }

    /// Takes nothing more; what waits is still written.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.arrived.notify_one();
    }
}

impl Settle {
    /// Tells that nothing was written.
    pub(super) fn not_written(self, why: &Failure) {
        self.tell(|| Err(why.clone().into_append_error()), || Err(why.clone().into_commit_error()));
    }

    /// Tells that its author is fenced.
    pub(super) fn fenced(self, why: &str) {
        self.tell(|| Err(AppendError::Refused(why.to_owned())), || Err(CommitError::Fenced(why.to_owned())));
    }

    /// Tells that nobody knows whether it was written.
    pub(super) fn fatal(self, why: &str) {
        self.tell(|| Err(AppendError::Unknown(why.to_owned())), || Err(CommitError::Fatal(why.to_owned())));
    }

    /// Tells that it will never be written.
    pub(super) fn refused(self, why: &str) {
        self.tell(|| Err(AppendError::Refused(why.to_owned())), || Err(CommitError::Refused(why.to_owned())));
    }

    /// Tells that it is kept, at these offsets.
    pub(super) fn kept(self, offsets: Vec<i64>) {
        self.tell(|| Ok(offsets), || Ok(()));
    }

    /// Whoever waited may have given up; then nobody wants to know.
    fn tell(
        self,
        append: impl FnOnce() -> Result<Vec<i64>, AppendError>,
        commit: impl FnOnce() -> Result<(), CommitError>,
    ) {
        match self {
            Self::Append(settle, ticket) => {
                // First: who hears of it must find the backlog without it.
                drop(ticket);
                drop(settle.send(append()));
            }
            Self::Commit(settle) => drop(settle.send(commit())),
        }
    }
}
