//! `[[retention]]` of the `--games` file: how long the tables keep a tenant's rows.
//!
//! ```toml
//! [[retention]]
//! tenant = "acme"         # left out: every tenant, and what is nobody's
//! sessions = "400d"       # sessions with all that hangs on them, and what they gave to players and tasks
//! event_log = "30d"       # whole days
//! quarantine = "90d"
//! activity = "2y"         # the counts by minute: activity_by_minute, worker_outcomes, outcomes
//! live = "forever"        # snapshots of sessions of which nothing came since
//! ```
//!
//! What no entry names is kept for ever. A tenant's entry goes before the one for every tenant, model by model.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::GamesError;
use super::file::Fault;
use crate::id::Tenant;

const DAY_MS: i64 = 86_400_000;
/// A day is counted anew while its sessions may still come: it takes its end in every time zone, the longest session
/// and the wait for what is late.
const LEAST_SESSIONS_MS: i64 = 7 * DAY_MS;
/// A hundred years and more is a slip of the unit.
const MOST_MS: i64 = 36_525 * DAY_MS;
/// How "kept for ever" is written where the entry for every tenant says something else.
const FOREVER: &str = "forever";

/// A group of tables that are kept for the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// Sessions, with their metrics, tasks and evidence, refused second lives, and the days of players.
    Sessions,
    /// `event_log`.
    EventLog,
    /// `quarantine`.
    Quarantine,
    /// `activity_by_minute`, `worker_outcomes` and `outcomes`.
    Activity,
    /// `live_sessions`.
    Live,
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sessions, Self::EventLog, Self::Quarantine, Self::Activity, Self::Live];

    /// Its key in the file, and its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::EventLog => "event_log",
            Self::Quarantine => "quarantine",
            Self::Activity => "activity",
            Self::Live => "live",
        }
    }
}

/// How long each tenant's rows are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    all: Ages,
    tenants: BTreeMap<Tenant, Ages>,
}

/// Age in ms by model; none where it is kept for ever. A model that is not named is not in it.
type Ages = BTreeMap<Model, Option<i64>>;

impl Retention {
    /// How long a tenant's rows of a model are kept, in ms; none where for ever. A tenant that is none, as the empty
    /// text of what is nobody's, is kept as every tenant is.
    pub fn of(&self, tenant: &str, model: Model) -> Option<i64> {
        let own = Tenant::parse(tenant).ok().and_then(|tenant| self.tenants.get(&tenant)?.get(&model).copied());
        own.unwrap_or_else(|| self.of_all(model))
    }

    /// How long the model's rows of tenants without an entry of their own are kept, in ms; none where for ever.
    pub fn of_all(&self, model: Model) -> Option<i64> {
        self.all.get(&model).copied().flatten()
    }

    /// The tenants whose rows of a model are kept for a time of their own.
    pub fn named(&self, model: Model) -> impl Iterator<Item = &Tenant> {
        let limits = move |ages: &Ages| ages.get(&model).is_some_and(Option::is_some);
        self.tenants.iter().filter(move |(_, ages)| limits(ages)).map(|(tenant, _)| tenant)
    }
}

impl fmt::Display for Retention {
    /// One line an entry, as it came out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |whose: &str, ages: &mut dyn Iterator<Item = (Model, Option<i64>)>| {
            let words = ages.map(|(model, age)| format!("{} {}", model.name(), words(age))).collect::<Vec<_>>();
            writeln!(f, "retention of {whose}: {}", words.join(", "))
        };
        line("every tenant", &mut Model::ALL.into_iter().map(|model| (model, self.of_all(model))))?;
        for tenant in self.tenants.keys() {
            let whose = tenant.as_str();
            line(whose, &mut Model::ALL.into_iter().map(|model| (model, self.of(whose, model))))?;
        }
        Ok(())
    }
}

fn words(age: Option<i64>) -> String {
    let Some(ms) = age else { return FOREVER.to_owned() };
    // Whole days as they were written, as a rule: humantime would make months of them.
    if ms % DAY_MS == 0 {
        format!("{}d", ms / DAY_MS)
    } else {
        humantime::format_duration(Duration::from_millis(ms.unsigned_abs())).to_string()
    }
}

/// An entry, as TOML holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    tenant: Option<String>,
    sessions: Option<String>,
    event_log: Option<String>,
    quarantine: Option<String>,
    activity: Option<String>,
    live: Option<String>,
}

/// Judges the file's entries.
pub(super) fn retention(rows: Vec<Row>) -> Result<Retention, GamesError> {
    let mut retention = Retention::default();
    let mut all = None;
    let mut seen: BTreeMap<Tenant, usize> = BTreeMap::new();
    for (number, row) in (1..).zip(rows) {
        let bad = |Fault { key, problem }| GamesError::Retention { entry: number, key, problem };
        let tenant = row.tenant.as_deref().map(Tenant::parse).transpose();
        let tenant = tenant.map_err(|error| bad(Fault { key: "tenant", problem: error.to_string() }))?;
        let ages = ages(row).map_err(bad)?;
        let first = match &tenant {
            None => all.replace(number),
            Some(tenant) => seen.insert(tenant.clone(), number),
        };
        if let Some(first) = first {
            return Err(GamesError::RetentionTwice { first, second: number });
        }
        match tenant {
            None => retention.all = ages,
            Some(tenant) => drop(retention.tenants.insert(tenant, ages)),
        }
    }
    Ok(retention)
}

fn ages(row: Row) -> Result<Ages, Fault> {
    let Row { tenant: _, sessions, event_log, quarantine, activity, live } = row;
    let mut ages = Ages::new();
    for (model, text) in Model::ALL.into_iter().zip([sessions, event_log, quarantine, activity, live]) {
        if let Some(text) = text {
            ages.insert(model, age(model, &text)?);
        }
    }
    if ages.is_empty() {
        return Err(Fault { key: "tenant", problem: "the entry names no model: name one or take it out".to_owned() });
    }
    Ok(ages)
}

fn age(model: Model, text: &str) -> Result<Option<i64>, Fault> {
    if text == FOREVER {
        return Ok(None);
    }
    let problem = |what: &str| Fault {
        key: model.name(),
        problem: format!("`{text}` {what}, such as 30d or 400d, or `{FOREVER}`"),
    };
    let age: Duration = humantime::parse_duration(text).map_err(|_| problem("must be a time with its unit"))?;
    let ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    match model {
        _ if ms > MOST_MS => Err(problem("must be at most a hundred years")),
        Model::Sessions if ms < LEAST_SESSIONS_MS => {
            Err(problem("must be at least 7d, for days are counted to their end before they are kept as they are"))
        }
        Model::EventLog if ms < DAY_MS || ms % DAY_MS != 0 => Err(problem("must be whole days, 1d at least")),
        _ if ms < DAY_MS => Err(problem("must be at least 1d")),
        _ => Ok(Some(ms)),
    }
}
