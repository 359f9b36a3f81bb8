//! The command `up`: everything on this machine, in one process, until Ctrl-C or SIGTERM.
//!
//! The parts are the daemons' own `run()`; here they get a log, a Postgres, a key and each other's
//! addresses, are watched, and are stopped in the order in which events flow.

mod arguments;
mod house;
mod key;
mod log;
mod part;
mod players;
mod ports;
mod settings;
mod summary;

use std::process::ExitCode;
use std::time::Duration;

use daemon::{Clock, Health, Ready, Shell, Shutdown, ops, telemetry};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::folder::{Folder, LogKind, Running};
use crate::output::{Usage, data, say};
pub use arguments::Arguments;
use house::House;
use players::Players;

/// What is said on standard error where a person reads the summary.
const QUIET: &str = "warn,rdkafka=error";
/// What is said where a program reads the JSON line.
const USUAL: &str = "info,rdkafka=warn,sqlx=warn";

/// Runs local mode to its end: status 0 when it was told to end, 1 when a part failed.
///
/// # Errors
/// A sentence: what keeps it from starting, or what ended it.
pub fn command(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init_saying(None, if arguments.json { USUAL } else { QUIET });
    ports::check(arguments).map_err(anyhow::Error::msg)?;
    settings::judge(arguments).map_err(Usage)?;
    let recorder = ops::install_recorder()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(arguments, recorder));
    // Whatever still blocks must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn run(arguments: &Arguments, recorder: PrometheusHandle) -> anyhow::Result<()> {
    let shell = Shell {
        shutdown: Shutdown::on_signals()?,
        health: Health::new(),
        ready: Ready::default(),
        clock: Clock::system(),
    };
    let folder = Folder::take(&arguments.folder(), arguments.log_kind())?;
    Running::forget(folder.path());
    if !arguments.json {
        say(&format!("starting on {}", folder.path().display()));
    }
    let house = tokio::select! {
        house = House::build(arguments, &folder, &shell, recorder) => house?,
        // Told to end before anything was ready: whatever was started ends with its handle.
        () = shell.shutdown.draining() => return Ok(()),
    };
    let outcome = live(arguments, &folder, &shell, house).await;
    Running::forget(folder.path());
    outcome
}

/// From the start of the parts to the end of the last of them.
async fn live(arguments: &Arguments, folder: &Folder, shell: &Shell, mut house: House) -> anyhow::Result<()> {
    let ready = tokio::select! {
        ready = house.ready() => ready,
        () = shell.shutdown.draining() => { house.stop().await; return Ok(()) }
    };
    let running = match ready {
        Ok(running) => running,
        Err(failure) => {
            house.stop().await;
            return Err(failure);
        }
    };
    running.write(folder.path())?;
    if arguments.json {
        data(&serde_json::to_string(&running)?)?;
    } else {
        say(&summary::text(&running, shell.clock.now_ms()));
    }
    let players = Players::start(arguments, folder, shell, &running);
    let failure = tokio::select! {
        () = shell.shutdown.draining() => None,
        failure = house.failure() => Some(failure),
    };
    if !arguments.json && failure.is_none() {
        say("stopping; again ends at once");
    }
    players.stop().await;
    house.stop().await;
    failure.map_or(Ok(()), Err)
}

impl Arguments {
    fn log_kind(&self) -> LogKind {
        if self.kafka.is_some() { LogKind::Kafka } else { LogKind::Embedded }
    }
}
