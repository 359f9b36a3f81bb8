//! The projector's settings.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use daemon::Daemon;
use eventlog::kafka::KafkaFlags;
use schemas::games::{GameSettings, Games};

/// What the projector needs to run, whichever log it reads.
///
/// ```
/// use clap::{Args as _, FromArgMatches as _};
/// use projector::Config;
///
/// let command = Config::augment_args(clap::Command::new("projector"));
/// let line = ["projector", "--database-url", "postgres:///play", "--schema", "games"];
/// let config = Config::from_arg_matches(&command.get_matches_from(line)).unwrap();
/// assert_eq!(config.schema.data(1), "games_g1");
/// assert!(!config.event_log);
/// ```
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// The database to fill: postgres://user@host/name; Postgres 15 or newer
    // Named as everybody's tools name it; the shell reads PLAYLEDGER_DATABASE_URL_FILE besides.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// Schema of the views; the data lies beside it in SCHEMA_g1
    #[arg(long, value_name = "NAME", default_value = "play")]
    pub schema: SchemaName,
    /// Fills event_log, one row an event; for moderate volume
    #[arg(long)]
    pub event_log: bool,
    /// Settings by tenant and game, the file that all daemons share; here they say in which time zone days are counted,
    /// and how long rows are kept
    #[arg(long, value_name = "FILE")]
    pub games: Option<PathBuf>,
    /// About so often what is kept no longer is removed, by one projector of all
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = interval)]
    pub sweep_interval: Duration,
    /// Group of projectors that share the partitions
    #[arg(long, value_name = "NAME", default_value = "playledger-projector")]
    pub group: String,
    /// Name of this projector within the group, stable over restarts [default: host name and process id]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// What the names of all topics begin with
    #[arg(long, value_name = "PREFIX", default_value = "play.")]
    pub topic_prefix: String,
}

/// The settings of a projector as a process of its own.
#[derive(Args, Clone, Debug)]
pub struct Process {
    /// What every projector needs.
    #[command(flatten)]
    pub config: Config,
    /// The log that it reads.
    #[command(flatten)]
    pub kafka: KafkaFlags,
}

impl Daemon for Process {
    const NAME: &'static str = "projector";
    const OPS: &'static str = "127.0.0.1:9103";
    const ABOUT: &'static str = "Materialises read models into Postgres. With the same flags, `projector status` tells how far they \
        are, `projector rebuild` makes them anew, `projector rollback` and `projector prune` go back or let the old ones go";

    fn check(&self) -> Result<(), String> {
        self.config.games().map(drop).map_err(|error| format!("{error:#}"))
    }

    fn shown(&self) -> String {
        // It has been judged, and a file that went away meanwhile shows nothing.
        self.config.games().map(|games| games.retention().to_string()).unwrap_or_default()
    }
}

impl Config {
    /// What holds for each game.
    ///
    /// # Errors
    /// When the file of `--games` can't be read or is not of its form.
    pub fn games(&self) -> anyhow::Result<Games> {
        let defaults = GameSettings::default();
        let Some(path) = &self.games else { return Ok(Games::all(defaults)) };
        let place = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("--games {place}: can't read it"))?;
        Games::parse(&text, defaults).with_context(|| format!("--games {place}"))
    }

    /// This projector's name within its group: as told, else of host and process, so that two on one
    /// host never take each other's place.
    pub fn name(&self) -> String {
        self.instance.clone().unwrap_or_else(|| {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let host = if host.trim().is_empty() { "projector" } else { host.trim() };
            format!("{host}-{}", std::process::id())
        })
    }
}

/// A time in which a sweep may begin and end.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let sound = (Duration::from_millis(100)..=Duration::from_hours(24)).contains(&interval);
    if sound { Ok(interval) } else { Err("must be from 100ms to 1day".to_owned()) }
}

/// Name of the schema that holds the views: `[a-z_][a-z0-9_]{0,39}`, never quoted in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaName(String);

impl SchemaName {
    /// The rule, in words.
    pub const RULE: &'static str = "1 to 40 of a-z 0-9 _, not beginning with a digit or pg_";

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the schema that holds the data of a generation.
    pub fn data(&self, generation: i64) -> String {
        format!("{}_g{generation}", self.0)
    }
}

impl FromStr for SchemaName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let sound = (1..=40).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.starts_with("pg_");
        if sound { Ok(Self(name.to_owned())) } else { Err(format!("`{name}` is no schema name: {}", Self::RULE)) }
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_name_needs_no_quotes() {
        assert!("play".parse::<SchemaName>().is_ok());
        for bad in ["", "Play", "1play", "pg_play", "pl-ay", "play\"", "play; drop", &"a".repeat(41)] {
            assert!(bad.parse::<SchemaName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_check_shows_how_long_rows_are_kept() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"[[retention]]\ntenant = \"acme\"\nsessions = \"400d\"\n").unwrap();
        let games = file.path().to_str().unwrap();
        let line = ["projector", "--check-config", "--database-url", "postgres://", "--kafka", "k:1", "--games", games];
        let stop = daemon::config::load::<Process>(line.map(Into::into), &|_| None).unwrap_err();
        let daemon::config::Stop::Checked(text) = stop else { panic!("{stop:?}") };
        assert!(text.contains("# retention of acme: sessions 400d, event_log forever,"), "{text}");
        assert!(text.contains("sweep-interval = 5m"), "{text}");
    }

    #[test]
    fn sweeps_are_neither_all_the_time_nor_never() {
        assert_eq!(interval("5m"), Ok(Duration::from_mins(5)));
        assert!(interval("1ms").is_err() && interval("2days").is_err() && interval("5").is_err());
    }
}
