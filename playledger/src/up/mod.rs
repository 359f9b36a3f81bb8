//! The command `up`: everything on this machine, in one process, until Ctrl-C or SIGTERM.
//!
//! The parts are the daemons' own `run()`; here they get a log, a Postgres, a key and each other's
//! addresses, are watched, and are stopped in the order in which events flow.

mod arguments;
mod deadline;
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

use daemon::{Clock, Health, Orders, Ready, Shell, Shutdown, files, ops, telemetry};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::folder::{Folder, LogKind, Running};
use crate::output::{Usage, data, say};
pub use arguments::Arguments;
use deadline::Deadline;
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
    files::raise_limit();
    ports::judge(arguments).map_err(Usage)?;
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
        orders: Orders::default(),
    };
    // The folder before the ports: where another `up` runs on it, its ports are taken for that reason.
    let folder = Folder::take(&arguments.folder(), arguments.log_kind())?;
    Running::forget(folder.path());
    ports::check(arguments).map_err(anyhow::Error::msg)?;
    if !arguments.json {
        say(&format!("starting on {}", folder.path().display()));
    }
    let house = tokio::select! {
        house = House::build(arguments, &folder, &shell, recorder) => house?,
        // Told to end before anything was ready: whatever was started ends with its handle.
        () = shell.shutdown.draining() => return Ok(()),
    };
    let mut house = house;
    let mut players = None;
    let outcome = live(arguments, &folder, &shell, &mut house, &mut players).await;
    let deadline = Deadline::of_a_stop();
    shell.health.draining();
    Running::forget(folder.path());
    if !arguments.json && outcome.is_ok() {
        say("stopping; again ends at once");
    }
    if let Some(players) = players {
        players.stop(deadline).await;
    }
    house.stop(deadline).await;
    outcome
}

/// From the start of the parts until they are to be stopped, and the players with them.
///
/// # Errors
/// Why, where nobody asked for it.
async fn live(
    arguments: &Arguments,
    folder: &Folder,
    shell: &Shell,
    house: &mut House,
    players: &mut Option<Players>,
) -> anyhow::Result<()> {
    let running = tokio::select! {
        running = house.ready() => running?,
        () = shell.shutdown.draining() => return Ok(()),
    };
    running.write(folder.path())?;
    if arguments.json {
        data(&serde_json::to_string(&running)?)?;
    } else {
        say(&summary::text(&running, shell.clock.now_ms()));
    }
    *players = Some(Players::start(arguments, folder, shell, &running));
    tokio::select! {
        () = shell.shutdown.draining() => Ok(()),
        failure = house.failure() => Err(failure),
    }
}

impl Arguments {
    fn log_kind(&self) -> LogKind {
        if self.kafka.is_some() { LogKind::Kafka } else { LogKind::Embedded }
    }
}
