//! Time metrics over whole lists.

use schemas::data::Data;
use schemas::metrics::Metrics;

use super::Session;
use crate::metrics_v1::fold::ratio;

/// What a gap between two events is, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    Paused,
    Idle,
    Active,
}

impl Session<'_, '_> {
    /// Whether the player is away after each event.
    fn absences(&self) -> Vec<bool> {
        let (mut paused, mut unfocused) = (false, false);
        let after = |event: &&schemas::Event<'_>| {
            match event.data {
                Data::SessionPaused => paused = true,
                Data::SessionResumed => paused = false,
                Data::FocusLost => unfocused = true,
                Data::FocusGained => unfocused = false,
                _ if event.is_action() => (paused, unfocused) = (false, false),
                _ => {}
            }
            paused || unfocused
        };
        self.events.iter().map(after).collect()
    }

    /// Index of the later event, length and kind of each gap. A heartbeat ends none, unless the
    /// session begins or ends with it.
    pub(super) fn gaps(&self) -> Vec<(usize, i64, Gap)> {
        let away = self.absences();
        let last = self.events.len().saturating_sub(1);
        let is_mark = |i: &usize| self.events[*i].data != Data::SessionHeartbeat || [0, last].contains(i);
        let marks: Vec<usize> = (0..self.events.len()).filter(is_mark).collect();
        let gap = |pair: &[usize]| {
            let length = self.at[pair[1]] - self.at[pair[0]];
            let kind = match (away[pair[0]], length > self.idle_ms) {
                (true, _) => Gap::Paused,
                (false, true) => Gap::Idle,
                (false, false) => Gap::Active,
            };
            (pair[1], length, kind)
        };
        marks.windows(2).map(gap).collect()
    }

    pub(super) fn total(&self, kind: Gap) -> i64 {
        self.gaps().into_iter().filter(|gap| gap.2 == kind).map(|gap| gap.1).sum()
    }

    /// Time not away up to an event.
    pub(super) fn unpaused_until(&self, index: usize) -> i64 {
        self.gaps()
            .into_iter()
            .filter(|(later, _, kind)| *later <= index && *kind != Gap::Paused)
            .map(|gap| gap.1)
            .sum()
    }

    pub(super) fn time_metrics(&self, metrics: &mut Metrics) {
        let gaps = self.gaps();
        let away = self.absences();
        let pauses: Vec<usize> = (0..away.len()).filter(|i| away[*i] && (*i == 0 || !away[*i - 1])).collect();
        let idle: Vec<i64> = gaps.iter().filter(|gap| gap.2 == Gap::Idle).map(|gap| gap.1).collect();
        // A focus run is active time unbroken by an idle gap or by the start of a pause.
        let (mut runs, mut run) = (Vec::new(), 0);
        for i in 0..self.events.len() {
            match gaps.iter().find(|gap| gap.0 == i) {
                Some((_, _, Gap::Idle)) => runs.push(std::mem::take(&mut run)),
                Some((_, length, Gap::Active)) => run += length,
                _ => {}
            }
            if pauses.contains(&i) {
                runs.push(std::mem::take(&mut run));
            }
        }
        runs.push(run);
        let duration = self.at.last().zip(self.at.first()).map_or(0, |(last, first)| last - first);
        let active = self.total(Gap::Active);
        metrics.duration_ms = duration;
        metrics.active_ms = active;
        metrics.idle_ms = self.total(Gap::Idle);
        metrics.paused_ms = self.total(Gap::Paused);
        metrics.engagement_ratio = ratio(active.unsigned_abs(), duration.unsigned_abs());
        metrics.longest_focus_ms = runs.into_iter().max().unwrap_or(0);
        metrics.longest_idle_ms = idle.iter().copied().max().unwrap_or(0);
        metrics.distractions = (idle.len() + pauses.len()) as u64;
        metrics.distractions_per_active_minute = ratio(metrics.distractions * 60_000, active.unsigned_abs());
    }
}
