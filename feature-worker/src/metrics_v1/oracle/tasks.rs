//! Task and attempt metrics over whole lists.

use num_bigint::BigUint;
use schemas::data::{Data, Outcome};
use schemas::metrics::Metrics;

use super::Session;
use crate::metrics_v1::fold::ratio;

impl Session<'_, '_> {
    /// The tasks that were started, attempted, completed, abandoned or asked about, in order of first mention.
    pub(super) fn tasks(&self) -> Vec<String> {
        let mut tasks: Vec<String> = Vec::new();
        for event in &self.events {
            let task = match &event.data {
                Data::TaskStarted(told) => &told.task_id,
                Data::TaskAttempted(told) => &told.task_id,
                Data::TaskCompleted(told) => &told.task_id,
                Data::TaskAbandoned(told) => &told.task_id,
                Data::HintRequested(told) => &told.task_id,
                _ => continue,
            };
            if !tasks.iter().any(|known| known.as_str() == task.as_str()) {
                tasks.push(task.to_string());
            }
        }
        tasks
    }

    pub(super) fn starts(&self, task: &str) -> Vec<usize> {
        self.indexes(|data| matches!(data, Data::TaskStarted(told) if &*told.task_id == task))
    }

    pub(super) fn completions(&self, task: &str) -> Vec<usize> {
        self.indexes(|data| matches!(data, Data::TaskCompleted(told) if &*told.task_id == task))
    }

    pub(super) fn abandons(&self, task: &str) -> Vec<usize> {
        self.indexes(|data| matches!(data, Data::TaskAbandoned(told) if &*told.task_id == task))
    }

    /// Index and success of each attempt on a task.
    pub(super) fn attempts(&self, task: &str) -> Vec<(usize, bool)> {
        let won = |i: usize| match &self.events[i].data {
            Data::TaskAttempted(told) if &*told.task_id == task => Some((i, told.outcome == Outcome::Success)),
            _ => None,
        };
        (0..self.events.len()).filter_map(won).collect()
    }

    /// Time of each attempt since the task's start or previous attempt, whichever is later.
    pub(super) fn latencies(&self) -> Vec<i64> {
        let mut latencies = Vec::new();
        for task in self.tasks() {
            let starts = self.starts(&task).into_iter().map(|i| (i, false));
            let mut marks: Vec<_> = starts.chain(self.attempts(&task).into_iter().map(|(i, _)| (i, true))).collect();
            marks.sort_unstable();
            let pairs = marks.windows(2).filter(|pair| pair[1].1);
            latencies.extend(pairs.map(|pair| self.at[pair[1].0] - self.at[pair[0].0]));
        }
        latencies
    }

    pub(super) fn task_metrics(&self, metrics: &mut Metrics) {
        let started: Vec<_> = self.tasks().into_iter().filter(|task| !self.starts(task).is_empty()).collect();
        let (done, open): (Vec<_>, Vec<_>) = started.iter().partition(|task| !self.completions(task).is_empty());
        let left = open.iter().filter(|task| !self.abandons(task).is_empty()).count();
        let (mut expected, mut spent) = (0_u128, 0_u128);
        for task in &done {
            let (start, end) = (self.starts(task)[0], self.completions(task)[0]);
            let before = self.starts(task).into_iter().filter(|i| *i < end);
            let mut expectations = before.filter_map(|i| match &self.events[i].data {
                Data::TaskStarted(told) => told.expected_ms,
                _ => None,
            });
            if let Some(stated) = expectations.next_back() {
                expected += u128::from(stated);
                spent += u128::from((self.unpaused_until(end) - self.unpaused_until(start)).unsigned_abs());
            }
        }
        metrics.tasks_started = started.len() as u64;
        metrics.tasks_completed = done.len() as u64;
        metrics.tasks_abandoned = left as u64;
        metrics.completion_rate = ratio(done.len(), started.len());
        metrics.abandonment_rate = ratio(left, started.len());
        metrics.time_efficiency = ratio(expected, spent).map(|quotient| quotient.min(2.0));
    }

    pub(super) fn attempt_metrics(&self, metrics: &mut Metrics) {
        let (mut first_tries, mut recoveries) = (Vec::new(), Vec::new());
        for task in self.tasks() {
            let tries = self.attempts(&task);
            metrics.attempts += tries.len() as u64;
            metrics.successes += tries.iter().filter(|(_, won)| *won).count() as u64;
            first_tries.extend(tries.first().map(|(_, won)| *won));
            for pair in tries.windows(2).filter(|pair| !pair[0].1) {
                let changes =
                    self.indexes(|data| matches!(data, Data::StrategyChanged(told) if *told.task_id == *task));
                metrics.retries += 1;
                recoveries.extend(changes.iter().any(|i| pair[0].0 < *i && *i < pair[1].0).then_some(None));
            }
            // A failure run: failures up to the next success.
            for run in tries.split_inclusive(|(_, won)| *won).filter(|run| !run[0].1) {
                metrics.failure_runs += 1;
                let end = run[run.len() - 1];
                recoveries.extend(end.1.then(|| Some(self.at[end.0] - self.at[run[0].0])));
            }
            let longest = tries.split(|(_, won)| !won).map(<[_]>::len).max().unwrap_or(0);
            metrics.wheel_spinning_tasks += u64::from(tries.len() >= 10 && longest < 3);
        }
        let changed = recoveries.iter().filter(|entry| entry.is_none()).count();
        let recovered: Vec<i64> = recoveries.into_iter().flatten().collect();
        metrics.failures = metrics.attempts - metrics.successes;
        metrics.success_rate = ratio(metrics.successes, metrics.attempts);
        metrics.first_try_success_rate = ratio(first_tries.iter().filter(|won| **won).count(), first_tries.len());
        metrics.persistence_rate = ratio(metrics.retries, metrics.failures);
        metrics.recovery_rate = ratio(recovered.len(), metrics.failure_runs);
        metrics.mean_recovery_ms = ratio(recovered.iter().sum::<i64>().unsigned_abs(), recovered.len());
        metrics.strategy_change_rate = ratio(changed, metrics.retries);
        self.latency_metrics(metrics);
    }

    fn latency_metrics(&self, metrics: &mut Metrics) {
        let latencies: Vec<BigUint> = self.latencies().iter().map(|ms| BigUint::from(ms.unsigned_abs())).collect();
        let n = BigUint::from(latencies.len());
        let total: BigUint = latencies.iter().sum();
        let squares: BigUint = latencies.iter().map(|ms| ms * ms).sum();
        let rapid = self.latencies().into_iter().filter(|ms| *ms < 1_000).count();
        metrics.rapid_attempt_rate = ratio(rapid, latencies.len());
        metrics.mean_attempt_latency_ms = ratio(total.clone(), latencies.len());
        metrics.sd_attempt_latency_ms = (latencies.len() > 1)
            .then(|| ratio(&n * squares - &total * &total, &n * (&n - 1_u32)))
            .flatten()
            .map(f64::sqrt);
    }
}
