//! Appending: into the bounded queue, and out again as soon as the disk has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use metrics::counter;

use super::Handle;
use super::backlog::Waiting;
use super::chunk;
use super::failure::Failure;
use super::queue::{Request, Settle, Work};
use crate::{AppendError, AppendOptions, Appender, Backlog, NewRecord, Pending};

/// What a waiting record takes beside its bytes.
const OVERHEAD_BYTES: usize = 128;

/// Appends to the log in one file.
pub(super) struct EmbeddedAppender {
    handle: Arc<Handle>,
    options: AppendOptions,
    waiting: Arc<Waiting>,
}

impl EmbeddedAppender {
    pub(super) fn new(handle: Arc<Handle>, options: AppendOptions) -> Self {
        Self { handle, options, waiting: Arc::default() }
    }
}

#[async_trait]
impl Appender for EmbeddedAppender {
    fn append(&self, records: Vec<NewRecord>) -> Result<Pending, AppendError> {
        let (settle, pending) = Pending::new();
        let bytes = request_bytes(&records);
        let Some(ticket) = self.waiting.enter(records.len(), bytes, &self.options) else {
            counter!("playledger_log_appends_shed_total").increment(1);
            return Err(AppendError::Full);
        };
        let now = Instant::now();
        let taken = self.handle.store.queue.push(Request {
            work: Work::Append(records),
            settle: Settle::Append(settle, ticket),
            due: now + self.options.linger,
            deadline: now + self.options.deadline,
            bytes,
        });
        if taken { Ok(pending) } else { Err(Failure::closed().into_append_error()) }
    }

    async fn flush(&self, deadline: Duration) -> Result<(), AppendError> {
        tokio::time::timeout(deadline, self.waiting.drained()).await.map_err(|_| {
            let waits = self.waiting.backlog().records;
            AppendError::Unknown(format!("{waits} records still wait for the disk"))
        })
    }

    fn backlog(&self) -> Backlog {
        self.waiting.backlog()
    }
}

/// What records take in the queue and in a transaction.
pub(super) fn request_bytes(records: &[NewRecord]) -> usize {
    records.iter().map(|record| chunk::size(record) + OVERHEAD_BYTES).sum()
}
