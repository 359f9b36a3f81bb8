//! Waiting between attempts: longer each time, with jitter, and not for ever once a drain has begun.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use daemon::{Component, Shell};
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// So long after a drain began, what still fails is left: nothing is lost, the offsets tell.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits between attempts of one thing.
pub(crate) struct Backoff {
    shell: Shell,
    component: Component,
    delays: ExponentialBackoff,
    draining_since: Option<Instant>,
    failed: bool,
}

impl Backoff {
    pub(crate) fn new(shell: &Shell, component: &Component) -> Self {
        Self {
            shell: shell.clone(),
            component: component.clone(),
            delays: delays(),
            draining_since: None,
            failed: false,
        }
    }

    /// Says why it failed, waits, and answers whether to try again.
    pub(crate) async fn pause(&mut self, why: &str) -> bool {
        if !self.failed {
            tracing::warn!(why, "waiting; will go on by itself");
        }
        self.failed = true;
        self.component.not_ready(why);
        self.component.beat();
        if self.shell.shutdown.is_draining() {
            let since = *self.draining_since.get_or_insert_with(Instant::now);
            if since.elapsed() > PATIENCE {
                return false;
            }
        }
        let delay = self.delays.next().unwrap_or(LONGEST);
        tokio::select! {
            () = tokio::time::sleep(delay) => true,
            () = self.shell.shutdown.ending() => false,
        }
    }

    /// Says that it worked: the next failure waits briefly again.
    pub(crate) fn worked(&mut self) {
        if self.failed {
            tracing::info!("going on");
            self.component.ready();
            self.failed = false;
            self.delays = delays();
        }
    }
}

fn delays() -> ExponentialBackoff {
    ExponentialBuilder::new().with_min_delay(FIRST).with_max_delay(LONGEST).with_jitter().without_max_times().build()
}
