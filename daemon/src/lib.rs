//! The shell that every daemon runs in: configuration, telemetry, ops server, shutdown, clock.
//! No word of games.
//!
//! A daemon is a library with `run(config, …, shell)` and a `main.rs` that calls [`start`]. All that
//! can fail without a runtime (flags, files, telemetry) fails before there is one.

pub mod clock;
pub mod config;
pub mod files;
pub mod health;
pub mod lifecycle;
pub mod ops;
pub mod ready;
pub mod telemetry;

use std::future::Future;
use std::process::ExitCode;

use anyhow::Context as _;

pub use clock::Clock;
pub use config::{Daemon, Loaded};
pub use health::{Component, Health};
pub use lifecycle::Shutdown;
pub use ready::Ready;

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
}

impl Shell {
    /// A shell without signals, ops server or files: for tests and for local mode's parts.
    pub fn detached() -> Self {
        Self { shutdown: Shutdown::new(), health: Health::new(), ready: Ready::default(), clock: Clock::system() }
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
    runtime.block_on(async {
        let shell = Shell { shutdown: Shutdown::on_signals()?, health: Health::new(), ready, clock: Clock::system() };
        let ops = ops::serve(&loaded.common.ops, recorder, &shell).await?;
        shell.ready.listening("ops", ops);
        let outcome = run(loaded.config, shell.clone()).await;
        shell.health.draining();
        outcome
    })
}
