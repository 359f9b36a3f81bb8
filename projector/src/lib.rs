//! Materialises read models into Postgres: reports, snapshots, counts and the quarantine become rows,
//! in one transaction with the offsets that they came from.

mod assign;
mod backoff;
pub mod config;
mod consume;
pub mod decode;
mod ends;
pub mod error;
pub mod figures;
mod freshness;
mod hint;
mod identity;
pub mod jsonb;
mod keeper;
mod listing;
pub mod load;
mod member;
pub mod metrics;
mod pending;
pub mod project;
pub mod rebuild;
pub mod set_aside;
pub mod status;
pub mod store;
mod topics;
pub mod write;

use std::sync::Arc;

use daemon::Shell;
use eventlog::EventLog;

pub use config::{Config, Process, SchemaName};

/// Runs a projector on `log` until `shell` tells it to drain.
///
/// # Errors
/// When a person must act: the tables are newer than this projector, the log is another one than the
/// rows were made from or lacks what comes next, a record is of a later release. What passes by itself
/// (Postgres or the log away) is waited for.
pub async fn run(config: Config, log: Arc<dyn EventLog>, shell: Shell) -> anyhow::Result<()> {
    metrics::describe();
    consume::run(&config, &log, &shell).await
}
