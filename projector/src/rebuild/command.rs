//! `projector rebuild`, `projector rollback` and `projector prune`.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use daemon::lifecycle::Shutdown;
use daemon::{Daemon, Shell};
use eventlog::EventLog;

use super::{Lines, Options, Outcome, prune, rebuild, rollback};
use crate::config::Process;

/// What `rebuild` is told.
#[derive(Args, Clone, Debug)]
struct Rebuild {
    #[command(flatten)]
    process: Process,
    /// Makes only these models anew, and whatever else comes of the same topic; the rest is copied
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    only: Vec<String>,
    /// Fills and compares, and leaves the views where they are
    #[arg(long)]
    dry_run: bool,
    /// Moves the views although the two differ
    #[arg(long, conflicts_with = "dry_run")]
    accept: bool,
    /// Where the comparison is written [default: rebuild-SCHEMA_gN-SCHEMA_gM.json in the working folder]
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
}

/// What `rollback` is told.
#[derive(Args, Clone, Debug)]
struct Rollback {
    #[command(flatten)]
    process: Process,
}

/// What `prune` is told.
#[derive(Args, Clone, Debug)]
struct Prune {
    #[command(flatten)]
    process: Process,
    /// Numbers of the generations to drop [default: all that are not shown]
    #[arg(long, value_name = "N", num_args = 1..)]
    generation: Vec<i64>,
}

impl Daemon for Rebuild {
    const NAME: &'static str = "projector rebuild";
    const OPS: &'static str = Process::OPS;
    const ABOUT: &'static str = "Makes the tables anew from the log beside the live ones, compares the two and moves the \
        views where they are equal; takes the flags, the file and the environment of the projector";
}

impl Daemon for Rollback {
    const NAME: &'static str = "projector rollback";
    const OPS: &'static str = Process::OPS;
    const ABOUT: &'static str = "Moves the views back to the tables they showed before, once these have caught up";
}

impl Daemon for Prune {
    const NAME: &'static str = "projector prune";
    const OPS: &'static str = Process::OPS;
    const ABOUT: &'static str = "Drops tables that are not shown: those kept for a rollback, and half-filled ones";
}

/// Whether this is one of the commands.
pub fn knows(word: &OsString) -> bool {
    ["rebuild", "rollback", "prune"].iter().any(|command| word == command)
}

/// Runs the command `word` by the words behind it: 0 done, 1 failed, different or stopped, 2 bad usage.
pub fn main(word: &OsString, words: Vec<OsString>) -> ExitCode {
    if word == "rebuild" {
        command(words, async |asked: Rebuild, shell| {
            let log: Arc<dyn EventLog> = Arc::new(asked.process.kafka.open("projector-rebuild")?);
            let Rebuild { only, dry_run, accept, report, .. } = asked;
            let options = Options { only, dry_run, accept, report, ..Options::default() };
            Ok(told(rebuild(&asked.process.config, &log, &shell, &options, on_stderr()).await?))
        })
    } else if word == "rollback" {
        command(words, async |asked: Rollback, shell| {
            let log: Arc<dyn EventLog> = Arc::new(asked.process.kafka.open("projector-rollback")?);
            Ok(told(rollback(&asked.process.config, &log, &shell, on_stderr()).await?))
        })
    } else {
        command(words, async |asked: Prune, _| {
            let gone = prune(&asked.process.config, &asked.generation).await?;
            let gone = gone.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Ok((if gone.is_empty() { "nothing to drop".to_owned() } else { format!("dropped: {gone}") }, true))
        })
    }
}

/// What to say of an outcome, and whether it is a good one.
fn told(outcome: Outcome) -> (String, bool) {
    match outcome {
        Outcome::Switched(number) => (format!("generation {number} is shown"), true),
        Outcome::Equal => ("equal; nothing was switched".to_owned(), true),
        Outcome::Different => ("different; nothing was switched (--accept does so all the same)".to_owned(), false),
        Outcome::Stopped => ("stopped; the same command goes on from here".to_owned(), false),
    }
}

fn on_stderr() -> Lines {
    // Nothing is left to do where standard error is gone.
    Box::new(|line| drop(writeln!(std::io::stderr(), "{line}")))
}

/// Says at once that a signal was heard: what is being written may take a moment.
async fn tell_signal(shutdown: Shutdown) {
    shutdown.draining().await;
    on_stderr()("stopping once what is being written stands; a second signal ends at once");
}

fn command<C: Daemon>(
    words: Vec<OsString>,
    work: impl AsyncFnOnce(C, Shell) -> anyhow::Result<(String, bool)>,
) -> ExitCode {
    let line = std::iter::once(OsString::from(C::NAME)).chain(words);
    let asked = match daemon::config::load::<C>(line, &|name| std::env::var_os(name)) {
        Ok(loaded) => loaded.config,
        Err(stop) => return stop.report(),
    };
    let run = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            let shell = Shell { shutdown: Shutdown::on_signals()?, ..Shell::detached() };
            tokio::spawn(tell_signal(shell.shutdown.clone()));
            work(asked, shell).await
        });
        // The log's client may take its time to end; nobody waits for it.
        runtime.shutdown_background();
        let (text, good) = outcome?;
        writeln!(std::io::stdout(), "{text}")?;
        anyhow::Ok(good)
    };
    match run() {
        Ok(good) => ExitCode::from(u8::from(!good)),
        Err(error) => {
            // Nothing is left to do where standard error is gone.
            let _ = writeln!(std::io::stderr(), "{}: {error:#}", C::NAME);
            ExitCode::from(1)
        }
    }
}
