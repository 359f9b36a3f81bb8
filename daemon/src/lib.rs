//! The shell that every daemon runs in: configuration, telemetry, ops server, shutdown, clock.
//! No word of games.
//!
//! A daemon is a library with `run(config, …, shell)` and a `main.rs` that calls [`start`]. All that
//! can fail without a runtime (flags, files, telemetry) fails before there is one.

pub mod catalogue;
pub mod clock;
pub mod config;
pub mod files;
pub mod health;
pub mod lifecycle;
pub mod ops;
pub mod orders;
pub mod ready;
pub mod telemetry;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

pub use clock::Clock;
pub use config::{Daemon, Loaded};
pub use health::{Component, Health};
pub use lifecycle::Shutdown;
pub use orders::Orders;
pub use ready::Ready;

/// How long the end of a process waits for blocking calls that are still under way.
const LAST: Duration = Duration::from_secs(1);

/// What a daemon gets from the process that it runs in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Tells when to drain and when to end at once.
    pub shutdown: Shutdown,
    /// Where the daemon says that it lives and is ready.
    pub health: Health,
    /// Where the daemon says which addresses it listens on.
    pub ready: Ready,
    /// The process's clock.
    pub clock: Clock,
    /// What the daemon may be told to do over the ops port.
    pub orders: Orders,
}

impl Shell {
    /// A shell without signals, ops server or files: for tests and for local mode's parts.
    pub fn detached() -> Self {
        Self {
            shutdown: Shutdown::new(),
            health: Health::new(),
            ready: Ready::default(),
            clock: Clock::system(),
            orders: Orders::default(),
        }
    }
}

/// Runs a daemon from its command line to its exit status: 0 done, 1 failed, 2 bad usage.
pub fn start<C, F, Fut>(run: F) -> ExitCode
where
    C: Daemon,
    F: FnOnce(C, Shell) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let loaded = match config::load::<C>(std::env::args_os(), &|name| std::env::var_os(name)) {
        Ok(loaded) => loaded,
        Err(stop) => return stop.report(),
    };
    match run_loaded(loaded, run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "ended with an error");
            ExitCode::from(1)
        }
    }
}

fn run_loaded<C, F, Fut>(loaded: Loaded<C>, run: F) -> anyhow::Result<()>
where
    C: Daemon,
    F: FnOnce(C, Shell) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    telemetry::init(loaded.common.log_format);
    files::raise_limit();
    let ready = Ready::new(C::NAME, loaded.common.ready_file.clone());
    ready.forget().context("--ready-file: can't remove the one of an earlier run")?;
    let recorder = ops::install_recorder()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    run_to_end(runtime, async {
        let shell = Shell { shutdown: Shutdown::on_signals()?, ready, ..Shell::detached() };
        let ops = ops::serve(&loaded.common.ops, recorder, &shell).await?;
        shell.ready.listening("ops", ops);
        let outcome = run(loaded.config, shell.clone()).await;
        shell.health.draining();
        outcome
    })
}

/// Runs something to its end. Blocking calls that are still under way then are left to themselves: they hold up
/// neither the process's end nor what is told by its status.
fn run_to_end<T>(runtime: tokio::runtime::Runtime, work: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST);
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_blocking_call_under_way_does_not_hold_up_the_end() {
        let (release, released) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            let outcome = run_to_end(runtime, async {
                let (tell_begun, has_begun) = tokio::sync::oneshot::channel();
                drop(tokio::task::spawn_blocking(move || {
                    tell_begun.send(()).unwrap();
                    let _ = released.recv();
                }));
                has_begun.await.unwrap();
                7
            });
            tell.send(outcome).unwrap();
        });
        assert_eq!(told.recv_timeout(Duration::from_mins(1)), Ok(7));
        drop(release);
    }
}
