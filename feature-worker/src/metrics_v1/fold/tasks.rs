//! Tasks: starts, attempts, failures and recoveries of each, and the sums over all.

use schemas::data::{Data, Outcome};
use serde::{Deserialize, Serialize};

use super::bounds::{Bounds, figures_bytes};
use super::each::Each;
use super::time::is_zero;

/// A quicker attempt is a rapid one.
pub(super) const RAPID_MS: i64 = 1_000;
/// This many attempts on a task…
const WHEEL_SPIN_ATTEMPTS: u64 = 10;
/// …without so many successes in a row is wheel-spinning.
const WHEEL_SPIN_STREAK: u64 = 3;

/// What a session did on its tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(super) struct Tasks {
    /// In the order of first mention.
    #[serde(rename = "t")]
    pub(super) each: Each,
    #[serde(rename = "s")]
    pub(super) sums: Sums,
    /// Bytes of their figures in a report, at most.
    #[serde(skip)]
    bytes: usize,
}

/// Tasks as they are stored: the bytes follow from the names.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "t")]
    each: Each,
    #[serde(rename = "s")]
    sums: Sums,
}

impl From<Stored> for Tasks {
    fn from(Stored { each, sums }: Stored) -> Self {
        let bytes = each.names().map(figures_bytes).sum();
        Self { each, sums, bytes }
    }
}

/// Sums over all tasks that can't be told from the tasks at the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    #[serde(rename = "a", default, skip_serializing_if = "is_zero")]
    pub(super) attempts: u64,
    #[serde(rename = "w", default, skip_serializing_if = "is_zero")]
    pub(super) successes: u64,
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub(super) retries: u64,
    #[serde(rename = "c", default, skip_serializing_if = "is_zero")]
    pub(super) changed: u64,
    #[serde(rename = "f", default, skip_serializing_if = "is_zero")]
    pub(super) runs: u64,
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub(super) recovered: u64,
    #[serde(rename = "om", default, skip_serializing_if = "is_zero_wide")]
    pub(super) recovery_ms: u128,
    #[serde(rename = "x", default, skip_serializing_if = "is_zero_wide")]
    pub(super) expected_ms: u128,
    #[serde(rename = "xs", default, skip_serializing_if = "is_zero_wide")]
    pub(super) expected_spent_ms: u128,
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    pub(super) latencies: u64,
    #[serde(rename = "l", default, skip_serializing_if = "is_zero_wide")]
    pub(super) latency_ms: u128,
    #[serde(rename = "q", default, skip_serializing_if = "is_zero_wide")]
    pub(super) latency_squares: u128,
    #[serde(rename = "q1", default, skip_serializing_if = "is_zero")]
    pub(super) rapid: u64,
    #[serde(rename = "h", default, skip_serializing_if = "is_zero")]
    pub(super) hints: u64,
    #[serde(rename = "hb", default, skip_serializing_if = "is_zero")]
    pub(super) bottom_out: u64,
    #[serde(rename = "he", default, skip_serializing_if = "is_zero")]
    pub(super) early_hints: u64,
}

/// What a session did on one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub(super) starts: u64,
    #[serde(rename = "c", default, skip_serializing_if = "is_zero")]
    pub(super) completions: u64,
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    pub(super) abandons: u64,
    #[serde(rename = "a", default, skip_serializing_if = "is_zero")]
    pub(super) attempts: u64,
    #[serde(rename = "w", default, skip_serializing_if = "is_zero")]
    pub(super) successes: u64,
    #[serde(rename = "h", default, skip_serializing_if = "is_zero")]
    pub(super) hints: u64,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(super) first_try: Option<bool>,
    /// Unpaused time of the session at the first start.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) started_unpaused: Option<i64>,
    /// From the first start to the first completion, where that came after.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) spent_ms: Option<i64>,
    /// The latest expectation stated at a start before the first completion.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) expected_ms: Option<u64>,
    /// Time of the last start or attempt.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub(super) mark: Option<i64>,
    /// The strategy was changed since the last attempt.
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) changed: bool,
    /// Time of the first failure of the run that goes on.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) run_began: Option<i64>,
    #[serde(rename = "k", default, skip_serializing_if = "is_zero")]
    pub(super) streak: u64,
    #[serde(rename = "kb", default, skip_serializing_if = "is_zero")]
    pub(super) best_streak: u64,
}

fn is_zero_wide(value: &u128) -> bool {
    *value == 0
}

impl Tasks {
    pub(super) fn is_empty(&self) -> bool {
        self.each.is_empty() && self.sums == Sums::default()
    }

    /// Takes in an event at `at`, with `unpaused_ms` of the session behind it. False where a
    /// bound on tasks left something out.
    pub(super) fn apply(&mut self, data: &Data<'_>, at: i64, unpaused_ms: i64, bounds: &Bounds) -> bool {
        match data {
            Data::TaskStarted(told) => {
                self.task(&told.task_id, at, bounds, |task, _| task.start(told.expected_ms, at, unpaused_ms))
            }
            Data::TaskAttempted(told) => {
                let won = told.outcome == Outcome::Success;
                self.sums.attempts += 1;
                self.sums.successes += u64::from(won);
                self.task(&told.task_id, at, bounds, |task, sums| task.attempt(won, at, sums))
            }
            Data::TaskCompleted(told) => {
                self.task(&told.task_id, at, bounds, |task, sums| task.complete(unpaused_ms, sums))
            }
            Data::TaskAbandoned(told) => self.task(&told.task_id, at, bounds, |task, _| task.abandons += 1),
            Data::HintRequested(told) => {
                self.sums.hints += 1;
                self.sums.bottom_out += u64::from(told.bottom_out);
                self.task(&told.task_id, at, bounds, |task, sums| {
                    task.hints += 1;
                    sums.early_hints += u64::from(task.attempts == 0);
                })
            }
            Data::StrategyChanged(told) => {
                // Only a change between attempts counts, so an unknown task need not be made.
                self.each.change(&told.task_id, at, |task| task.changed = true);
                true
            }
            _ => true,
        }
    }

    fn task(&mut self, task_id: &str, at: i64, bounds: &Bounds, change: impl FnOnce(&mut Task, &mut Sums)) -> bool {
        // It is taken by the first that calls it.
        let mut change = Some(change);
        let known = self.each.change(task_id, at, |task| change.take().map(|change| change(task, &mut self.sums)));
        let Some(change) = change.take().filter(|_| known.is_none()) else { return true };
        let bytes = self.bytes + figures_bytes(task_id);
        if self.each.len() >= bounds.tasks || bytes > bounds.task_bytes {
            return false;
        }
        self.bytes = bytes;
        let mut task = Task::default();
        change(&mut task, &mut self.sums);
        self.each.add(task_id, at, task);
        true
    }
}

impl Task {
    /// The earliest time that it tells, in ms since the epoch.
    pub(super) fn earliest(&self) -> Option<i64> {
        self.mark.into_iter().chain(self.run_began).min()
    }

    fn start(&mut self, expected_ms: Option<u64>, at: i64, unpaused_ms: i64) {
        self.starts += 1;
        self.started_unpaused.get_or_insert(unpaused_ms);
        if self.completions == 0 {
            self.expected_ms = expected_ms.or(self.expected_ms);
        }
        self.mark = Some(at);
    }

    fn complete(&mut self, unpaused_ms: i64, sums: &mut Sums) {
        self.completions += 1;
        if self.completions > 1 {
            return;
        }
        let Some(started) = self.started_unpaused else { return };
        let spent = unpaused_ms - started;
        self.spent_ms = Some(spent);
        if let Some(expected) = self.expected_ms {
            sums.expected_ms += u128::from(expected);
            sums.expected_spent_ms += u128::from(spent.unsigned_abs());
        }
    }

    fn attempt(&mut self, won: bool, at: i64, sums: &mut Sums) {
        if let Some(mark) = self.mark.replace(at) {
            let latency = at - mark;
            sums.latencies += 1;
            sums.latency_ms += u128::from(latency.unsigned_abs());
            sums.latency_squares += u128::from(latency.unsigned_abs()).pow(2);
            sums.rapid += u64::from(latency < RAPID_MS);
        }
        if self.run_began.is_some() {
            sums.retries += 1;
            sums.changed += u64::from(self.changed);
        }
        self.changed = false;
        self.first_try.get_or_insert(won);
        self.attempts += 1;
        if won {
            self.successes += 1;
            self.streak += 1;
            self.best_streak = self.best_streak.max(self.streak);
            if let Some(began) = self.run_began.take() {
                sums.recovered += 1;
                sums.recovery_ms += u128::from((at - began).unsigned_abs());
            }
        } else {
            self.streak = 0;
            if self.run_began.is_none() {
                self.run_began = Some(at);
                sums.runs += 1;
            }
        }
    }

    /// Ten attempts or more and never three successes in a row (Beck & Gong 2013).
    pub(super) fn is_wheel_spinning(&self) -> bool {
        self.attempts >= WHEEL_SPIN_ATTEMPTS && self.best_streak < WHEEL_SPIN_STREAK
    }
}
