//! The projector's metrics: names, help and what is counted where.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::store::Written;

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_counter!("playledger_projector_records_total", "Records whose effect is in the tables, by topic");
    describe_counter!("playledger_projector_rows_total", "Rows written, by table");
    describe_counter!(
        "playledger_projector_refused_total",
        "Records that changed no row and went to the quarantine, by reason"
    );
    describe_counter!("playledger_projector_retries_total", "Attempts that failed and were repeated, by SQLSTATE");
    describe_counter!(
        "playledger_projector_fenced_total",
        "Stretches given up because another projector had claimed their partition"
    );
    describe_histogram!(
        "playledger_projector_batch_seconds",
        Unit::Seconds,
        "Time of a transaction from its first statement to its commit"
    );
    describe_gauge!(
        "playledger_projector_lag_seconds",
        Unit::Seconds,
        "Age of the oldest record that waits to be written, by topic; 0 when none does"
    );
    describe_gauge!(
        "playledger_projector_newest_event_age_seconds",
        Unit::Seconds,
        "Age of the newest record whose effect is in the tables"
    );
    describe_gauge!("playledger_projector_partitions", "Partitions that this projector owns, by topic");
}

/// A load has been written.
pub(crate) fn written(rows: &Written, records: usize, took: Duration) {
    let _ = records;
    histogram!("playledger_projector_batch_seconds").record(took.as_secs_f64());
    for (table, rows) in rows.iter().filter(|(_, rows)| *rows > 0) {
        counter!("playledger_projector_rows_total", "table" => *table).increment(*rows);
    }
}

/// Records of a topic are in the tables.
pub(crate) fn records(topic: &str, records: usize) {
    counter!("playledger_projector_records_total", "topic" => topic.to_owned()).increment(records as u64);
}

/// A record went to the quarantine.
pub(crate) fn refused(reason: &'static str) {
    counter!("playledger_projector_refused_total", "reason" => reason).increment(1);
}

/// An attempt failed and will be repeated.
pub(crate) fn retried(sqlstate: String) {
    counter!("playledger_projector_retries_total", "sqlstate" => sqlstate).increment(1);
}

/// A stretch was another projector's.
pub(crate) fn fenced() {
    counter!("playledger_projector_fenced_total").increment(1);
}

/// How far a topic is behind.
pub(crate) fn lag(topic: &str, partitions: u32, seconds: f64) {
    gauge!("playledger_projector_partitions", "topic" => topic.to_owned()).set(f64::from(partitions));
    gauge!("playledger_projector_lag_seconds", "topic" => topic.to_owned()).set(seconds);
}

/// How old the newest of all is.
pub(crate) fn newest_age(seconds: f64) {
    gauge!("playledger_projector_newest_event_age_seconds").set(seconds);
}
