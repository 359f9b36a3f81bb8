//! The daemons' own settings, as local mode gives them: flags that differ from their defaults.

use std::ffi::OsString;

use anyhow::Context as _;
use clap::{Args, FromArgMatches};
use daemon::Daemon as _;

use super::Arguments;
use crate::folder::Folder;

/// What the names of topics begin with where nothing else is said.
const PREFIX: &str = "play.";
/// Gateways and workers of one machine need no long wait for stragglers.
const LATE_MARGIN: &str = "3s";

/// Judges what the daemons would only find out when they start.
///
/// # Errors
/// A sentence that names the flag.
pub(super) fn judge(arguments: &Arguments) -> Result<(), String> {
    let words = |error: anyhow::Error| format!("{error:#}");
    worker(arguments, "local").map_err(words)?.check()?;
    dashboard(arguments, "postgres://").map_err(words)?.check()
}

/// The daemons' name: stable over restarts, and another one for another folder, so that two may use
/// one Kafka cluster.
pub(super) fn instance(folder: &Folder) -> String {
    let id = folder.id().simple().to_string();
    format!("local-{}", &id[..8])
}

/// The gateway's settings.
pub(super) fn gateway(
    arguments: &Arguments,
    folder: &Folder,
    instance: &str,
) -> anyhow::Result<ingest_gateway::Config> {
    let mut flags = Flags::new("ingest-gateway");
    flags.set("--listen", &arguments.listen);
    flags.set("--credentials", folder.file(super::key::CREDENTIALS));
    flags.set("--topic-prefix", &arguments.topic_prefix);
    flags.set("--instance", instance);
    // Everybody on this machine has one address, simulated players and `send` too.
    flags.set("--address-requests", "0");
    flags.set("--max-connections-per-address", usize::MAX.to_string());
    flags.set_if("--games", arguments.games.as_ref());
    flags.set_if("--schemas", arguments.schemas.as_ref());
    for origin in &arguments.cors_origins {
        flags.set("--cors-origin", origin);
    }
    flags.read()
}

/// The worker's.
pub(super) fn worker(arguments: &Arguments, instance: &str) -> anyhow::Result<feature_worker::Config> {
    let mut flags = Flags::new("feature-worker");
    flags.set("--topic-prefix", &arguments.topic_prefix);
    flags.set("--instance", instance);
    flags.set_if("--group", group(arguments, "playledger-worker"));
    flags.set("--late-margin", LATE_MARGIN);
    flags.set_if("--games", arguments.games.as_ref());
    let words = |duration: std::time::Duration| humantime::format_duration(duration).to_string();
    flags.set_if("--session-timeout", arguments.session_timeout.map(words));
    flags.set_if("--grace", arguments.grace.map(words));
    flags.read()
}

/// The projector's.
pub(super) fn projector(
    arguments: &Arguments,
    database_url: &str,
    instance: &str,
) -> anyhow::Result<projector::Config> {
    let mut flags = Flags::new("projector");
    flags.set("--database-url", database_url);
    flags.set("--schema", arguments.schema.as_str());
    flags.set("--topic-prefix", &arguments.topic_prefix);
    flags.set("--instance", instance);
    flags.set_if("--group", group(arguments, "playledger-projector"));
    flags.set_if("--games", arguments.games.as_ref());
    flags.add("--event-log");
    flags.read()
}

/// The dashboard's.
pub(super) fn dashboard(arguments: &Arguments, database_url: &str) -> anyhow::Result<dashboard::Config> {
    let mut flags = Flags::new("dashboard");
    flags.set("--listen", &arguments.dashboard);
    for name in &arguments.host {
        flags.set("--host", name);
    }
    flags.set("--database-url", database_url);
    flags.set("--schema", arguments.schema.as_str());
    flags.set_if("--games", arguments.games.as_ref());
    flags.read()
}

/// A group of its own where the topics have names of their own.
fn group(arguments: &Arguments, name: &str) -> Option<String> {
    (arguments.topic_prefix != PREFIX).then(|| format!("{name}-{}", arguments.topic_prefix))
}

/// A daemon's command line. Its environment and file are not read: local mode's own flags decide.
struct Flags {
    daemon: &'static str,
    line: Vec<OsString>,
}

impl Flags {
    fn new(daemon: &'static str) -> Self {
        Self { daemon, line: vec![daemon.into()] }
    }

    fn add(&mut self, flag: &str) {
        self.line.push(flag.into());
    }

    fn set(&mut self, flag: &str, value: impl Into<OsString>) {
        // As one word: a value that begins with a dash stays a value.
        let mut word = OsString::from(flag);
        word.push("=");
        word.push(value.into());
        self.line.push(word);
    }

    fn set_if(&mut self, flag: &str, value: Option<impl Into<OsString>>) {
        if let Some(value) = value {
            self.set(flag, value);
        }
    }

    fn read<C: Args + FromArgMatches>(self) -> anyhow::Result<C> {
        let command = C::augment_args(clap::Command::new(self.daemon)).no_binary_name(false);
        let read = command.try_get_matches_from(self.line).and_then(|matches| C::from_arg_matches(&matches));
        read.with_context(|| format!("the settings of {}", self.daemon))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::folder::LogKind;

    #[test]
    fn the_settings_by_game_reach_every_daemon() {
        let line = Arguments::augment_args(clap::Command::new("up")).get_matches_from(["up", "--games=by-game.toml"]);
        let arguments = Arguments::from_arg_matches(&line).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::take(folder.path(), LogKind::Embedded).unwrap();
        let given = [
            gateway(&arguments, &folder, "local").unwrap().games,
            worker(&arguments, "local").unwrap().games,
            projector(&arguments, "postgres://", "local").unwrap().games,
            dashboard(&arguments, "postgres://").unwrap().games,
        ];
        assert!(given.iter().all(|games| games.as_deref() == Some(Path::new("by-game.toml"))), "{given:?}");
    }
}
