//! Records the projector's metrics, which [`catalogue`] declares. Labels are bounded: no tenant, no game, no player.

mod catalogue;

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use schemas::games::Model;

pub use catalogue::{ALL, describe};
pub use daemon::catalogue::{Kind, Metric};

use crate::project::Skipped;
use crate::store::Written;
use catalogue::{
    BATCH_RECORDS, BATCH_SECONDS, DAYS_DROPPED, DAYS_MADE, FENCED, LAG_RECORDS, LAG_SECONDS, NEWEST, PARTITIONS,
    RECORDS, REFUSED, REJOINS, REMOVED, RETRIES, ROWS, SKIPPED, SWEEP_AGE, TAKEN_BACK,
};

/// How a topic's partitions stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    /// Partitions owned and claimed.
    pub(crate) partitions: u32,
    /// Records that are not in the tables, as far as it is known.
    pub(crate) records: i64,
    /// Age of the oldest that waits.
    pub(crate) seconds: f64,
}

/// A load has been written.
pub(crate) fn written(rows: &Written, records: usize, took: Duration) {
    histogram!(BATCH_SECONDS).record(took.as_secs_f64());
    histogram!(BATCH_RECORDS).record(u32::try_from(records).unwrap_or(u32::MAX));
    for (table, rows) in rows.iter().filter(|(_, rows)| *rows > 0) {
        counter!(ROWS, "table" => *table).increment(*rows);
    }
}

/// Records of a topic are in the tables.
pub(crate) fn records(topic: &str, records: usize) {
    counter!(RECORDS, "topic" => topic.to_owned()).increment(records as u64);
}

/// A record went to the quarantine.
pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// An attempt failed and will be repeated.
pub(crate) fn retried(sqlstate: String) {
    counter!(RETRIES, "sqlstate" => sqlstate).increment(1);
}

/// A stretch or a partition was another projector's.
pub(crate) fn fenced() {
    counter!(FENCED).increment(1);
}

/// A partition goes back to what the server kept.
pub(crate) fn taken_back() {
    counter!(TAKEN_BACK).increment(1);
}

/// Everything is dropped, to begin anew.
pub(crate) fn rejoined() {
    counter!(REJOINS).increment(1);
}

/// How far a topic is behind.
pub(crate) fn lag(topic: &str, lag: Lag) {
    gauge!(PARTITIONS, "topic" => topic.to_owned()).set(f64::from(lag.partitions));
    gauge!(LAG_RECORDS, "topic" => topic.to_owned()).set(u32::try_from(lag.records.max(0)).unwrap_or(u32::MAX));
    gauge!(LAG_SECONDS, "topic" => topic.to_owned()).set(lag.seconds);
}

/// Rows went because they are kept no longer.
pub(crate) fn removed(table: &'static str, rows: u64) {
    if rows > 0 {
        counter!(REMOVED, "table" => table).increment(rows);
    }
}

/// Records changed no row because what is so old is kept no longer.
pub(crate) fn skipped(skipped: &Skipped) {
    for (model, records) in Model::ALL.into_iter().zip(skipped).filter(|(_, records)| **records > 0) {
        counter!(SKIPPED, "model" => model.name()).increment(*records);
    }
}

/// Tables of days were made ahead.
pub(crate) fn days_made(tables: u64) {
    counter!(DAYS_MADE).increment(tables);
}

/// Tables of days were dropped.
pub(crate) fn days_dropped(tables: u64) {
    counter!(DAYS_DROPPED).increment(tables);
}

/// How long ago the last sweep was complete.
pub(crate) fn sweep_age(age: Duration) {
    gauge!(SWEEP_AGE).set(age.as_secs_f64());
}

/// How old the newest of all is.
pub(crate) fn newest_age(seconds: f64) {
    gauge!(NEWEST).set(seconds);
}
