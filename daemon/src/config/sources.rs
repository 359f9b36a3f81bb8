//! What the environment and the file say, turned into defaults that a flag stands above.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Arg, ArgAction, Command};

/// The words that stand for a setting's value, and where they came from.
#[derive(Debug)]
struct Told {
    words: Vec<String>,
    source: &'static str,
    place: String,
}

/// What was told outside of the command line, by flag.
#[derive(Debug, Default)]
pub(super) struct Sources {
    told: BTreeMap<String, Told>,
}

impl Sources {
    /// Reads the environment and the file that `--config` or `PLAYLEDGER_CONFIG` names.
    pub(super) fn read(
        line: &[OsString],
        command: &Command,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let mut sources = Self::default();
        if let Some(path) = file_named(line, command).or_else(|| environment("PLAYLEDGER_CONFIG").map(PathBuf::from)) {
            sources.read_file(&path, command)?;
        }
        // Above the file, so it overwrites what that said.
        for arg in command.get_arguments() {
            if let Some(flag) = setting(arg) {
                sources.read_variable(&flag, arg, environment)?;
            }
        }
        Ok(sources)
    }

    /// The command with what was told as defaults, and the variables named in its help.
    pub(super) fn as_defaults(&self, command: Command) -> Command {
        command.mut_args(|arg| {
            let Some(flag) = setting(&arg) else { return arg };
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let form = if is_repeatable(&arg) { ", one value a line" } else { "" };
            let arg = arg.env(Resettable::Reset).help(format!("{help} [env: {}{form}]", variable(&flag)));
            match self.told.get(&flag) {
                Some(told) => arg.default_values(told.words.clone()).required(false),
                None => arg,
            }
        })
    }

    /// Where a setting was told: `environment`, `file`, or nowhere.
    pub(super) fn of(&self, flag: &str) -> Option<&'static str> {
        Some(self.told.get(flag)?.source)
    }

    /// All places that told something, for a message.
    pub(super) fn places(&self) -> Option<String> {
        let mut places: Vec<_> = self.told.values().map(|told| told.place.as_str()).collect();
        places.sort_unstable();
        places.dedup();
        (!places.is_empty()).then(|| places.join(", "))
    }

    fn read_variable(
        &mut self,
        flag: &str,
        arg: &Arg,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<(), String> {
        let own = variable(flag);
        // A flag may have a name of its own in everybody's environment, such as DATABASE_URL.
        let names = [Some(own), arg.get_env().map(|name| name.to_string_lossy().into_owned())];
        for name in names.into_iter().flatten() {
            let file = format!("{name}_FILE");
            let (value, place) = match (environment(&name), environment(&file)) {
                (Some(_), Some(_)) => return Err(format!("{name} and {file} are both set: keep one")),
                (Some(value), None) => {
                    let value = value.into_string().map_err(|_| format!("{name} is not UTF-8"))?;
                    (value, name)
                }
                (None, Some(path)) => {
                    let place = format!("{file} ({})", Path::new(&path).display());
                    let text =
                        std::fs::read_to_string(&path).map_err(|error| format!("{place}: can't read it: {error}"))?;
                    (text.trim_end().to_owned(), place)
                }
                (None, None) => continue,
            };
            let words = if is_repeatable(arg) { each_line(&value) } else { vec![value] };
            self.told.insert(flag.to_owned(), Told { words, source: "environment", place });
            break;
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path, command: &Command) -> Result<(), String> {
        let place = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("--config {place}: can't read it: {error}"))?;
        let table: BTreeMap<String, toml::Value> =
            toml::from_str(&text).map_err(|error| format!("{place}: not TOML: {error}"))?;
        let known: Vec<String> = command.get_arguments().filter_map(setting).collect();
        for (key, value) in table {
            if !known.contains(&key) {
                return Err(format!("{place}: unknown key `{key}`; known are {}", known.join(", ")));
            }
            let words =
                words(&value).ok_or_else(|| format!("{place}: `{key}` must be a plain value or a list of them"))?;
            self.told.insert(key, Told { words, source: "file", place: place.clone() });
        }
        Ok(())
    }
}

/// The flag's name where the argument is a setting: not `--config`, `--check-config`, help or version.
pub(super) fn setting(arg: &Arg) -> Option<String> {
    let flag = arg.get_long()?;
    let plain =
        !matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version);
    (plain && flag != "config" && flag != "check-config").then(|| flag.to_owned())
}

fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The values in the variable of a repeatable flag. Any other sign between them could be part of one.
fn each_line(text: &str) -> Vec<String> {
    text.lines().map(str::trim_start).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn variable(flag: &str) -> String {
    format!("PLAYLEDGER_{}", flag.to_uppercase().replace('-', "_"))
}

/// The file that `--config` names, whatever else is wrong with the line.
fn file_named(line: &[OsString], command: &Command) -> Option<PathBuf> {
    let lenient = command.clone().ignore_errors(true).try_get_matches_from(line).ok()?;
    lenient.try_get_one::<PathBuf>("config").ok().flatten().cloned()
}

/// The words that a TOML value would be on the command line.
fn words(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Float(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(truth) => Some(vec![truth.to_string()]),
        toml::Value::Array(items) => {
            let each: Option<Vec<_>> = items.iter().map(|item| words(item).filter(|one| one.len() == 1)).collect();
            each.map(|lists| lists.concat())
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
