//! The keeper: every few minutes it removes what the settings keep no longer. One at a time over all projectors.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use daemon::Shell;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep};

use crate::config::Config;
use crate::error::StoreError;
use crate::metrics;
use crate::store::{Store, Swept};

/// How often the age of the last sweep is told.
const TELL: Duration = Duration::from_secs(1);

/// A keeper at work; dropped, it ends, in the middle of a step if need be.
pub(crate) struct Keeper(JoinHandle<()>);

impl Keeper {
    /// Begins to look after the tables.
    pub(crate) fn start(config: &Config, store: Store, shell: &Shell) -> Self {
        let work = work(store, config.sweep_interval, config.event_log, shell.clone());
        Self(tokio::spawn(work))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn work(store: Store, every: Duration, ahead: bool, shell: Shell) {
    let mut complete = Instant::now();
    let mut tell = interval(TELL);
    // The first one soon, but not while everything starts.
    let mut pause = jittered(every / 10);
    loop {
        let wait = std::mem::replace(&mut pause, jittered(every));
        let sweep = async {
            sleep(wait).await;
            store.sweep(shell.clock.now_ms(), ahead).await
        };
        tokio::pin!(sweep);
        let outcome = loop {
            tokio::select! {
                // A step that has begun comes to nothing, and the next keeper begins it anew.
                () = shell.shutdown.draining() => return,
                _ = tell.tick() => metrics::sweep_age(complete.elapsed()),
                outcome = &mut sweep => break outcome,
            }
        };
        if said(outcome) {
            complete = Instant::now();
        }
    }
}

/// Says what came of a sweep; answers whether it was complete.
fn said(outcome: Result<Option<Swept>, StoreError>) -> bool {
    match outcome {
        Ok(Some(swept)) => {
            let Swept { rows, made, dropped, left } = swept;
            if rows + made + dropped > 0 {
                tracing::info!(rows, made, dropped, "kept the tables");
            }
            if left {
                tracing::info!("days of event_log wait for whoever reads it; trying again later");
            }
            !left
        }
        // Another one is at it, which is as good. It tells its own.
        Ok(None) => false,
        Err(error @ (StoreError::Away(_) | StoreError::Fenced | StoreError::Outdated(_))) => {
            tracing::warn!(%error, "a sweep of the tables was broken off; trying again later");
            false
        }
        Err(error @ (StoreError::Fatal(_) | StoreError::Value(_))) => {
            tracing::error!(%error, "the tables cannot be swept: what is kept no longer stays; trying again later");
            false
        }
    }
}

/// A time around this one: projectors that started together should not ask together.
fn jittered(every: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let percent = u32::try_from(random % 41).unwrap_or_default() + 80;
    every * percent / 100
}
