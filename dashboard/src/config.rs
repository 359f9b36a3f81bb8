//! What the dashboard can be told.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use schemas::games::{GameSettings, Games};

use crate::hosts;

/// Settings of the dashboard.
///
/// ```
/// let line = ["dashboard", "--database-url", "postgres://127.0.0.1/play"].map(Into::into);
/// let loaded = daemon::config::load::<dashboard::Config>(line, &|_| None).unwrap();
/// assert_eq!(loaded.config.schema, "play");
/// ```
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where the pages are served; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    pub listen: String,
    /// A name by which the pages may be asked for, such as play.example.org, behind a proxy also the one
    /// that it passes on; repeatable. Addresses, localhost and the name in --listen always may
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// The database that the projector fills; read only here
    // Named as everybody's tools name it; the shell reads PLAYLEDGER_DATABASE_URL and its _FILE besides.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// The schema that holds the views
    #[arg(long, value_name = "NAME", default_value = "play")]
    pub schema: String,
    /// Settings by tenant and game, as the worker has them; an entry overrides the flags
    #[arg(long, value_name = "FILE")]
    pub games: Option<PathBuf>,
    /// A longer gap is drawn as idle on a session's timeline; as the worker has it
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    pub idle: Duration,
    /// Connections to the database, at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub connections: u32,
}

impl daemon::Daemon for Config {
    const NAME: &'static str = "dashboard";
    const OPS: &'static str = "127.0.0.1:9104";
    const ABOUT: &'static str = "Shows what is played: pages over the projector's tables.";

    fn check(&self) -> Result<(), String> {
        if !plain_identifier(&self.schema) {
            return Err(format!("--schema {:?}: a plain lower-case name is wanted, such as play", self.schema));
        }
        self.host.iter().try_for_each(|name| hosts::check(name))?;
        self.settings().map(|_| ()).map_err(|error| format!("{error:#}"))
    }
}

impl Config {
    /// Settings by game: the file over the flags.
    ///
    /// # Errors
    /// When the file can't be read or holds what it must not.
    pub fn settings(&self) -> anyhow::Result<Games> {
        let idle_ms = i64::try_from(self.idle.as_millis()).unwrap_or(i64::MAX);
        let defaults = GameSettings { idle_ms, ..GameSettings::default() };
        let Some(path) = &self.games else { return Ok(Games::all(defaults)) };
        let place = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("--games {place}: can't read it"))?;
        Games::parse(&text, defaults).with_context(|| format!("--games {place}"))
    }
}

/// A name that SQL takes without quotes; so it needs none in `search_path` either.
fn plain_identifier(name: &str) -> bool {
    let first = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_');
    first && name.len() <= 63 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::Daemon as _;

    #[test]
    fn a_schema_that_sql_would_read_otherwise_is_refused() {
        for name in ["", "Play", "play; drop table x", "1play", "play\"", "play,public"] {
            assert!(!plain_identifier(name), "{name:?}");
        }
        assert!(plain_identifier("play") && plain_identifier("_t3_play"));
    }

    #[test]
    fn the_refusal_names_the_flag() {
        let config = Config {
            listen: String::new(),
            host: Vec::new(),
            database_url: String::new(),
            schema: "a b".into(),
            games: None,
            idle: Duration::from_mins(1),
            connections: 1,
        };
        assert!(config.check().unwrap_err().starts_with("--schema \"a b\""));
    }
}
