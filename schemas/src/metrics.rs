//! The session metrics of METRICS.md, metrics_version 1: names, meanings and units.

use serde::{Deserialize, Serialize};

/// The metrics of one session. Times are integer ms; a ratio over nothing is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Client time from the first event to the last, in ms.
    pub duration_ms: i64,
    /// Time in gaps that are neither paused nor idle, in ms.
    pub active_ms: i64,
    /// Time in gaps longer than the idle threshold, in ms.
    pub idle_ms: i64,
    /// Time away after session.paused or focus.lost, in ms.
    pub paused_ms: i64,
    /// active_ms / duration_ms.
    pub engagement_ratio: Option<f64>,
    /// Longest active time unbroken by an idle gap or the start of a pause, in ms.
    pub longest_focus_ms: i64,
    /// Longest idle gap, in ms.
    pub longest_idle_ms: i64,
    /// Idle gaps and starts of being away.
    pub distractions: u64,
    /// distractions by minute of active time.
    pub distractions_per_active_minute: Option<f64>,
    /// Tasks with a task.started.
    pub tasks_started: u64,
    /// Started tasks with a task.completed.
    pub tasks_completed: u64,
    /// Started tasks with a task.abandoned and no task.completed.
    pub tasks_abandoned: u64,
    /// tasks_completed / tasks_started.
    pub completion_rate: Option<f64>,
    /// tasks_abandoned / tasks_started.
    pub abandonment_rate: Option<f64>,
    /// Expected time over time spent on completed tasks that state one, at most 2.
    pub time_efficiency: Option<f64>,
    /// task.attempted events.
    pub attempts: u64,
    /// Attempts that succeeded.
    pub successes: u64,
    /// Attempts that did not succeed, partial ones included.
    pub failures: u64,
    /// successes / attempts.
    pub success_rate: Option<f64>,
    /// Attempted tasks whose first attempt succeeded / attempted tasks.
    pub first_try_success_rate: Option<f64>,
    /// Attempts that follow a failed one on the same task.
    pub retries: u64,
    /// retries / failures.
    pub persistence_rate: Option<f64>,
    /// Runs of failures on a task, up to its next success.
    pub failure_runs: u64,
    /// Failure runs that ended in a success / failure_runs.
    pub recovery_rate: Option<f64>,
    /// Mean time from a run's first failure to the success that ended it, in ms.
    pub mean_recovery_ms: Option<f64>,
    /// Mean time from the task's start or previous attempt to an attempt, in ms.
    pub mean_attempt_latency_ms: Option<f64>,
    /// Sample standard deviation of those times, in ms.
    pub sd_attempt_latency_ms: Option<f64>,
    /// Attempts quicker than 1 s / attempts with a latency (Wise & Kong 2005).
    pub rapid_attempt_rate: Option<f64>,
    /// Tasks with 10 attempts or more and never 3 successes in a row (Beck & Gong 2013).
    pub wheel_spinning_tasks: u64,
    /// Retries before which the strategy was changed / retries.
    pub strategy_change_rate: Option<f64>,
    /// hint.requested events.
    pub hints: u64,
    /// hints / tasks_started.
    pub hints_per_task: Option<f64>,
    /// Hints that gave the answer away / hints (Baker et al.).
    pub bottom_out_hint_rate: Option<f64>,
    /// Hints before the task's first attempt / hints (Baker et al.).
    pub hint_before_attempt_rate: Option<f64>,
    /// choice.made events.
    pub choices: u64,
    /// Aligned choices / choices that say whether they were.
    pub choice_alignment_rate: Option<f64>,
    /// Mean time to decide, in ms.
    pub mean_deliberation_ms: Option<f64>,
    /// Aligned choices of the skill `leadership`.
    pub leadership_choices: u64,
    /// question.answered events.
    pub questions: u64,
    /// Right answers / questions.
    pub question_accuracy: Option<f64>,
    /// dialogue.viewed events.
    pub dialogues: u64,
    /// Skipped dialogues / dialogues.
    pub dialogue_skip_rate: Option<f64>,
    /// Times a dialogue was read again.
    pub dialogue_rereads: u64,
    /// social.message_sent events.
    pub messages_sent: u64,
    /// social.help events in which the player helped.
    pub help_given: u64,
    /// social.help events in which the player was helped.
    pub help_received: u64,
    /// help_given / all help.
    pub help_given_ratio: Option<f64>,
    /// social.turn events.
    pub turns: u64,
    /// Turns given away unasked / turns.
    pub voluntary_turn_rate: Option<f64>,
    /// Distinct events of the session.
    pub event_count: u64,
    /// Events whose clock stood before the latest time seen.
    pub out_of_order: u64,
    /// Distinct seqs / (highest seq + 1); null without seq.
    pub completeness: Option<f64>,
    /// More than 20 player's actions within a second.
    pub anomalous: bool,
}

/// What a metric is, for pages, comments on columns and explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name, as in METRICS.md and in the tables.
    pub name: &'static str,
    /// The group that it stands in.
    pub group: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// What its value counts: ms, count, ratio, per minute, yes/no.
    pub unit: &'static str,
}

/// All metrics, in the order of METRICS.md.
pub const DEFINITIONS: [Definition; COUNT] = [
    Definition {
        name: "duration_ms",
        group: "Time",
        meaning: "Client time from the first event to the last, in ms.",
        unit: "ms",
    },
    Definition {
        name: "active_ms",
        group: "Time",
        meaning: "Time in gaps that are neither paused nor idle, in ms.",
        unit: "ms",
    },
    Definition {
        name: "idle_ms",
        group: "Time",
        meaning: "Time in gaps longer than the idle threshold, in ms.",
        unit: "ms",
    },
    Definition {
        name: "paused_ms",
        group: "Time",
        meaning: "Time away after session.paused or focus.lost, in ms.",
        unit: "ms",
    },
    Definition { name: "engagement_ratio", group: "Time", meaning: "active_ms / duration_ms.", unit: "ratio" },
    Definition {
        name: "longest_focus_ms",
        group: "Time",
        meaning: "Longest active time unbroken by an idle gap or the start of a pause, in ms.",
        unit: "ms",
    },
    Definition { name: "longest_idle_ms", group: "Time", meaning: "Longest idle gap, in ms.", unit: "ms" },
    Definition { name: "distractions", group: "Time", meaning: "Idle gaps and starts of being away.", unit: "count" },
    Definition {
        name: "distractions_per_active_minute",
        group: "Time",
        meaning: "distractions by minute of active time.",
        unit: "per minute",
    },
    Definition { name: "tasks_started", group: "Tasks", meaning: "Tasks with a task.started.", unit: "count" },
    Definition {
        name: "tasks_completed",
        group: "Tasks",
        meaning: "Started tasks with a task.completed.",
        unit: "count",
    },
    Definition {
        name: "tasks_abandoned",
        group: "Tasks",
        meaning: "Started tasks with a task.abandoned and no task.completed.",
        unit: "count",
    },
    Definition { name: "completion_rate", group: "Tasks", meaning: "tasks_completed / tasks_started.", unit: "ratio" },
    Definition { name: "abandonment_rate", group: "Tasks", meaning: "tasks_abandoned / tasks_started.", unit: "ratio" },
    Definition {
        name: "time_efficiency",
        group: "Tasks",
        meaning: "Expected time over time spent on completed tasks that state one, at most 2.",
        unit: "ratio",
    },
    Definition { name: "attempts", group: "Attempts", meaning: "task.attempted events.", unit: "count" },
    Definition { name: "successes", group: "Attempts", meaning: "Attempts that succeeded.", unit: "count" },
    Definition {
        name: "failures",
        group: "Attempts",
        meaning: "Attempts that did not succeed, partial ones included.",
        unit: "count",
    },
    Definition { name: "success_rate", group: "Attempts", meaning: "successes / attempts.", unit: "ratio" },
    Definition {
        name: "first_try_success_rate",
        group: "Attempts",
        meaning: "Attempted tasks whose first attempt succeeded / attempted tasks.",
        unit: "ratio",
    },
    Definition {
        name: "retries",
        group: "Attempts",
        meaning: "Attempts that follow a failed one on the same task.",
        unit: "count",
    },
    Definition { name: "persistence_rate", group: "Attempts", meaning: "retries / failures.", unit: "ratio" },
    Definition {
        name: "failure_runs",
        group: "Attempts",
        meaning: "Runs of failures on a task, up to its next success.",
        unit: "count",
    },
    Definition {
        name: "recovery_rate",
        group: "Attempts",
        meaning: "Failure runs that ended in a success / failure_runs.",
        unit: "ratio",
    },
    Definition {
        name: "mean_recovery_ms",
        group: "Attempts",
        meaning: "Mean time from a run's first failure to the success that ended it, in ms.",
        unit: "ms",
    },
    Definition {
        name: "mean_attempt_latency_ms",
        group: "Attempts",
        meaning: "Mean time from the task's start or previous attempt to an attempt, in ms.",
        unit: "ms",
    },
    Definition {
        name: "sd_attempt_latency_ms",
        group: "Attempts",
        meaning: "Sample standard deviation of those times, in ms.",
        unit: "ms",
    },
    Definition {
        name: "rapid_attempt_rate",
        group: "Attempts",
        meaning: "Attempts quicker than 1 s / attempts with a latency (Wise & Kong 2005).",
        unit: "ratio",
    },
    Definition {
        name: "wheel_spinning_tasks",
        group: "Attempts",
        meaning: "Tasks with 10 attempts or more and never 3 successes in a row (Beck & Gong 2013).",
        unit: "count",
    },
    Definition {
        name: "strategy_change_rate",
        group: "Attempts",
        meaning: "Retries before which the strategy was changed / retries.",
        unit: "ratio",
    },
    Definition { name: "hints", group: "Hints", meaning: "hint.requested events.", unit: "count" },
    Definition { name: "hints_per_task", group: "Hints", meaning: "hints / tasks_started.", unit: "per task" },
    Definition {
        name: "bottom_out_hint_rate",
        group: "Hints",
        meaning: "Hints that gave the answer away / hints (Baker et al.).",
        unit: "ratio",
    },
    Definition {
        name: "hint_before_attempt_rate",
        group: "Hints",
        meaning: "Hints before the task's first attempt / hints (Baker et al.).",
        unit: "ratio",
    },
    Definition { name: "choices", group: "Choices", meaning: "choice.made events.", unit: "count" },
    Definition {
        name: "choice_alignment_rate",
        group: "Choices",
        meaning: "Aligned choices / choices that say whether they were.",
        unit: "ratio",
    },
    Definition { name: "mean_deliberation_ms", group: "Choices", meaning: "Mean time to decide, in ms.", unit: "ms" },
    Definition {
        name: "leadership_choices",
        group: "Choices",
        meaning: "Aligned choices of the skill `leadership`.",
        unit: "count",
    },
    Definition { name: "questions", group: "Choices", meaning: "question.answered events.", unit: "count" },
    Definition { name: "question_accuracy", group: "Choices", meaning: "Right answers / questions.", unit: "ratio" },
    Definition { name: "dialogues", group: "Choices", meaning: "dialogue.viewed events.", unit: "count" },
    Definition {
        name: "dialogue_skip_rate",
        group: "Choices",
        meaning: "Skipped dialogues / dialogues.",
        unit: "ratio",
    },
    Definition {
        name: "dialogue_rereads",
        group: "Choices",
        meaning: "Times a dialogue was read again.",
        unit: "count",
    },
    Definition { name: "messages_sent", group: "Company", meaning: "social.message_sent events.", unit: "count" },
    Definition {
        name: "help_given",
        group: "Company",
        meaning: "social.help events in which the player helped.",
        unit: "count",
    },
    Definition {
        name: "help_received",
        group: "Company",
        meaning: "social.help events in which the player was helped.",
        unit: "count",
    },
    Definition { name: "help_given_ratio", group: "Company", meaning: "help_given / all help.", unit: "ratio" },
    Definition { name: "turns", group: "Company", meaning: "social.turn events.", unit: "count" },
    Definition {
        name: "voluntary_turn_rate",
        group: "Company",
        meaning: "Turns given away unasked / turns.",
        unit: "ratio",
    },
    Definition { name: "event_count", group: "Record", meaning: "Distinct events of the session.", unit: "count" },
    Definition {
        name: "out_of_order",
        group: "Record",
        meaning: "Events whose clock stood before the latest time seen.",
        unit: "count",
    },
    Definition {
        name: "completeness",
        group: "Record",
        meaning: "Distinct seqs / (highest seq + 1); null without seq.",
        unit: "ratio",
    },
    Definition {
        name: "anomalous",
        group: "Record",
        meaning: "More than 20 player's actions within a second.",
        unit: "yes/no",
    },
];

/// How many metrics there are.
pub const COUNT: usize = 53;
