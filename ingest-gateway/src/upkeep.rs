//! What a gateway does beside its requests: metrics, counts, old ids, the health of the log and the clock.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon::Component;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::gateway::{Gateway, Link};
use crate::{metrics, report, skew};

const EVERY: Duration = Duration::from_secs(1);
/// How often the age of what waits for the log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often counts go out.
const COUNTS_EVERY: Duration = Duration::from_secs(10);
/// How long the log may take to acknowledge a record that only asks for that.
const PROBE: Duration = Duration::from_secs(2);

/// Where it is told how things stand.
#[derive(Clone, Copy)]
pub(crate) struct Healths<'a> {
    /// The gateway and its log.
    pub(crate) gateway: &'a Component,
    /// Its clock.
    pub(crate) clock: &'a Component,
}

/// Runs until it is dropped.
pub(crate) async fn run(gateway: &Gateway, link: &Link, healths: Healths<'_>) {
    // Beside each other: counts wait for the log as long as an append may, and that may be long.
    tokio::join!(turn(gateway, link, healths), count(gateway, link), watch(gateway, link));
}

/// Says that the process turns, while something waits that takes as long as the log does.
pub(crate) async fn beat(health: &Component) -> Infallible {
    let mut turns = interval(EVERY);
    loop {
        turns.tick().await;
        health.beat();
    }
}

async fn count(gateway: &Gateway, link: &Link) {
    let mut turns = interval_at(Instant::now() + COUNTS_EVERY, COUNTS_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        report::counts(gateway, link, false).await;
    }
}

/// Looks how long the log makes requests wait: new ones are turned away by it.
async fn watch(gateway: &Gateway, link: &Link) {
    let mut turns = interval(LOOK_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        gateway.limits.load.note_oldest(link.appender.backlog().oldest);
    }
}

/// Nothing here waits for longer than a probe.
async fn turn(gateway: &Gateway, link: &Link, healths: Healths<'_>) {
    let health = healths.gateway;
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    let mut clock_fault = None;
    loop {
        turns.tick().await;
        health.beat();
        judge_clock(gateway, healths.clock, &mut clock_fault);
        let backlog = link.appender.backlog();
        metrics::queue(backlog.records, backlog.oldest);
        let now_ms = gateway.clock.monotonic_ms();
        let (ids, covered_ms) = {
            let mut window = gateway.window.lock();
            window.turn(now_ms);
            (window.len(), window.covered_ms(now_ms))
        };
        metrics::dedup(ids, covered_ms);
        metrics::limits(gateway.limits.load.bytes(), gateway.limits.sweep());
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

/// Not ready while the clock is not to be trusted: what would be stamped by it could close sessions.
fn judge_clock(gateway: &Gateway, health: &Component, fault: &mut Option<String>) {
    let found =
        skew::against_host(gateway.clock.now_ms(), gateway.clock.host_ms()).or_else(|| gateway.peers.judge(gateway));
    match (&found, &fault) {
        (Some(words), None) => tracing::error!(fault = words, "not ready: the clock is not to be trusted"),
        (None, Some(_)) => tracing::info!("the clock is to be trusted again"),
        _ => {}
    }
    match &found {
        Some(words) => health.not_ready(words),
        None => health.ready(),
    }
    *fault = found;
}
