//! The simulated players of local mode.

use std::time::Duration;

use daemon::{Clock, Shell, Shutdown};
use tokio::task::JoinHandle;

use super::Arguments;
use super::deadline::Deadline;
use crate::folder::{Folder, Running};
use crate::gateway::Gateway;
use crate::simulate::{self, Options, Tally};

/// How long the last requests may take to be answered when all stops.
const PATIENCE: Duration = Duration::from_secs(2);

/// Players at this process's own gateway; none where none were asked for.
pub(super) struct Players {
    shutdown: Shutdown,
    task: Option<JoinHandle<()>>,
}

impl Players {
    /// Starts as many as were asked for.
    pub(super) fn start(arguments: &Arguments, folder: &Folder, shell: &Shell, running: &Running) -> Self {
        let shutdown = Shutdown::new();
        if arguments.simulate == 0 {
            return Self { shutdown, task: None };
        }
        // The folder's own players: the same ones come back with it.
        let (seed, _) = folder.id().as_u64_pair();
        let options = Options { players: arguments.simulate, seed, rate: None, duration: None };
        let task = tokio::spawn(play(running.clone(), options, shell.clock.clone(), shutdown.clone()));
        Self { shutdown, task: Some(task) }
    }

    /// Ends them before their gateway, so that what they sent is answered.
    pub(super) async fn stop(self, deadline: Deadline) {
        self.shutdown.drain();
        if let Some(mut task) = self.task
            && tokio::time::timeout(deadline.within(PATIENCE), &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

async fn play(running: Running, options: Options, clock: Clock, shutdown: Shutdown) {
    let began = clock.monotonic_ms();
    let played = match Gateway::new(&running.gateway, &running.api_key) {
        Ok(gateway) => simulate::run(&gateway, options, &clock, &shutdown, tell).await,
        Err(error) => Err(error),
    };
    match played {
        Ok(tally) => {
            tell(&tally, (clock.monotonic_ms() - began) / 1_000);
            if !tally.is_clean() {
                tracing::warn!(troubles = ?tally.troubles, "not all that the players sent was kept");
            }
        }
        Err(error) => tracing::error!("the players could not play: {error:#}"),
    }
}

fn tell(tally: &Tally, seconds: i64) {
    tracing::info!("players: {}", tally.words(seconds));
}
