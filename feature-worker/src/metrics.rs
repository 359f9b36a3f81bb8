//! Records the worker's metrics, which [`catalogue`] declares. Labels are bounded: no tenant, no game, no player.

mod catalogue;
mod tally;

use std::time::Duration;

use bytes::Bytes;
use eventlog::Record;
use metrics::{counter, gauge, histogram};

pub use catalogue::{ALL, describe};
pub use daemon::catalogue::{Kind, Metric};
pub use tally::Tally;

use crate::machine::Measured;
use catalogue::{
    ABORTS, APPLIED, BATCH, BEHIND, BUFFERED, BUFFERED_BYTES, COMMIT_SECONDS, COMMITS, EVENT_AGE, FOLD_SECONDS,
    HANDOVER_SECONDS, HOLES, INPUT_BYTES, LAG_RECORDS, LAG_SECONDS, MARKERS, PARTITIONS, READ_BACKS, RECORDS, REJOINS,
    REPEATS, REPLAY_SECONDS, REPLAYED, REPORTS, RESTORE_SECONDS, RESTORED_BYTES, RESTORED_SESSIONS, SESSIONS,
    SET_ASIDE, SNAPSHOTS, STATE_BYTES, STOPPED,
};

/// How the worker stands with all its partitions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Partitions owned.
    pub partitions: usize,
    /// Sessions that live.
    pub sessions: usize,
    /// Markers of evicted ones.
    pub markers: usize,
    /// Records that have not been applied, as far as it is known.
    pub lag_records: i64,
    /// Of the partition that lags most, in ms.
    pub lag_ms: i64,
    /// Records that would be read again after a crash.
    pub behind: i64,
}

/// Records were read.
pub fn read(records: &[Record]) {
    counter!(RECORDS).increment(records.len() as u64);
    let bytes = |record: &Record| record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
    counter!(INPUT_BYTES).increment(records.iter().map(bytes).sum::<usize>() as u64);
}

/// Events were read again to restore a partition.
pub fn replayed(records: usize, took: Duration) {
    counter!(REPLAYED).increment(records as u64);
    histogram!(REPLAY_SECONDS).record(took.as_secs_f64());
}

/// So many partitions have stopped.
pub fn stopped(partitions: usize) {
    gauge!(STOPPED).set(whole(partitions));
}

/// A commit ended.
pub fn commit(outcome: &'static str, took: Duration) {
    counter!(COMMITS, "outcome" => outcome).increment(1);
    histogram!(COMMIT_SECONDS).record(took.as_secs_f64());
}

/// A commit is done, by the wall's clock, in ms since the epoch.
pub fn committed(outputs: &Tally, measured: Measured, now_ms: i64) {
    for (status, count) in [("provisional", outputs.provisional), ("final", outputs.r#final)] {
        counter!(REPORTS, "status" => status).increment(count);
    }
    counter!(APPLIED).increment(outputs.applied);
    counter!(REPEATS).increment(outputs.repeats);
    counter!(HOLES).increment(outputs.holes);
    counter!(SNAPSHOTS).increment(outputs.snapshots);
    counter!(STATE_BYTES).increment(outputs.state_bytes);
    for (reason, count) in &outputs.set_aside {
        counter!(SET_ASIDE, "reason" => *reason).increment(*count);
    }
    histogram!(BATCH).record(whole(measured.records));
    if let Some(oldest) = measured.oldest_ms {
        histogram!(EVENT_AGE).record(seconds(now_ms.saturating_sub(oldest).max(0)));
    }
}

/// The worker has computed for so long for a commit.
pub fn folded(took: Duration) {
    histogram!(FOLD_SECONDS).record(took.as_secs_f64());
}

/// How the partitions stand.
pub fn standing(standing: &Standing) {
    gauge!(PARTITIONS).set(whole(standing.partitions));
    gauge!(SESSIONS).set(whole(standing.sessions));
    gauge!(MARKERS).set(whole(standing.markers));
    gauge!(LAG_SECONDS).set(seconds(standing.lag_ms));
    gauge!(LAG_RECORDS).set(whole(usize::try_from(standing.lag_records).unwrap_or(0)));
    gauge!(BEHIND).set(whole(usize::try_from(standing.behind).unwrap_or(0)));
}

/// What waits behind gaps.
pub fn buffered(events: usize, bytes: usize) {
    gauge!(BUFFERED).set(whole(events));
    gauge!(BUFFERED_BYTES).set(whole(bytes));
}

/// A partition's state was read.
pub fn restored(took: Duration, bytes: usize) {
    histogram!(RESTORE_SECONDS).record(took.as_secs_f64());
    counter!(RESTORED_BYTES).increment(bytes as u64);
}

/// So many sessions lived in a restored partition.
pub fn restored_sessions(sessions: usize) {
    counter!(RESTORED_SESSIONS).increment(sessions as u64);
}

/// A partition that stood still for so many ms is read on.
pub fn handed_over(pause_ms: i64) {
    histogram!(HANDOVER_SECONDS).record(seconds(pause_ms));
}

/// A commit came to nothing.
pub fn not_committed(cause: &'static str) {
    counter!(ABORTS, "cause" => cause).increment(1);
}

/// Everything was dropped.
pub fn rejoin() {
    counter!(REJOINS).increment(1);
}

/// A stretch of the log was read again.
pub fn read_back() {
    counter!(READ_BACKS).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "2^53 is more than there is of anything here")]
fn whole(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ms are many years")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
