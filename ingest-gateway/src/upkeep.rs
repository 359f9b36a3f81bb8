//! What a gateway does beside its requests: metrics, counts, old ids, the log's health.

use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon::Component;
use tokio::time::{MissedTickBehavior, interval};

use crate::gateway::{Gateway, Link};
use crate::{metrics, report};

const EVERY: Duration = Duration::from_secs(1);
/// Counts go out every so many turns.
const COUNTS_EVERY: u32 = 10;
/// How long the log may take to acknowledge a record that only asks for that.
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
        if turn.is_multiple_of(COUNTS_EVERY) {
            report::counts(gateway, link, false).await;
        }
        // Only an acknowledgement, of whichever append, says that the log takes something: a broker that
        // lacks replicas answers every question.
        if gateway.log_failed.load(Ordering::Relaxed) {
            if !failing {
                tracing::error!("the log does not acknowledge; not ready until it does");
            }
            failing = true;
            health.not_ready("the log does not acknowledge");
            report::alive(gateway, link, PROBE).await;
        }
        if !gateway.log_failed.load(Ordering::Relaxed) {
            if failing {
                tracing::info!("the log acknowledges again");
            }
            failing = false;
            health.ready();
        }
    }
}
