//! Appends and waits; what comes of it is all that a gateway knows of the log's health.

use std::sync::atomic::Ordering;
use std::time::Duration;

use eventlog::{AppendError, NewRecord};
use tokio::time::timeout;

use crate::gateway::{Gateway, Link};

/// Appends records and waits until all of them are kept, `patience` at most.
///
/// # Errors
/// When the log did not acknowledge all of them in time.
pub async fn kept(
    gateway: &Gateway,
    link: &Link,
    records: Vec<NewRecord>,
    patience: Duration,
) -> Result<(), AppendError> {
    if records.is_empty() {
        return Ok(());
    }
    let late = |_| Err(AppendError::Unknown("no word within the deadline".into()));
    let places = gateway.own.places(&records);
    let offsets = timeout(patience, link.appender.append(records)?.kept()).await.unwrap_or_else(late)?;
    gateway.own.kept(&places, &offsets);
    gateway.log_failed.store(false, Ordering::Relaxed);
    Ok(())
}

/// Notes why the log did not acknowledge a request's events. An outage is told of once, not by every
/// request that meets it.
pub fn failed(gateway: &Gateway, error: &AppendError) {
    match error {
        // Ours: more waits for the log than may. A metric counts it.
        AppendError::Full => tracing::debug!(%error, "a request's events were shed"),
        // The record's own fault: it tells nothing of the log.
        AppendError::Refused(_) => {}
        AppendError::Unavailable(_) | AppendError::Unknown(_) => {
            if !gateway.log_failed.swap(true, Ordering::Relaxed) {
                tracing::warn!(%error, "the log did not acknowledge a request's events; told once until it does again");
            }
        }
    }
}
