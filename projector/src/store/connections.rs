//! Connections to Postgres, each used by one transaction at a time and given up with the first thing that goes wrong.
//!
//! A pool would keep what has failed to mend it, and a server that vanished without a word never answers: so long as
//! the kernel believes in the connection, the pool would count it as taken. Here a connection that failed, took too
//! long or was dropped in the middle is closed, which is also what frees its locks soonest.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::error::StoreError;

/// How long a server may take to accept a connection before it counts as away.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// Connections that are kept for the next one: a load's, and a claim's beside it.
const KEPT: usize = 2;

/// Where connections come from, and those that wait for work.
#[derive(Debug)]
pub(super) struct Connections {
    options: PgConnectOptions,
    idle: Mutex<Vec<PgConnection>>,
}

impl Connections {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, idle: Mutex::default() }
    }

    /// One that waited, or a new one. It may have died since: its first statement tells.
    pub(super) async fn take(&self) -> Result<PgConnection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => within(CONNECT, "a connection", connect(&self.options)).await,
        }
    }

    /// Keeps one that is sound and in no transaction.
    pub(super) fn give_back(&self, connection: PgConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    /// Closes those that wait: one of them failed, and what ended it has likely ended all.
    pub(super) fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A new connection, however long that takes.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    Ok(options.connect().await?)
}

/// What comes of it; away when that takes longer than so long.
pub(super) async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = || format!("no answer to {what} within {} s", limit.as_secs());
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(StoreError::away(std::io::ErrorKind::TimedOut, late())))
}
