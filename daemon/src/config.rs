//! Configuration: flag > environment > file > default, one mechanism for every daemon.
//!
//! A daemon's settings are clap arguments. The environment name of `--some-flag` is
//! `PLAYLEDGER_SOME_FLAG`; `PLAYLEDGER_SOME_FLAG_FILE` names a file that holds the value (secrets); of
//! a flag that can be repeated, either holds one value a line. The key in the file of `--config` is
//! `some-flag`. An unknown key or a bad value is an error that names it and where it stands.

mod sources;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::telemetry::LogFormat;
use sources::Sources;

/// A daemon's own settings.
pub trait Daemon: Args {
    /// The name of its program.
    const NAME: &'static str;
    /// Where its ops port listens by default.
    const OPS: &'static str;
    /// What it does, in one sentence.
    const ABOUT: &'static str;
    /// Settings that are never printed.
    const SECRETS: &'static [&'static str] = &["database-url", "kafka-set"];

    /// Judges what no single value shows; the message says what to do.
    ///
    /// # Errors
    /// A sentence for the person at the command line.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// What `--check-config` shows besides the settings: what came of files that they name, in lines.
    fn shown(&self) -> String {
        String::new()
    }
}

/// Settings that every daemon has.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// A TOML file of settings: a key for each flag, without the dashes in front
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Reads and judges the configuration, prints it redacted, and exits
    #[arg(long)]
    pub check_config: bool,
    /// Where /livez, /readyz and /metrics are served; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub ops: String,
    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// A file to write when ready: one JSON object of the addresses that are served; one of an earlier run is
    /// removed at the start
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// Configuration that has been read and judged.
#[derive(Clone, Debug)]
pub struct Loaded<C> {
    /// What every daemon has.
    pub common: Common,
    /// The daemon's own.
    pub config: C,
}

/// Why a program stops before it has begun.
#[derive(Debug)]
pub enum Stop {
    /// clap has the words: help, version, or what is wrong with a flag.
    Clap(Box<clap::Error>),
    /// `--check-config` was asked for; this is what to print.
    Checked(String),
    /// Something else is wrong with the configuration.
    Bad(String),
}

impl Stop {
    /// Prints it and gives the exit status: 0 for help and a good check, 2 for bad usage.
    pub fn report(&self) -> ExitCode {
        use std::io::Write as _;
        // Nothing is left to do where standard output or error is gone.
        match self {
            Self::Clap(error) => {
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
            Self::Checked(text) => {
                let _ = std::io::stdout().write_all(text.as_bytes());
                ExitCode::SUCCESS
            }
            Self::Bad(text) => {
                let _ = writeln!(std::io::stderr(), "error: {text}");
                ExitCode::from(2)
            }
        }
    }
}

impl From<clap::Error> for Stop {
    fn from(error: clap::Error) -> Self {
        Self::Clap(Box::new(error))
    }
}

/// Reads the configuration of daemon `C` from its command line, `environment` and its file.
///
/// # Errors
/// [`Stop`], when the program should not go on.
pub fn load<C: Daemon>(
    line: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Loaded<C>, Stop> {
    let line: Vec<OsString> = line.into_iter().collect();
    let command = command::<C>();
    let sources = Sources::read(&line, &command, environment).map_err(Stop::Bad)?;
    let command = sources.as_defaults(command);
    let matches = command.clone().try_get_matches_from(line).map_err(|error| located(error, &sources))?;
    let common = Common::from_arg_matches(&matches)?;
    let config = C::from_arg_matches(&matches)?;
    config.check().map_err(Stop::Bad)?;
    if common.check_config {
        let mut text = redacted::<C>(&command, &matches, &sources);
        for line in config.shown().lines() {
            // Writing to a string can't fail.
            let _ = writeln!(text, "# {line}");
        }
        return Err(Stop::Checked(text));
    }
    Ok(Loaded { common, config })
}

fn command<C: Daemon>() -> Command {
    let command = Command::new(C::NAME).about(C::ABOUT).version(env!("CARGO_PKG_VERSION"));
    C::augment_args(Common::augment_args(command)).mut_arg("ops", |arg| arg.default_value(C::OPS).required(false))
}

/// Says where a bad value may stand besides the flags: clap's words name the flag only.
fn located(error: clap::Error, sources: &Sources) -> Stop {
    match sources.places() {
        Some(places) if error.use_stderr() => {
            Stop::Bad(format!("{}\nsettings also came from {places}", error.render().to_string().trim_end()))
        }
        _ => error.into(),
    }
}

/// Every setting with its value and where that came from; secrets as `…`.
fn redacted<C: Daemon>(command: &Command, matches: &ArgMatches, sources: &Sources) -> String {
    let mut text = String::new();
    for arg in command.get_arguments() {
        let Some(flag) = sources::setting(arg) else { continue };
        let id = arg.get_id().as_str();
        let Some(values) = matches.get_raw(id) else { continue };
        let shown: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        let shown = if C::SECRETS.contains(&flag.as_str()) { "…".to_owned() } else { shown.join(", ") };
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag",
            _ => sources.of(&flag).unwrap_or("default"),
        };
        // Writing to a string can't fail.
        let _ = writeln!(text, "{flag} = {shown}  # {source}");
    }
    text
}
