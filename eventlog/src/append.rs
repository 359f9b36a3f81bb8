//! Appending: a batch goes in, and one learns when it is kept.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::{AppendError, NewRecord};

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
