//! Facts: what a fold comes to when its session ends here.

use num_bigint::BigUint;
use schemas::Timestamp;
use schemas::metrics::Metrics;
use schemas::report::{Facts, Flag, TaskFigures};

use super::evidence::{count, evidence};
use super::ratio::ratio;
use super::tasks::{Sums, Task, Tasks};
use super::time::Time;
use super::{Fold, Started};
use crate::closing::Closing;
use crate::metrics_v1::VERSION;

/// At most so much faster than expected counts.
const EFFICIENCY_CAP: f64 = 2.0;

impl Fold {
    /// The facts of a session that ends with what has been folded.
    pub fn facts(&self, closing: &Closing<'_>) -> Facts {
        let time = self.time.ended(closing.idle_ms);
        let mut flags = closing.flags.to_vec();
        if self.truncated {
            flags.push(Flag::Truncated);
        }
        flags.sort_unstable();
        flags.dedup();
        let Started { platform, locale, device } = self.started.clone().unwrap_or_default();
        Facts {
            metrics_version: VERSION,
            close_reason: closing.reason,
            started: Timestamp::from_ms(time.first().unwrap_or_default()),
            ended: Timestamp::from_ms(time.last().unwrap_or_default()),
            complete: closing.complete,
            flags,
            idle_ms: closing.idle_ms,
            emits: closing.emits.to_vec(),
            platform,
            locale,
            device,
            metrics: self.metrics(&time, closing.seqs),
            tasks: figures(&self.tasks),
            evidence: evidence(self, closing.emits, time.active_ms(), time.unpaused_ms()),
        }
    }

    fn metrics(&self, time: &Time, seqs: Option<(u64, u64)>) -> Metrics {
        let mut metrics = Metrics::default();
        time_metrics(time, &mut metrics);
        task_metrics(&self.tasks, &mut metrics);
        attempt_metrics(&self.tasks, &mut metrics);
        hint_metrics(&self.tasks.sums, &mut metrics);
        self.play_metrics(&mut metrics);
        metrics.event_count = time.events();
        metrics.out_of_order = time.out_of_order();
        metrics.completeness = seqs.and_then(|(distinct, span)| ratio(distinct, span));
        metrics.anomalous = self.play.anomalous;
        metrics
    }

    fn play_metrics(&self, metrics: &mut Metrics) {
        let play = &self.play;
        metrics.choices = play.choices;
        metrics.choice_alignment_rate = ratio(play.aligned, play.judged);
        metrics.mean_deliberation_ms = ratio(play.deliberation_ms, play.timed);
        metrics.leadership_choices = play.leadership;
        metrics.questions = play.questions;
        metrics.question_accuracy = ratio(play.correct, play.questions);
        metrics.dialogues = play.dialogues;
        metrics.dialogue_skip_rate = ratio(play.skipped, play.dialogues);
        metrics.dialogue_rereads = play.rereads;
        metrics.messages_sent = play.messages;
        metrics.help_given = play.help_given;
        metrics.help_received = play.help_received;
        metrics.help_given_ratio = ratio(play.help_given, play.help_given + play.help_received);
        metrics.turns = play.turns;
        metrics.voluntary_turn_rate = ratio(play.voluntary, play.turns);
    }
}

fn time_metrics(time: &Time, metrics: &mut Metrics) {
    let active = time.active_ms().unsigned_abs();
    metrics.duration_ms = time.duration_ms();
    metrics.active_ms = time.active_ms();
    metrics.idle_ms = time.idle_ms();
    metrics.paused_ms = time.paused_ms();
    metrics.engagement_ratio = ratio(active, time.duration_ms().unsigned_abs());
    metrics.longest_focus_ms = time.longest_focus_ms();
    metrics.longest_idle_ms = time.longest_idle_ms();
    metrics.distractions = time.distractions();
    metrics.distractions_per_active_minute = ratio(u128::from(time.distractions()) * 60_000, active);
}

fn task_metrics(tasks: &Tasks, metrics: &mut Metrics) {
    let started = || tasks.each.values().filter(|task| task.starts > 0);
    metrics.tasks_started = count(started());
    metrics.tasks_completed = count(started().filter(|task| task.completions > 0));
    metrics.tasks_abandoned = count(started().filter(|task| task.completions == 0 && task.abandons > 0));
    metrics.completion_rate = ratio(metrics.tasks_completed, metrics.tasks_started);
    metrics.abandonment_rate = ratio(metrics.tasks_abandoned, metrics.tasks_started);
    let efficiency = ratio(tasks.sums.expected_ms, tasks.sums.expected_spent_ms);
    metrics.time_efficiency = efficiency.map(|quotient| quotient.min(EFFICIENCY_CAP));
}

fn attempt_metrics(tasks: &Tasks, metrics: &mut Metrics) {
    let sums = &tasks.sums;
    let attempted = || tasks.each.values().filter_map(|task| task.first_try);
    let failures = sums.attempts - sums.successes;
    metrics.attempts = sums.attempts;
    metrics.successes = sums.successes;
    metrics.failures = failures;
    metrics.success_rate = ratio(sums.successes, sums.attempts);
    metrics.first_try_success_rate = ratio(count(attempted().filter(|won| *won)), count(attempted()));
    metrics.retries = sums.retries;
    metrics.persistence_rate = ratio(sums.retries, failures);
    metrics.failure_runs = sums.runs;
    metrics.recovery_rate = ratio(sums.recovered, sums.runs);
    metrics.mean_recovery_ms = ratio(sums.recovery_ms, sums.recovered);
    metrics.mean_attempt_latency_ms = ratio(sums.latency_ms, sums.latencies);
    metrics.sd_attempt_latency_ms = standard_deviation(sums);
    metrics.rapid_attempt_rate = ratio(sums.rapid, sums.latencies);
    metrics.wheel_spinning_tasks = count(tasks.each.values().filter(Task::is_wheel_spinning));
    metrics.strategy_change_rate = ratio(sums.changed, sums.retries);
}

/// Of a sample, from its sums: √((n·Σx² − (Σx)²) / (n·(n − 1))); none under two.
fn standard_deviation(sums: &Sums) -> Option<f64> {
    let n = BigUint::from(sums.latencies);
    if sums.latencies < 2 {
        return None;
    }
    // Never negative, by Cauchy and Schwarz.
    let spread = &n * BigUint::from(sums.latency_squares) - BigUint::from(sums.latency_ms).pow(2);
    ratio(spread, &n * (&n - 1_u32)).map(f64::sqrt)
}

fn hint_metrics(sums: &Sums, metrics: &mut Metrics) {
    metrics.hints = sums.hints;
    metrics.hints_per_task = ratio(sums.hints, metrics.tasks_started);
    metrics.bottom_out_hint_rate = ratio(sums.bottom_out, sums.hints);
    metrics.hint_before_attempt_rate = ratio(sums.early_hints, sums.hints);
}

fn figures(tasks: &Tasks) -> Vec<TaskFigures> {
    tasks
        .each
        .in_order()
        .map(|(task_id, task)| TaskFigures {
            task_id: task_id.to_string(),
            starts: task.starts,
            completions: task.completions,
            abandons: task.abandons,
            attempts: task.attempts,
            successes: task.successes,
            hints: task.hints,
            spent_ms: task.spent_ms,
            first_try: task.first_try,
        })
        .collect()
}
