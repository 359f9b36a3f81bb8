//! The command line: which command, and the exit status that comes of it.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use daemon::config::Stop;

use crate::output::{Closed, Usage, say};
use crate::{doctor, event_types, keys, output, send, simulate, topics, up};

/// Event-sourced telemetry for games: local mode and tools
#[derive(Parser, Debug)]
#[command(name = "playledger", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs everything on this machine until Ctrl-C: gateway, worker, projector, dashboard, log, Postgres
    Up(up::Arguments),
    /// Plays realistic players at a running gateway
    Simulate(simulate::Arguments),
    /// Sends a file of events, one JSON object a line; prints what was not accepted
    Send(send::Arguments),
    /// Makes or checks the topics on a Kafka cluster
    #[command(subcommand)]
    Topics(topics::Action),
    /// Makes, lists and revokes API keys
    #[command(subcommand)]
    Keys(keys::Action),
    /// Checks changed JSON Schemas of a studio's own event types
    #[command(subcommand)]
    Schemas(event_types::Action),
    /// Says what is missing or wrong on this machine, and what to do
    Doctor(doctor::Arguments),
    /// Prints the completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command that a line asks for: 0 done, 1 failed, 2 bad usage.
pub fn main(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut command = without_empty(Cli::command(), &|name| std::env::var_os(name));
    let read = command.try_get_matches_from_mut(line);
    let cli = match read.and_then(|matches| Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command)))
    {
        Ok(cli) => cli,
        Err(error) => return Stop::from(error).report(),
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

/// The command line without the variables that are set and empty: they count as unset, which is what
/// shells and compose files mean by them.
fn without_empty(command: clap::Command, environment: &dyn Fn(&OsStr) -> Option<OsString>) -> clap::Command {
    let command = command.mut_args(|arg| {
        let empty = arg.get_env().and_then(environment).is_some_and(|value| value.is_empty());
        if empty { arg.env(Resettable::Reset) } else { arg }
    });
    command.mut_subcommands(|command| without_empty(command, environment))
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => up::command(&arguments),
        Command::Simulate(arguments) => on_runtime(simulate::command(arguments)),
        Command::Send(arguments) => on_runtime(send::command(arguments)),
        Command::Topics(action) => on_runtime(topics::command(action)),
        Command::Keys(action) => keys::command(action),
        Command::Schemas(action) => event_types::command(&action),
        Command::Doctor(arguments) => on_runtime(doctor::command(arguments)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "playledger", &mut script);
            output::data(String::from_utf8_lossy(&script).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn on_runtime(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    // A read of an idle standard input ends when the input does: nothing waits for it here.
    runtime.shutdown_background();
    outcome
}

fn failed(error: &anyhow::Error) -> ExitCode {
    if error.is::<Closed>() {
        // `| head` has seen enough: no failure of the command's.
        return ExitCode::SUCCESS;
    }
    say(&format!("error: {error:#}"));
    ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bad_usage_is_status_2_and_help_is_0() {
        let status = |line: &[&str]| format!("{:?}", main(line.iter().map(OsString::from)));
        assert_eq!(status(&["playledger", "dance"]), format!("{:?}", ExitCode::from(2)));
        assert_eq!(status(&["playledger", "--help"]), format!("{:?}", ExitCode::SUCCESS));
    }
}
