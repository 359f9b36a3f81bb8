//! What can end the worker's share of the log, by what the worker does about it.

use eventlog::{CommitError, LogError};

/// Why the worker holds no partitions any more.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Drop everything, join again, restore.
    #[error("{0}")]
    Rejoin(String),
    /// As [`WorkerError::Rejoin`], unless the group says that another has this worker's name.
    #[error("{0}")]
    Fenced(String),
    /// A person must act; the message says how.
    #[error("{0}")]
    Fatal(String),
}

impl From<LogError> for WorkerError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable(_) | LogError::Fatal(_) => Self::Rejoin(error.to_string()),
            LogError::NotFound(_) | LogError::OutOfRange { .. } | LogError::Invalid(_) => {
                Self::Fatal(error.to_string())
            }
        }
    }
}

impl From<CommitError> for WorkerError {
    fn from(error: CommitError) -> Self {
        match error {
            // Who handles an abort goes on; it comes here only when nobody did.
            CommitError::Aborted(_) | CommitError::Fatal(_) => Self::Rejoin(error.to_string()),
            CommitError::Fenced(_) => Self::Fenced(error.to_string()),
            CommitError::Refused(_) => Self::Fatal(error.to_string()),
            CommitError::Hung(_) => {
                Self::Fatal(format!("{error}; this process ends, so that another goes on from what is committed"))
            }
        }
    }
}
