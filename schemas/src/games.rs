//! Settings by tenant and game: the `--games` file over the flags' defaults.
//!
//! ```toml
//! [[settings]]
//! tenant = "acme"                       # left out: every tenant
//! game = "demo"                         # left out: all the tenant's games; `demo` also speaks for `demo@test`
//! valid_from = "2026-03-01T00:00:00Z"   # left out: from the beginning
//! idle = "90s"
//! session_timeout = "20m"
//! grace = "2h"
//! cap = "12h"
//! events = 65536
//! buffer_events = 4096
//! buffer_bytes = 524288
//! tasks = 2000
//! task_bytes = 524288
//! evidence = 512
//! text_bytes = 1024
//! emits = ["strategy.changed", "task.abandoned"]
//! time_zone = "Europe/Berlin"
//! ```
//!
//! An entry overrides what it names and nothing else. Entries for all give way to a tenant's, these
//! to a game's, these to a game's environment; among equals, a later `valid_from` wins. What each bound
//! does to a session that reaches it is in docs/sessions.md.
//!
//! `[[retention]]` says how long the tables keep a tenant's rows: docs/operations.md.

use std::collections::HashMap;
use std::sync::Arc;

use chrono_tz::Tz;

use crate::id::{Game, Tenant};
use crate::time::Timestamp;

mod file;
mod retention;

pub use file::GamesError;
pub use retention::{Model, Retention};

/// What holds for a game at a time. Times in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GameSettings {
    /// A longer gap between two events counts wholly as idle; > 0.
    pub idle_ms: i64,
    /// Log time without an event after which a session is closed; > 0.
    pub session_timeout_ms: i64,
    /// How long a closed session waits for late events, in log time.
    pub grace_ms: i64,
    /// The longest session, in log time; > 0.
    pub cap_ms: i64,
    /// So many of a session's newest events are told apart by their ids; 1 to 65,536.
    pub events: usize,
    /// Most events that a session buffers behind a gap; 1 to 16,384.
    pub buffer_events: usize,
    /// Most bytes that a session buffers behind a gap; 1 to 1 MiB.
    pub buffer_bytes: usize,
    /// Most tasks of a session that have figures of their own; 1 to 4,000.
    pub tasks: usize,
    /// Most bytes of these figures in a report; 1 to 512 KiB.
    pub task_bytes: usize,
    /// Most pieces of evidence.recorded that a session keeps; 1 to 2,048.
    pub evidence: usize,
    /// Most bytes of each text of session.started; 1 to 4 KiB.
    pub text_bytes: usize,
    /// The event types that the game declares to send, in alphabetical order.
    pub emits: Arc<[String]>,
    /// The zone of the game's days.
    pub time_zone: Tz,
}

impl Default for GameSettings {
    /// DESIGN's figures: idle 60 s, time-out 30 min, grace 1 h, cap 24 h, 65,536 events, buffer of 4,096 events and
    /// 512 KB, 2,000 tasks in 512 KB, 512 pieces of evidence, texts of 1 KB, UTC. A report stays below 1 MB.
    fn default() -> Self {
        Self {
            idle_ms: 60_000,
            session_timeout_ms: 30 * 60_000,
            grace_ms: 60 * 60_000,
            cap_ms: 24 * 60 * 60_000,
            events: 65_536,
            buffer_events: 4_096,
            buffer_bytes: 512 << 10,
            tasks: 2_000,
            task_bytes: 512 << 10,
            evidence: 512,
            text_bytes: 1 << 10,
            emits: Arc::default(),
            time_zone: Tz::UTC,
        }
    }
}

/// The settings of all games.
#[derive(Clone, Debug, Default)]
pub struct Games {
    defaults: GameSettings,
    /// By whom they are for; each list by `valid_from`.
    entries: HashMap<Scope, Vec<Entry>>,
    retention: Retention,
}

/// For whom an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Scope {
    All,
    Tenant(Tenant),
    Game(Tenant, Game),
}

/// From when an entry holds, and what it overrides.
#[derive(Clone, Debug)]
struct Entry {
    valid_from: Option<Timestamp>,
    overrides: Overrides,
}

/// What an entry overrides.
#[derive(Clone, Debug, Default, PartialEq)]
struct Overrides {
    idle_ms: Option<i64>,
    session_timeout_ms: Option<i64>,
    grace_ms: Option<i64>,
    cap_ms: Option<i64>,
    events: Option<usize>,
    buffer_events: Option<usize>,
    buffer_bytes: Option<usize>,
    tasks: Option<usize>,
    task_bytes: Option<usize>,
    evidence: Option<usize>,
    text_bytes: Option<usize>,
    emits: Option<Arc<[String]>>,
    time_zone: Option<Tz>,
}

impl Games {
    /// No file: every game has the defaults.
    pub fn all(defaults: GameSettings) -> Self {
        Self { defaults, ..Self::default() }
    }

    /// Reads the file's text; what no entry overrides is as in `defaults`.
    ///
    /// # Errors
    /// An unknown key, a bad value, two entries for the same game from the same time, or two retentions of a tenant; the
    /// message names the entry, the key and the rule.
    pub fn parse(text: &str, defaults: GameSettings) -> Result<Self, GamesError> {
        let (entries, retention) = file::read(text)?;
        Ok(Self { defaults, entries, retention })
    }

    /// How long the tables keep rows.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// What holds for a game at a time.
    pub fn at(&self, tenant: &Tenant, game: &Game, at: Timestamp) -> GameSettings {
        let mut settings = self.defaults.clone();
        if self.entries.is_empty() {
            return settings;
        }
        for scope in scopes(tenant, game) {
            let entries = self.entries.get(&scope).map_or(&[][..], Vec::as_slice);
            for entry in entries.iter().filter(|entry| entry.valid_from.is_none_or(|from| from <= at)) {
                entry.overrides.apply(&mut settings);
            }
        }
        settings
    }
}

impl Overrides {
    fn apply(&self, settings: &mut GameSettings) {
        fn set<T: Clone>(target: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                target.clone_from(value);
            }
        }
        set(&mut settings.idle_ms, self.idle_ms.as_ref());
        set(&mut settings.session_timeout_ms, self.session_timeout_ms.as_ref());
        set(&mut settings.grace_ms, self.grace_ms.as_ref());
        set(&mut settings.cap_ms, self.cap_ms.as_ref());
        set(&mut settings.events, self.events.as_ref());
        set(&mut settings.buffer_events, self.buffer_events.as_ref());
        set(&mut settings.buffer_bytes, self.buffer_bytes.as_ref());
        set(&mut settings.tasks, self.tasks.as_ref());
        set(&mut settings.task_bytes, self.task_bytes.as_ref());
        set(&mut settings.evidence, self.evidence.as_ref());
        set(&mut settings.text_bytes, self.text_bytes.as_ref());
        set(&mut settings.emits, self.emits.as_ref());
        set(&mut settings.time_zone, self.time_zone.as_ref());
    }
}

/// The scopes that speak for a game, from the widest to the narrowest.
fn scopes(tenant: &Tenant, game: &Game) -> impl Iterator<Item = Scope> {
    let base = Game::parse(game.base()).ok().filter(|base| base != game);
    [Scope::All, Scope::Tenant(tenant.clone())]
        .into_iter()
        .chain(base.map(|base| Scope::Game(tenant.clone(), base)))
        .chain([Scope::Game(tenant.clone(), game.clone())])
}

#[cfg(test)]
mod tests;
