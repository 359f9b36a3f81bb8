//! Each metric of a session as a column of session_metrics, in the order of its definitions.

use schemas::metrics::{COUNT, Metrics};

/// How a metric is read, by the type of its column.
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    /// Milliseconds.
    Ms(fn(&Metrics) -> i64),
    /// A count.
    Count(fn(&Metrics) -> u64),
    /// A ratio or mean; null over nothing.
    Ratio(fn(&Metrics) -> Option<f64>),
    /// Yes or no.
    Truth(fn(&Metrics) -> bool),
}

macro_rules! ms {
    ($name:ident) => {
        (stringify!($name), Figure::Ms(|metrics| metrics.$name))
    };
}

macro_rules! count {
    ($name:ident) => {
        (stringify!($name), Figure::Count(|metrics| metrics.$name))
    };
}

macro_rules! ratio {
    ($name:ident) => {
        (stringify!($name), Figure::Ratio(|metrics| metrics.$name))
    };
}

macro_rules! truth {
    ($name:ident) => {
        (stringify!($name), Figure::Truth(|metrics| metrics.$name))
    };
}

/// All metrics: name and reading.
pub const FIGURES: [(&str, Figure); COUNT] = [
    ms!(duration_ms),
    ms!(active_ms),
    ms!(idle_ms),
    ms!(paused_ms),
    ratio!(engagement_ratio),
    ms!(longest_focus_ms),
    ms!(longest_idle_ms),
    count!(distractions),
    ratio!(distractions_per_active_minute),
    count!(tasks_started),
    count!(tasks_completed),
    count!(tasks_abandoned),
    ratio!(completion_rate),
    ratio!(abandonment_rate),
    ratio!(time_efficiency),
    count!(attempts),
    count!(successes),
    count!(failures),
    ratio!(success_rate),
    ratio!(first_try_success_rate),
    count!(retries),
    ratio!(persistence_rate),
    count!(failure_runs),
    ratio!(recovery_rate),
    ratio!(mean_recovery_ms),
    ratio!(mean_attempt_latency_ms),
    ratio!(sd_attempt_latency_ms),
    ratio!(rapid_attempt_rate),
    count!(wheel_spinning_tasks),
    ratio!(strategy_change_rate),
    count!(hints),
    ratio!(hints_per_task),
    ratio!(bottom_out_hint_rate),
    ratio!(hint_before_attempt_rate),
    count!(choices),
    ratio!(choice_alignment_rate),
    ratio!(mean_deliberation_ms),
    count!(leadership_choices),
    count!(questions),
    ratio!(question_accuracy),
    count!(dialogues),
    ratio!(dialogue_skip_rate),
    count!(dialogue_rereads),
    count!(messages_sent),
    count!(help_given),
    count!(help_received),
    ratio!(help_given_ratio),
    count!(turns),
    ratio!(voluntary_turn_rate),
    count!(event_count),
    count!(out_of_order),
    ratio!(completeness),
    truth!(anomalous),
];

#[cfg(test)]
mod tests {
    use schemas::metrics::DEFINITIONS;

    use super::*;

    #[test]
    fn figures_stand_in_the_order_of_the_definitions() {
        let names: Vec<_> = FIGURES.iter().map(|(name, _)| *name).collect();
        let defined: Vec<_> = DEFINITIONS.iter().map(|definition| definition.name).collect();
        assert_eq!(names, defined);
    }
}
