//! Waiting: between attempts longer each time, with jitter; and not for ever once a drain has begun.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use daemon::{Component, Shell};
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// So long after a drain began, what still fails is left: nothing is lost, the offsets tell.
const PATIENCE: Duration = Duration::from_secs(3);
/// So long what is under way may still take when a drain begins.
const LAST: Duration = Duration::from_secs(5);
/// How often a loop that waits for one thing says that it turns.
const TURN: Duration = Duration::from_secs(1);

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

/// What comes of `work`, which has limits of its own; none when the process drains and it does not end soon: a server
/// that does not answer at all holds nobody up. Whoever waits here turns.
pub(crate) async fn unless_draining<T>(
    shell: &Shell,
    component: &Component,
    work: impl Future<Output = T>,
) -> Option<T> {
    let patience = async {
        shell.shutdown.draining().await;
        tokio::time::sleep(LAST).await;
    };
    let mut turn = tokio::time::interval(TURN);
    tokio::pin!(work, patience);
    loop {
        tokio::select! {
            biased;
            outcome = &mut work => return Some(outcome),
            () = &mut patience => return None,
            _ = turn.tick() => component.beat(),
        }
    }
}

fn delays() -> ExponentialBackoff {
    ExponentialBuilder::new().with_min_delay(FIRST).with_max_delay(LONGEST).with_jitter().without_max_times().build()
}
