//! The `--games` file: TOML to judged entries.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use serde::Deserialize;

use super::retention::{self, Retention};
use super::{Entry, Overrides, Scope};
use crate::id::{Game, Tenant};
use crate::parse::is_event_type;
use crate::time::Timestamp;
use crate::topics::Topic;

/// Most bytes behind a gap: with all else that a session remembers they fit into its state's record.
const MOST_BUFFER_BYTES: usize = Topic::SessionState.max_message_bytes() as usize / 4;
/// Most events and holes behind a gap: so many holes fit too.
const MOST_BUFFER_EVENTS: usize = 16_384;
/// Most events told apart: twice as many ids, or tags, fit.
const MOST_EVENTS: usize = 65_536;
/// Most tasks with figures of their own.
const MOST_TASKS: usize = 4_000;
/// Most bytes of these figures: the state holds about as many again, beside the largest buffer.
const MOST_TASK_BYTES: usize = Topic::Sessions.max_message_bytes() as usize / 8;
/// Most pieces of evidence: at 256 bytes each they fit a report beside the tasks.
const MOST_EVIDENCE: usize = 2_048;
/// Most bytes of a text of session.started: JSON may write each as six.
const MOST_TEXT_BYTES: usize = 4 << 10;
/// Most event types that a game declares to send: each report names them.
const MOST_EMITS: usize = 500;

/// What is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GamesError {
    /// Not TOML, an unknown key, or a value of another type; with its place.
    #[error("{0}")]
    Toml(String),
    /// A value that breaks its rule.
    #[error("[[settings]] entry {entry}: {key}: {problem}")]
    Value {
        /// Counts the file's entries from 1.
        entry: usize,
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Two entries for the same from the same time.
    #[error("[[settings]] entries {first} and {second} are for the same tenant and game from the same time: join them")]
    Twice {
        /// Counts the file's entries from 1.
        first: usize,
        /// Counts the file's entries from 1.
        second: usize,
    },
    /// A value of `[[retention]]` that breaks its rule.
    #[error("[[retention]] entry {entry}: {key}: {problem}")]
    Retention {
        /// Counts the entries from 1.
        entry: usize,
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Two entries of `[[retention]]` for the same tenant.
    #[error("[[retention]] entries {first} and {second} are for the same tenant: join them")]
    RetentionTwice {
        /// Counts the entries from 1.
        first: usize,
        /// Counts the entries from 1.
        second: usize,
    },
}

/// The file, as TOML holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    settings: Vec<Row>,
    #[serde(default)]
    retention: Vec<retention::Row>,
}

/// An entry, as TOML holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    tenant: Option<String>,
    game: Option<String>,
    valid_from: Option<Moment>,
    idle: Option<String>,
    session_timeout: Option<String>,
    grace: Option<String>,
    cap: Option<String>,
    events: Option<i64>,
    buffer_events: Option<i64>,
    buffer_bytes: Option<i64>,
    tasks: Option<i64>,
    task_bytes: Option<i64>,
    evidence: Option<i64>,
    text_bytes: Option<i64>,
    emits: Option<Vec<String>>,
    time_zone: Option<String>,
}

/// TOML has times of its own; a string does as well.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Text(String),
    Time(toml::value::Datetime),
}

/// The file's entries by whom they are for, each list by `valid_from`; and how long rows are kept.
pub(super) fn read(text: &str) -> Result<(HashMap<Scope, Vec<Entry>>, Retention), GamesError> {
    let file: File = toml::from_str(text).map_err(|error| GamesError::Toml(error.to_string().trim_end().to_owned()))?;
    let mut entries: HashMap<Scope, Vec<Entry>> = HashMap::new();
    let mut seen: HashMap<(Scope, Option<Timestamp>), usize> = HashMap::new();
    for (number, row) in (1..).zip(file.settings) {
        let (scope, entry) =
            judge(row).map_err(|Fault { key, problem }| GamesError::Value { entry: number, key, problem })?;
        if let Some(first) = seen.insert((scope.clone(), entry.valid_from), number) {
            return Err(GamesError::Twice { first, second: number });
        }
        entries.entry(scope).or_default().push(entry);
    }
    for list in entries.values_mut() {
        list.sort_by_key(|entry| entry.valid_from);
    }
    Ok((entries, retention::retention(file.retention)?))
}

/// What is wrong with a value.
pub(super) struct Fault {
    pub(super) key: &'static str,
    pub(super) problem: String,
}

fn judge(row: Row) -> Result<(Scope, Entry), Fault> {
    let fault = |key, problem: String| Fault { key, problem };
    let tenant = row.tenant.map(|name| Tenant::parse(&name)).transpose().map_err(|e| fault("tenant", e.to_string()))?;
    let game = row.game.map(|name| Game::parse(&name)).transpose().map_err(|e| fault("game", e.to_string()))?;
    let scope = match (tenant, game) {
        (None, None) => Scope::All,
        (Some(tenant), None) => Scope::Tenant(tenant),
        (Some(tenant), Some(game)) => Scope::Game(tenant, game),
        (None, Some(_)) => return Err(fault("tenant", "an entry that names a game names its tenant too".to_owned())),
    };
    let valid_from = row.valid_from.map(moment).transpose()?;
    let overrides = Overrides {
        idle_ms: duration("idle", row.idle, 1)?,
        session_timeout_ms: duration("session_timeout", row.session_timeout, 1)?,
        grace_ms: duration("grace", row.grace, 0)?,
        cap_ms: duration("cap", row.cap, 1)?,
        events: bound("events", row.events, MOST_EVENTS, STATE)?,
        buffer_events: bound("buffer_events", row.buffer_events, MOST_BUFFER_EVENTS, STATE)?,
        buffer_bytes: bound("buffer_bytes", row.buffer_bytes, MOST_BUFFER_BYTES, STATE)?,
        tasks: bound("tasks", row.tasks, MOST_TASKS, REPORT)?,
        task_bytes: bound("task_bytes", row.task_bytes, MOST_TASK_BYTES, REPORT)?,
        evidence: bound("evidence", row.evidence, MOST_EVIDENCE, REPORT)?,
        text_bytes: bound("text_bytes", row.text_bytes, MOST_TEXT_BYTES, REPORT)?,
        emits: row.emits.map(emits).transpose()?,
        time_zone: row.time_zone.map(|name| zone(&name)).transpose()?,
    };
    if overrides == Overrides::default() {
        return Err(fault("tenant", "the entry overrides nothing: name a setting or take it out".to_owned()));
    }
    Ok((scope, Entry { valid_from, overrides }))
}

fn moment(moment: Moment) -> Result<Timestamp, Fault> {
    let text = match moment {
        Moment::Text(text) => text,
        Moment::Time(time) => time.to_string(),
    };
    Timestamp::parse(&text).ok_or(Fault { key: "valid_from", problem: format!("`{text}` {}", Timestamp::RULE) })
}

fn duration(key: &'static str, text: Option<String>, least_ms: i64) -> Result<Option<i64>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let problem = |what: &str| Fault { key, problem: format!("`{text}` {what}, such as 60s, 30m or 1h 30m") };
    let duration: Duration = humantime::parse_duration(&text).map_err(|_| problem("must be a time with its unit"))?;
    match i64::try_from(duration.as_millis()) {
        // A year and more is a slip of the unit; it would also overflow sums of times.
        Ok(ms) if ms > 366 * 86_400_000 => Err(problem("must be at most a year")),
        Ok(ms) if ms >= least_ms => Ok(Some(ms)),
        Ok(_) => Err(problem("must be at least 1ms")),
        Err(_) => Err(problem("must be at most a year")),
    }
}

/// Why a bound on what a state holds has a bound.
const STATE: &str = "a session's state fits one record of play.session-state";
/// Why a bound on what a report holds has a bound.
const REPORT: &str = "a session's report fits one record of play.sessions";

fn bound(key: &'static str, value: Option<i64>, most: usize, reason: &str) -> Result<Option<usize>, Fault> {
    let judge = |value: i64| match usize::try_from(value) {
        Ok(bound) if (1..=most).contains(&bound) => Ok(bound),
        _ => Err(Fault { key, problem: format!("{value} must be from 1 to {most}, for {reason}") }),
    };
    value.map(judge).transpose()
}

fn emits(mut types: Vec<String>) -> Result<Arc<[String]>, Fault> {
    if let Some(bad) = types.iter().find(|name| !is_event_type(name)) {
        return Err(Fault { key: "emits", problem: format!("`{bad}` is no event type, such as strategy.changed") });
    }
    types.sort_unstable();
    types.dedup();
    if types.len() > MOST_EMITS {
        return Err(Fault { key: "emits", problem: format!("must name at most {MOST_EMITS} event types") });
    }
    Ok(types.into())
}

fn zone(name: &str) -> Result<Tz, Fault> {
    Tz::from_str(name).map_err(|_| Fault {
        key: "time_zone",
        problem: format!("`{name}` is no IANA time zone, such as Europe/Berlin"),
    })
}
