//! What is known before a load is projected: what the tables hold of its sessions, and the games' settings.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;
use schemas::Timestamp;
use schemas::games::Games;
use schemas::report::{Kind, Report, TaskFigures};
use uuid::Uuid;

use super::horizons::{self, Horizons};
use crate::decode::Told;
use crate::load::Slice;

/// Sessions that have a row, and in which time zone each game counts its days.
#[derive(Debug, Default)]
pub struct Known {
    games: Arc<Games>,
    /// By tenant, then session: looked up without making a key of its own.
    sessions: HashMap<String, HashMap<Uuid, KnownSession>>,
    horizons: Horizons,
}

/// A session as its row tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSession {
    /// Its game.
    pub game: String,
    /// Its player.
    pub player_id: String,
    /// The day that it counts on; none for evidence.
    pub day: Option<NaiveDate>,
    /// The revision in the row.
    pub revision: i64,
    /// Partition of its first record.
    pub partition: i64,
    /// Offset of its first record.
    pub first_offset: i64,
    /// What it counts for its player; none for evidence.
    pub share: Option<Share>,
    /// What it did on tasks.
    pub tasks: Vec<KnownTask>,
}

/// A task of a session as its row tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTask {
    /// Its place in the order of first mention.
    pub ordinal: i64,
    /// Its game.
    pub game: String,
    /// Its player.
    pub player_id: String,
    /// The figures.
    pub figures: TaskFigures,
}

/// What a session counts for its player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its start, corrected.
    pub started_at: Timestamp,
    /// Its end, corrected.
    pub ended_at: Timestamp,
    /// Its events.
    pub events: i64,
    /// Its active time, in ms.
    pub active_ms: i64,
}

impl Known {
    /// No session as yet; days by these games' settings.
    pub fn new(games: Arc<Games>) -> Self {
        Self { games, ..Self::default() }
    }

    /// The sessions that reports of this load are about, each once.
    pub fn wanted(slices: &[Slice]) -> BTreeSet<super::SessionKey<'_>> {
        let reports = slices.iter().flat_map(|slice| &slice.entries).filter_map(|entry| match &entry.told {
            Told::Report(report) => Some((report.tenant.as_str(), report.session)),
            _ => None,
        });
        reports.collect()
    }

    /// The tenants of a load's records, the empty one for what is nobody's.
    pub fn tenants(slices: &[Slice]) -> BTreeSet<&str> {
        let entries = slices.iter().flat_map(|slice| &slice.entries);
        entries.filter_map(|entry| Some(horizons::place(&entry.told)?.0)).collect()
    }

    /// With the horizons of those tenants.
    #[must_use]
    pub fn within(self, horizons: Horizons) -> Self {
        Self { horizons, ..self }
    }

    /// Up to when rows have been removed.
    pub fn horizons(&self) -> &Horizons {
        &self.horizons
    }

    /// Adds a session that has a row.
    pub fn insert(&mut self, tenant: String, session: Uuid, row: KnownSession) {
        self.sessions.entry(tenant).or_default().insert(session, row);
    }

    /// Adds what the rows tell of a task of a session that has been added.
    pub fn insert_task(&mut self, tenant: &str, session: Uuid, task: KnownTask) {
        if let Some(row) = self.sessions.get_mut(tenant).and_then(|sessions| sessions.get_mut(&session)) {
            row.tasks.push(task);
        }
    }

    /// The day of a play session's start, in the zone that its game has at that time; none for evidence.
    pub fn day(&self, report: &Report) -> Option<NaiveDate> {
        let started_at = report.provenance.started_at;
        let zone = |report: &Report| self.games.at(&report.tenant, &report.game, started_at).time_zone;
        (report.kind == Kind::Play).then(|| started_at.to_chrono().with_timezone(&zone(report)).date_naive())
    }

    /// A session's row.
    pub fn get(&self, (tenant, session): super::SessionKey<'_>) -> Option<&KnownSession> {
        self.sessions.get(tenant)?.get(&session)
    }
}

impl Share {
    /// What the session of a report counts for its player; none for evidence.
    pub fn of(report: &Report) -> Option<Self> {
        let metrics = &report.facts.metrics;
        (report.kind == Kind::Play).then(|| Self {
            started_at: report.provenance.started_at,
            ended_at: report.provenance.ended_at,
            events: super::bigint(metrics.event_count),
            active_ms: metrics.active_ms,
        })
    }
}
