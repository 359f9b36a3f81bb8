//! The newest report of each session, and what it replaces.

use std::collections::BTreeMap;

use schemas::report::Report;

use super::changes::{Changes, EvidenceRow, SessionRow};
use super::days::Days;
use super::known::{Known, KnownSession, Share};
use super::players::Players;
use super::tasks::Tasks;
use super::{SessionKey, bigint};
use crate::decode::Told;

/// The reports of a load that are newer than the rows.
pub(super) struct Newest<'a> {
    known: &'a Known,
    reports: BTreeMap<SessionKey<'a>, &'a Report>,
}

impl<'a> Newest<'a> {
    pub(super) fn new(known: &'a Known) -> Self {
        Self { known, reports: BTreeMap::new() }
    }

    /// Takes a report if it is news; one that is not newer tells nothing.
    ///
    /// A report that begins elsewhere in the log than its session's row, or than the first report of
    /// the session in this load, starts a second life: then the answer is where the first one began,
    /// partition and offset.
    pub(super) fn take(&mut self, report: &'a Report) -> Result<(), (i64, i64)> {
        let key = (report.tenant.as_str(), report.session);
        let begins = (i64::from(report.provenance.partition), report.provenance.first_offset);
        let row = self.known.get(key).map(|row| ((row.partition, row.first_offset), row.revision));
        let taken = self.reports.get(&key).map(|taken| {
            ((i64::from(taken.provenance.partition), taken.provenance.first_offset), bigint(taken.revision))
        });
        if let Some((life, revision)) = taken.or(row) {
            if life != begins {
                return Err(life);
            }
            if bigint(report.revision) <= revision {
                return Ok(());
            }
        }
        self.reports.insert(key, report);
        Ok(())
    }

    /// Whether a record goes on with the life of a session that has a row, or gets one by this load.
    pub(super) fn continues(&self, told: &Told) -> bool {
        let Told::Report(report) = told else { return false };
        let key = (report.tenant.as_str(), report.session);
        let begins = (i64::from(report.provenance.partition), report.provenance.first_offset);
        let row = self.known.get(key).map(|row| (row.partition, row.first_offset));
        let taken = self.reports.get(&key).map(|taken| &taken.provenance);
        taken.map(|taken| (i64::from(taken.partition), taken.first_offset)).or(row) == Some(begins)
    }

    pub(super) fn into_changes(self, changes: &mut Changes<'a>) {
        let mut players = Players::default();
        let mut days = Days::default();
        let mut tasks = Tasks::default();
        for (key, report) in self.reports {
            let row = self.known.get(key);
            let day = self.known.day(report);
            changes.sessions.push(SessionRow { report, day, revises: row.map(|row| row.revision) });
            changes.metrics.push(report);
            tasks.replace(key, row.map_or(&[], |row| &row.tasks), report);
            let pieces = &report.facts.evidence[..];
            if !pieces.is_empty() {
                changes.evidence.push(EvidenceRow { tenant: key.0, session: key.1, pieces });
            } else if row.is_some() {
                changes.evidence_gone.push(key);
            }
            let share = |row: &'a KnownSession| Some((row.player_id.as_str(), row.share?));
            let place = |row: &'a KnownSession| Some((row.game.as_str(), row.player_id.as_str(), row.day?));
            let (old_share, old_place) = (row.and_then(share), row.and_then(place));
            let new_share = Share::of(report).map(|share| (report.player.as_str(), share));
            let new_place = day.map(|day| (report.game.as_str(), report.player.as_str(), day));
            // Most revisions move neither.
            if (old_share, old_place) != (new_share, new_place) {
                players.replace(key.0, old_share, new_share);
                days.replace(key.0, old_place, new_place);
            }
        }
        changes.players = players.into_rows();
        changes.days = days.into_rows();
        tasks.into_changes(changes);
    }
}
