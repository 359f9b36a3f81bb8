//! The worker's settings.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use schemas::games::{GameSettings, Games};

use crate::machine::{LiveViews, PoisonLimit};

/// What the worker needs to run, whichever log it reads.
///
/// ```
/// use clap::{Args as _, FromArgMatches as _};
/// use feature_worker::Config;
///
/// let command = Config::augment_args(clap::Command::new("feature-worker"));
/// let config = Config::from_arg_matches(&command.get_matches_from(["feature-worker", "--grace", "2h"])).unwrap();
/// assert_eq!(config.grace.as_secs(), 7_200);
/// assert_eq!(config.group, "playledger-worker");
/// ```
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// What the names of all topics begin with
    #[arg(long, value_name = "PREFIX", default_value = "play.")]
    pub topic_prefix: String,
    /// Group of workers that share the partitions
    #[arg(long, value_name = "NAME", default_value = "playledger-worker")]
    pub group: String,
    /// Name of this worker, stable over restarts; two on one host need names [default: host name]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// What the group is told when this worker is stopped: `leave` gives its partitions to the others at once, `stay`
    /// keeps them for whoever starts under this name within 10 s [default: `stay` with --instance, else `leave`]
    #[arg(long, value_name = "leave|stay", value_enum, hide_possible_values = true)]
    pub on_stop: Option<OnStop>,
    /// Settings by tenant and game; an entry overrides the flags
    #[arg(long, value_name = "FILE")]
    pub games: Option<PathBuf>,
    /// Closes a session after so much log time without an event
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = positive)]
    pub session_timeout: Duration,
    /// How long a closed session waits for late events
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    pub grace: Duration,
    /// A longer gap between two events counts as idle
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = positive)]
    pub idle: Duration,
    /// Time between two commits
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = positive)]
    pub commit_interval: Duration,
    /// The end of a commit that takes longer counts as unknown: everything is dropped and restored; at most 10s on Kafka
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = positive)]
    pub commit_deadline: Duration,
    /// How late a deadline fires while no event comes: longer than a gateway may take to append one
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    pub late_margin: Duration,
    /// Most records of play.events that are read again after a crash, so that running sessions' states
    /// are written more rarely; 0 writes each at every commit
    #[arg(long, value_name = "RECORDS", default_value_t = 500_000)]
    pub replay_window: usize,
    /// Writes a running session's state after so much log time, however few records came
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = positive)]
    pub replay_age: Duration,
    /// Records of a partition that can't be read and are set aside within so much log time: at the next one the
    /// partition stops until it is told to go on; 0 for no limit
    #[arg(long, value_name = "RECORDS/DURATION", default_value = "1000/1m", value_parser = poison_limit)]
    pub poison_limit: PoisonLimit,
    /// Least time between two snapshots of a running session in play.live, at least 1s; `off` for no snapshots
    #[arg(long, value_name = "DURATION|off", default_value = "5s", value_parser = live_every)]
    pub live_every: LiveEvery,
    /// Most snapshots a second of all running sessions of this worker: where there would be more, each is shown more
    /// rarely
    #[arg(long, value_name = "SNAPSHOTS", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub live_rate: u32,
}

/// How often a running session is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveEvery {
    /// Never.
    Off,
    /// With so much time from one snapshot to the next, at least.
    Every(Duration),
}

/// What the group is told when a worker is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnStop {
    /// It leaves: the others get its partitions at once.
    Leave,
    /// Nothing: whoever starts under the same name within the session time-out has its partitions back, and no
    /// other's move.
    Stay,
}

impl Config {
    /// What the group is told when this worker is stopped. A name that was given is one that comes back; a host's
    /// name, which may be a new one each time, is not.
    pub fn on_stop(&self) -> OnStop {
        self.on_stop.unwrap_or(if self.instance.is_some() { OnStop::Stay } else { OnStop::Leave })
    }

    /// Judges what no single value shows; reads the file of games.
    ///
    /// # Errors
    /// A sentence for the person at the command line.
    pub fn check(&self) -> Result<(), String> {
        self.settings().map(|_| ()).map_err(|error| format!("{error:#}"))
    }

    /// Settings by game: the file over the flags.
    ///
    /// # Errors
    /// When the file can't be read or holds what it must not.
    pub fn settings(&self) -> anyhow::Result<Games> {
        let defaults = GameSettings {
            idle_ms: millis(self.idle),
            session_timeout_ms: millis(self.session_timeout),
            grace_ms: millis(self.grace),
            ..GameSettings::default()
        };
        let Some(path) = &self.games else { return Ok(Games::all(defaults)) };
        let place = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("--games {place}: can't read it"))?;
        Games::parse(&text, defaults).with_context(|| format!("--games {place}"))
    }

    /// How often running sessions are shown; none where they are not.
    pub fn live(&self) -> Option<LiveViews> {
        match self.live_every {
            LiveEvery::Off => None,
            LiveEvery::Every(every) => Some(LiveViews { every_ms: millis(every), rate: self.live_rate }),
        }
    }

    /// This worker's name.
    ///
    /// # Errors
    /// When none is given and the host does not tell its own.
    pub fn instance(&self) -> anyhow::Result<String> {
        if let Some(name) = &self.instance {
            return Ok(name.clone());
        }
        let host =
            std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
        let host = host.map(|name| name.trim().to_owned()).unwrap_or_default();
        anyhow::ensure!(!host.is_empty(), "this host does not tell its name: give --instance NAME");
        Ok(host)
    }
}

/// Milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn positive(word: &str) -> Result<Duration, String> {
    match humantime::parse_duration(word) {
        Ok(duration) if duration.as_millis() > 0 => Ok(duration),
        Ok(_) => Err("must be at least 1ms".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn live_every(word: &str) -> Result<LiveEvery, String> {
    if word == "off" {
        return Ok(LiveEvery::Off);
    }
    match humantime::parse_duration(word) {
        Ok(every) if every >= Duration::from_secs(1) => Ok(LiveEvery::Every(every)),
        Ok(_) => Err("must be at least 1s, or off".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn poison_limit(word: &str) -> Result<PoisonLimit, String> {
    let (records, within) = word.split_once('/').unwrap_or((word, "1m"));
    let records = records.parse().map_err(|_| "must be RECORDS/DURATION, as 1000/1m, or 0")?;
    if records != 0 && !word.contains('/') {
        return Err("say within what time, as 1000/1m".into());
    }
    Ok(PoisonLimit { records, within_ms: millis(positive(within)?) })
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    #[test]
    fn live_views_come_no_faster_than_once_a_second_or_not_at_all() {
        assert_eq!(live_every("off"), Ok(LiveEvery::Off));
        assert_eq!(live_every("1s"), Ok(LiveEvery::Every(Duration::from_secs(1))));
        for wrong in ["", "999ms", "0s", "none", "5"] {
            assert!(live_every(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_on_poison_has_a_time_unless_it_is_none() {
        let limit = |records, within_ms| Ok(PoisonLimit { records, within_ms });
        assert_eq!(poison_limit("1000/1m"), limit(1_000, 60_000));
        assert_eq!(poison_limit("5/1h 30m"), limit(5, 5_400_000));
        assert_eq!(poison_limit("0"), limit(0, 60_000));
        assert_eq!(poison_limit("0/2s"), limit(0, 2_000));
        for wrong in ["", "7", "x/1m", "7/0s", "7/", "-1/1m", "7/1m/2", "5000000000/1m"] {
            assert!(poison_limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_worker_whose_name_was_given_stays_and_any_other_leaves() {
        let told = |flags: &[&str]| {
            let command = Config::augment_args(clap::Command::new("feature-worker"));
            let matches = command.get_matches_from([&["feature-worker"], flags].concat());
            Config::from_arg_matches(&matches).unwrap().on_stop()
        };
        assert_eq!(told(&[]), OnStop::Leave);
        assert_eq!(told(&["--instance", "worker-0"]), OnStop::Stay);
        assert_eq!(told(&["--instance", "worker-0", "--on-stop", "leave"]), OnStop::Leave);
        assert_eq!(told(&["--on-stop", "stay"]), OnStop::Stay);
    }
}
