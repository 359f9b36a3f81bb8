//! Configuration: flag > environment > file > default, one mechanism for every daemon.
//!
//! A daemon's settings are clap arguments. The environment name of `--some-flag` is
//! `PLAYLEDGER_SOME_FLAG`; `PLAYLEDGER_SOME_FLAG_FILE` names a file that holds the value (secrets);
//! the key in the file of `--config` is `some-flag`. An unknown key or a bad value is an error that
//! names it and where it stands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::telemetry::LogFormat;

/// A daemon's own settings.
pub trait Daemon: Args {
    /// The name of its program.
    const NAME: &'static str;
    /// Where its ops port listens by default.
    const OPS: &'static str;
    /// What it does, in one sentence.
    const ABOUT: &'static str;
    /// Settings that are never printed.
    const SECRETS: &'static [&'static str] = &["database-url"];

    /// Judges what no single value shows; the message says what to do.
    ///
    /// # Errors
    /// A sentence for the person at the command line.
    fn check(&self) -> Result<(), String> {
        Ok(())
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
    /// A file to write when ready: one JSON object of the addresses that are served
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
        match self {
            Self::Clap(error) => {
                // Nothing is left to do when the terminal is gone.
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
            Self::Checked(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Self::Bad(text) => {
                eprintln!("error: {text}");
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

/// Reads the configuration of daemon `C` from its command line, the environment and its file.
///
/// # Errors
/// [`Stop`], when the program should not go on.
pub fn load<C: Daemon>(line: impl IntoIterator<Item = OsString>) -> Result<Loaded<C>, Stop> {
    let line: Vec<OsString> = line.into_iter().collect();
    let plain = with_environment(command::<C>())?;
    let file = file_named(&line, &plain);
    let command = match &file {
        None => plain,
        Some(path) => with_file(plain, path)?,
    };
    let matches = command.clone().try_get_matches_from(line).map_err(|error| locate(error, file.as_deref()))?;
    let common = Common::from_arg_matches(&matches)?;
    let config = C::from_arg_matches(&matches)?;
    config.check().map_err(Stop::Bad)?;
    if common.check_config {
        return Err(Stop::Checked(redacted::<C>(&command, &matches)));
    }
    Ok(Loaded { common, config })
}

fn command<C: Daemon>() -> Command {
    let command = Command::new(C::NAME).about(C::ABOUT).version(env!("CARGO_PKG_VERSION"));
    C::augment_args(Common::augment_args(command)).mut_arg("ops", |arg| arg.default_value(C::OPS))
}

/// Names each setting's environment variable; reads those that point to a file.
fn with_environment(command: Command) -> Result<Command, Stop> {
    let mut bad = None;
    let command = command.mut_args(|arg| {
        let Some(flag) = setting(&arg) else { return arg };
        let name = format!("PLAYLEDGER_{}", flag.to_uppercase().replace('-', "_"));
        let arg = if arg.get_env().is_some() { arg } else { arg.env(name.clone()) };
        match std::env::var_os(format!("{name}_FILE")) {
            None => arg,
            Some(path) => match std::fs::read_to_string(&path) {
                Ok(value) => arg.default_value(value.trim_end().to_owned()).required(false),
                Err(error) => {
                    bad = Some(format!("{name}_FILE: can't read {}: {error}", Path::new(&path).display()));
                    arg
                }
            },
        }
    });
    bad.map_or(Ok(command), |text| Err(Stop::Bad(text)))
}

/// The flag's name where the argument is a setting: not `--config`, `--check-config`, help or version.
fn setting(arg: &clap::Arg) -> Option<String> {
    let flag = arg.get_long()?;
    let plain = !matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::Version);
    (plain && flag != "config" && flag != "check-config").then(|| flag.to_owned())
}

/// The file that `--config` or its environment variable names.
fn file_named(line: &[OsString], command: &Command) -> Option<PathBuf> {
    let lenient = command.clone().ignore_errors(true).try_get_matches_from(line).ok()?;
    let named = lenient.try_get_one::<PathBuf>("config").ok().flatten().cloned();
    named.or_else(|| std::env::var_os("PLAYLEDGER_CONFIG").map(PathBuf::from))
}

/// Makes the values of the file defaults, so that flag and environment stand above them.
fn with_file(command: Command, path: &Path) -> Result<Command, Stop> {
    let place = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Stop::Bad(format!("--config {place}: can't read it: {error}")))?;
    let table: BTreeMap<String, toml::Value> =
        toml::from_str(&text).map_err(|error| Stop::Bad(format!("{place}: not TOML: {error}")))?;
    let known: BTreeMap<String, clap::Id> =
        command.get_arguments().filter_map(|arg| Some((setting(arg)?, arg.get_id().clone()))).collect();
    let mut command = command;
    for (key, value) in table {
        let Some(id) = known.get(&key) else {
            let names: Vec<_> = known.keys().map(String::as_str).collect();
            return Err(Stop::Bad(format!("{place}: unknown key `{key}`; known are {}", names.join(", "))));
        };
        let values = scalars(&value).ok_or_else(|| Stop::Bad(format!("{place}: `{key}` is not a plain value")))?;
        command = command.mut_arg(id, |arg| arg.default_values(values).required(false));
    }
    Ok(command)
}

/// The words that a TOML value would be on the command line.
fn scalars(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Float(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(truth) => Some(vec![truth.to_string()]),
        toml::Value::Array(items) => items
            .iter()
            .map(|item| scalars(item).filter(|words| words.len() == 1))
            .collect::<Option<Vec<_>>>()
            .map(|lists| lists.concat()),
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// Says that a bad value may stand in the file: clap's words name the flag only.
fn locate(error: clap::Error, file: Option<&Path>) -> Stop {
    match file {
        Some(path) if error.use_stderr() => {
            Stop::Bad(format!("{}(flags, environment and {} were read)", error.render(), path.display()))
        }
        _ => error.into(),
    }
}

/// Every setting with its value and where that came from; secrets as `…`.
fn redacted<C: Daemon>(command: &Command, matches: &ArgMatches) -> String {
    let mut text = String::new();
    for arg in command.get_arguments() {
        let Some(flag) = setting(arg) else { continue };
        let Some(values) = matches.get_raw(arg.get_id().as_str()) else { continue };
        let shown: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        let shown = if C::SECRETS.contains(&flag.as_str()) { "…".to_owned() } else { shown.join(", ") };
        let source = match matches.value_source(arg.get_id().as_str()) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            _ => "file or default",
        };
        // Writing to a string can't fail.
        let _ = writeln!(text, "{flag} = {shown}  # {source}");
    }
    text
}
