//! The newest report of each session, and what it replaces.

use std::collections::BTreeMap;

use schemas::report::{Kind, Report};

use super::SessionKey;
use super::changes::{Changes, PieceRow, SessionRow, TaskRow};
use super::days::Days;
use super::known::{Known, Share};
use super::players::Players;
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
        for (key, report) in self.reports {
            let row = self.known.get(key);
            if row.is_some() {
                changes.revised.push((key, bigint(report.revision)));
            }
            let old = row.and_then(|row| Some((row.player_id.as_str(), row.share?)));
            let new = Share::of(report).map(|share| (report.player.as_str(), share));
            players.replace(key.0, old, new);
            let day = self.known.day(report);
            days.replace(
                key.0,
                row.and_then(|row| Some((row.game.as_str(), row.player_id.as_str(), row.day?))),
                day.map(|day| (report.game.as_str(), report.player.as_str(), day)),
            );
            if report.kind == Kind::Play {
                let tasks = (0_i64..).zip(&report.facts.tasks);
                changes.tasks.extend(tasks.map(|(ordinal, task)| TaskRow { report, ordinal, task }));
            }
            changes.evidence.extend(report.facts.evidence.iter().map(|piece| PieceRow { report, piece }));
            changes.sessions.push(SessionRow { report, day, revised: row.is_some() });
        }
        changes.players = players.into_rows();
        changes.days = days.into_rows();
    }
}

/// Judged to fit when the report was read.
fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
