//! Snapshots of running sessions: at most one of each in so much time, and so many of all in a second.
//!
//! Whatever may be shown waits in its partition's queue. The budget of the worker is spent on what has waited longest,
//! wherever it is: where there is more to show than may be put out, each session is shown more rarely, and all alike.

use super::Machine;
use super::Settings;
use super::output::Output;
use super::partition::{Partition, context};
use super::slot::Snapshot;
use crate::report::snapshot;
use crate::state::SessionKey;

/// Most snapshots in one commit, whatever the budget: it has to end in time.
const MOST: usize = 5_000;
/// What a snapshot costs of a budget.
const COST: i64 = 1_000;

/// How often running sessions are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveViews {
    /// Least time between two snapshots of a session, in ms.
    pub every_ms: i64,
    /// Most snapshots a second, of all sessions of a worker.
    pub rate: u32,
}

/// What may be put out: a second's worth at most.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// When it was filled last, by the monotonic clock, in ms.
    at: Option<i64>,
    /// In thousandths of a snapshot.
    left: i64,
}

impl Budget {
    fn fill(&mut self, now: i64, rate: u32) {
        let most = i64::from(rate) * COST;
        let since = self.at.map_or(1_000, |at| now.saturating_sub(at));
        self.left = self.left.saturating_add(since.saturating_mul(i64::from(rate))).min(most);
        self.at = Some(now);
    }
}

impl Machine {
    /// Puts out the snapshots that are due, as far as the budget goes, into the commit that is about to be made.
    pub(super) fn show(&mut self, now: i64) {
        let Some(views) = self.settings.live.filter(|_| !self.draining) else { return };
        self.live.fill(now, views.rate);
        for partition in self.partitions.values_mut().filter(|partition| partition.accepts()) {
            partition.queue_snapshots(now, views.every_ms);
        }
        let mut count = 0;
        while self.live.left >= COST && count < MOST {
            let shown = self.partitions.values_mut().filter(|partition| partition.accepts());
            let waiting = shown.filter_map(|partition| Some((partition.snapshots.first(now)?, partition)));
            let Some((_, partition)) = waiting.min_by_key(|(due, _)| *due) else { break };
            if partition.show_next(now, &self.settings) {
                self.live.left -= COST;
                count += 1;
            }
        }
    }
}

impl Partition {
    /// Queues the sessions that have changed, each once.
    fn queue_snapshots(&mut self, now: i64, every_ms: i64) {
        for key in self.open.before.keys() {
            let Some(slot) = self.slots.get_mut(key) else { continue };
            if !slot.pace().runs {
                continue;
            }
            let due = match slot.snapshot {
                Snapshot::Queued(_) => continue,
                Snapshot::Sent(at) => at.saturating_add(every_ms),
                Snapshot::Never => now,
            };
            slot.snapshot = Snapshot::Queued(due);
            self.snapshots.push(due, key.clone());
        }
    }

    /// Takes the session that has waited longest out of the queue, and shows it; false where there is nothing to show.
    fn show_next(&mut self, now: i64, settings: &Settings) -> bool {
        let Some((due, key)) = self.snapshots.pop(now) else { return false };
        let queued = self.slots.get_mut(&key).filter(|slot| slot.snapshot == Snapshot::Queued(due));
        let Some(slot) = queued else { return false };
        slot.snapshot = Snapshot::Sent(now);
        let session = slot.session();
        let running = (!session.is_closed()).then_some(&*session);
        let live = running.and_then(|session| snapshot(session, &key.tenant, key.session, &context(settings, &key)));
        // Its state need not be written for that: with its first report it is taken away in any case.
        session.reported.live |= live.is_some();
        if slot.layer != self.layer {
            slot.settle(false);
        }
        let Some(live) = live else { return false };
        self.open.outputs.push(Output::Live(Box::new(live)));
        self.open.shown.push(key);
        true
    }

    /// Shows again, first of all, what an abort has undone.
    pub(super) fn show_again(&mut self, shown: Vec<SessionKey>) {
        for key in shown {
            if let Some(slot) = self.slots.get_mut(&key).filter(|slot| matches!(slot.snapshot, Snapshot::Sent(_))) {
                slot.snapshot = Snapshot::Queued(i64::MIN);
                self.snapshots.push(i64::MIN, key);
            }
        }
    }
}
