//! The end of a gateway: new requests are refused, those in flight get their answers, what they left
//! goes to the log.
//!
//! Every step ends at a fixed time from the drain's beginning, whatever the log's own deadlines are:
//! an orchestrator kills what has not gone after 30 s as a rule.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::gateway::Gateway;
use crate::report;

/// Until then requests in flight may end.
const ANSWERED: Duration = Duration::from_secs(12);
/// Until then the log may tell what became of what it was given.
const FLUSHED: Duration = Duration::from_secs(15);
/// Until then the last counts may be told.
const COUNTED: Duration = Duration::from_secs(20);
/// For so long connections may take to close, once all this is over.
pub(crate) const HANG_UP: Duration = Duration::from_secs(2);

/// Drains; returns when there is nothing left to do, or no time.
pub(crate) async fn drain(gateway: &Gateway) {
    let began = Instant::now();
    gateway.drain();
    gateway.work.close();
    let answered = timeout_at(began + ANSWERED, gateway.work.wait()).await.is_ok();
    if !answered {
        tracing::warn!(requests = gateway.work.len(), "requests were still without an answer at the end of the drain");
    }
    let Ok(link) = gateway.link() else { return };
    // Counts may be on their way: whether the log has them can be looked up only when that is over.
    let flushed = link.appender.flush((began + FLUSHED).duration_since(Instant::now())).await;
    if let Err(error) = &flushed {
        tracing::error!(%error, "the log did not take everything before the end");
    }
    let whole = answered && flushed.is_ok();
    let told = timeout_at(began + COUNTED, report::counts(gateway, link, whole)).await;
    if !(whole && told.unwrap_or(false)) {
        tracing::warn!("play.outcomes does not say that this gateway stopped: counts may be missing");
    }
}
