//! Turns the events of sessions into behavioural metrics.
//!
//! An event's way: [`consume`] reads it, [`machine`] finds its [`session`], [`metrics_v1`] sums it up,
//! [`report`] tells what came of it; reports, counts, state and offsets commit as one.

mod ask;
pub mod closing;
mod commit;
mod compact;
pub mod config;
pub mod consume;
pub mod cow;
pub mod encode;
pub mod error;
mod intern;
pub mod machine;
pub mod metrics;
#[cfg(test)]
mod metrics_probe;
pub mod metrics_v1;
pub mod report;
pub mod session;
mod shares;
pub mod state;
pub mod topics;
mod varint;

use std::sync::Arc;
use std::time::Duration;

use daemon::Shell;
use eventlog::EventLog;

pub use config::Config;

use config::millis;
use consume::Worker;
use error::WorkerError;
use topics::Topics;

/// How often the worker says that it lives while it waits for the log.
const BEAT: Duration = Duration::from_secs(1);
/// First pause before joining again; it doubles from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before joining again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs the worker until the process drains.
///
/// # Errors
/// When a person must act; the message says how.
pub async fn run(config: Config, log: Arc<dyn EventLog>, shell: Shell) -> anyhow::Result<()> {
    metrics::describe();
    let health = shell.health.component("feature-worker");
    let settings = machine::Settings {
        games: config.settings()?,
        commit_interval_ms: millis(config.commit_interval),
        margin_ms: millis(config.late_margin),
        live: config.live(),
        window: machine::Window { records: config.replay_window, age_ms: millis(config.replay_age) },
        poison_limit: config.poison_limit,
        worker: concat!("feature-worker ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let Some(topics) = find_topics(&config, log.as_ref(), &shell, &health).await? else { return Ok(()) };
    let worker = Worker {
        log,
        topics,
        instance: config.instance()?,
        on_stop: config.on_stop(),
        commit_deadline: config.commit_deadline,
        group: config.group,
        settings,
        shell: shell.clone(),
        health,
        resume: shell.orders.take("resume").into(),
    };
    let mut pause = FIRST_PAUSE;
    while !shell.shutdown.is_draining() {
        let begun = shell.clock.monotonic_ms();
        match consume::work(&worker).await {
            Ok(()) => return Ok(()),
            Err(WorkerError::Fatal(why)) => anyhow::bail!(why),
            Err(WorkerError::Rejoin(why) | WorkerError::Fenced(why)) => {
                tracing::warn!(why, "dropping everything and joining the group anew");
                metrics::rejoin();
                worker.health.not_ready("joining the group anew");
            }
        }
        // A membership that held for a while says that the log is well.
        let held = shell.clock.monotonic_ms() - begun > millis(LONGEST_PAUSE) * 2;
        pause = if held { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        wait(&shell, &worker.health, pause).await;
    }
    Ok(())
}

/// Looks at the topics until the log answers; none when the process drains meanwhile.
async fn find_topics(
    config: &Config,
    log: &dyn EventLog,
    shell: &Shell,
    health: &daemon::Component,
) -> anyhow::Result<Option<Topics>> {
    loop {
        let Some(found) = unless_draining(shell, health, Topics::find(log, &config.topic_prefix)).await else {
            return Ok(None);
        };
        match found {
            Ok(topics) => return Ok(Some(topics)),
            Err(error) if topics::is_passing(&error) => {
                tracing::warn!(error = format!("{error:#}"), "waiting for the log");
                health.not_ready("waiting for the log");
                wait(shell, health, Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
        }
        if shell.shutdown.is_draining() {
            return Ok(None);
        }
    }
}

/// What comes of something that may take long; none when the process drains meanwhile. The part counts as living.
pub(crate) async fn unless_draining<T>(
    shell: &Shell,
    health: &daemon::Component,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut beat = tokio::time::interval(BEAT);
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            () = shell.shutdown.draining() => return None,
            outcome = &mut work => return Some(outcome),
            _ = beat.tick() => health.beat(),
        }
    }
}

async fn wait(shell: &Shell, health: &daemon::Component, pause: Duration) {
    health.beat();
    tokio::select! {
        biased;
        () = shell.shutdown.draining() => {}
        () = tokio::time::sleep(pause) => {}
    }
}
