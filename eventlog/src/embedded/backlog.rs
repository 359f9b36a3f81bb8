//! What an appender has handed over and not heard of yet: its bounds and its age.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{AppendOptions, Backlog};

/// What an appender has handed over and not heard of yet.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    state: Mutex<WaitingState>,
    /// Tells that something was settled.
    settled: Notify,
}

#[derive(Debug, Default)]
struct WaitingState {
    next: u64,
    since: BTreeMap<u64, Instant>,
    records: usize,
    bytes: usize,
}

/// A place in an appender's backlog, given up when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    waiting: Arc<Waiting>,
    number: u64,
    records: usize,
    bytes: usize,
}

impl Waiting {
    /// A place in the backlog, if there is room for so many records and bytes.
    pub(crate) fn enter(self: &Arc<Self>, records: usize, bytes: usize, options: &AppendOptions) -> Option<Ticket> {
        let mut state = self.state.lock();
        if state.records + records > options.max_records || state.bytes + bytes > options.max_bytes {
            return None;
        }
        state.records += records;
        state.bytes += bytes;
        let number = state.next;
        state.next += 1;
        state.since.insert(number, Instant::now());
        Some(Ticket { waiting: Arc::clone(self), number, records, bytes })
    }

    /// How many records wait, and how old the oldest is.
    pub(crate) fn backlog(&self) -> Backlog {
        let state = self.state.lock();
        let oldest = state.since.values().next().map_or(Duration::ZERO, Instant::elapsed);
        Backlog { records: state.records, oldest }
    }

    /// Waits until all that is there now has been settled.
    pub(crate) async fn drained(&self) {
        let until = self.state.lock().next;
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // Registers before the look, so that no word of it is missed in between.
            settled.as_mut().enable();
            if self.state.lock().since.keys().next().is_none_or(|first| *first >= until) {
                return;
            }
            settled.await;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        {
            let mut state = self.waiting.state.lock();
            state.since.remove(&self.number);
            state.records -= self.records;
            state.bytes -= self.bytes;
        }
        self.waiting.settled.notify_waiters();
    }
}
