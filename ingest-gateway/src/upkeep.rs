//! What a gateway does beside its requests: metrics, counts, old ids, the log's health.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon::Component;
use eventlog::TopicPartition;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::gateway::{Gateway, Link};
use crate::{metrics, report};

const EVERY: Duration = Duration::from_secs(1);
/// Counts go out every so many turns.
const COUNTS_EVERY: u32 = 10;
/// How long the log may take to answer a question.
const PROBE: Duration = Duration::from_secs(2);

/// Runs until it is dropped.
pub(crate) async fn run(gateway: &Gateway, link: &Link, health: &Component) {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    for turn in 1_u32.. {
        turns.tick().await;
        health.beat();
        let backlog = link.appender.backlog();
        metrics::queue(backlog.records, backlog.oldest);
        let now_ms = gateway.clock.monotonic_ms();
        let (ids, covered_ms) = {
            let mut window = gateway.window.lock();
            window.turn(now_ms);
            (window.len(), window.covered_ms(now_ms))
        };
        metrics::dedup(ids, covered_ms);
        if turn.is_multiple_of(COUNTS_EVERY) && report::counts(gateway, link, false).await {
            gateway.log_failed.store(false, Ordering::Relaxed);
        }
        if gateway.log_failed.load(Ordering::Relaxed) {
            if !failing {
                tracing::error!("the log does not acknowledge; not ready until it answers again");
            }
            failing = true;
            health.not_ready("the log does not acknowledge");
            if answers(link).await {
                gateway.log_failed.store(false, Ordering::Relaxed);
            }
        } else {
            if failing {
                tracing::info!("the log answers again");
            }
            failing = false;
            health.ready();
        }
    }
}

/// Whether the log answers at all; the next request shows whether it acknowledges, too.
async fn answers(link: &Link) -> bool {
    let first = TopicPartition::new(Arc::clone(&link.targets.events.name), 0);
    matches!(timeout(PROBE, link.log.offsets(&first)).await, Ok(Ok(_)))
}
