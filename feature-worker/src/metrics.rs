//! The worker's metrics, declared in one place. Labels are bounded: no tenant, no game, no player.

use std::time::Duration;

use bytes::Bytes;
use eventlog::Record;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::machine::Output;

const RECORDS: &str = "playledger_worker_records_total";
const COMMITS: &str = "playledger_worker_commits_total";
const COMMIT_SECONDS: &str = "playledger_worker_commit_seconds";
const REPORTS: &str = "playledger_worker_reports_total";
const APPLIED: &str = "playledger_worker_applied_total";
const REPEATS: &str = "playledger_worker_repeats_total";
const HOLES: &str = "playledger_worker_holes_total";
const SET_ASIDE: &str = "playledger_worker_set_aside_total";
const LAG_SECONDS: &str = "playledger_worker_lag_seconds";
const PARTITIONS: &str = "playledger_worker_partitions";
const SESSIONS: &str = "playledger_worker_sessions";
const MARKERS: &str = "playledger_worker_markers";
const RESTORE_SECONDS: &str = "playledger_worker_restore_seconds";
const RESTORED_BYTES: &str = "playledger_worker_restored_bytes_total";
const HANDOVER_SECONDS: &str = "playledger_worker_handover_seconds";
const ABORTS: &str = "playledger_worker_aborts_total";
const REJOINS: &str = "playledger_worker_rejoins_total";
const READ_BACKS: &str = "playledger_worker_read_backs_total";
const REPLAYED: &str = "playledger_worker_replayed_total";
const REPLAY_SECONDS: &str = "playledger_worker_replay_seconds";
const BEHIND: &str = "playledger_worker_replay_window_records";
const STOPPED: &str = "playledger_worker_stopped_partitions";
const INPUT_BYTES: &str = "playledger_worker_input_bytes_total";
const STATE_BYTES: &str = "playledger_worker_state_bytes_total";

/// Gives every metric its help text and unit.
pub fn describe() {
    describe_counter!(RECORDS, "Records of play.events read, those read again after an abort included.");
    describe_counter!(COMMITS, "Commits, by outcome: ok, aborted, failed.");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "Time that a commit took.");
    describe_counter!(REPORTS, "Session reports committed, by status.");
    describe_counter!(APPLIED, "Events that took a place in their session.");
    describe_counter!(REPEATS, "Records that told again what was known.");
    describe_counter!(HOLES, "Places of refused events.");
    describe_counter!(SET_ASIDE, "Events set aside in the quarantine, by reason.");
    describe_gauge!(
        LAG_SECONDS,
        Unit::Seconds,
        "Age of the newest record read of the partition that lags most; 0 when all is read."
    );
    describe_gauge!(PARTITIONS, "Partitions owned.");
    describe_gauge!(SESSIONS, "Sessions in memory.");
    describe_gauge!(MARKERS, "Markers of evicted sessions in memory.");
    describe_histogram!(RESTORE_SECONDS, Unit::Seconds, "Time to restore a partition's state.");
    describe_counter!(RESTORED_BYTES, Unit::Bytes, "State read to restore partitions.");
    describe_histogram!(
        HANDOVER_SECONDS,
        Unit::Seconds,
        "Time that a partition stood still when it came: from the last commit of whoever had it before, or from the \
         first event after it, until it was read on."
    );
    describe_counter!(ABORTS, "Commits that came to nothing, by cause.");
    describe_counter!(REJOINS, "Times that everything was dropped to join the group anew.");
    describe_counter!(READ_BACKS, "Times that a stretch of the log was read again for a session.");
    describe_counter!(REPLAYED, "Records of play.events read again to restore sessions, without output.");
    describe_histogram!(REPLAY_SECONDS, Unit::Seconds, "Time to read them, for a partition.");
    describe_gauge!(BEHIND, "Records of play.events that would be read again after a crash.");
    describe_gauge!(STOPPED, "Partitions that have stopped at too much poison and wait to be told to go on.");
    describe_counter!(INPUT_BYTES, Unit::Bytes, "Bytes of the records of play.events read, keys included.");
    describe_counter!(STATE_BYTES, Unit::Bytes, "Bytes committed to play.session-state, keys included.");
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

/// So many records would be read again after a crash.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
pub fn behind(records: i64) {
    gauge!(BEHIND).set(records as f64);
}

/// So many partitions have stopped.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
pub fn stopped(partitions: usize) {
    gauge!(STOPPED).set(partitions as f64);
}

/// A commit ended.
pub fn commit(outcome: &'static str, took: Duration) {
    counter!(COMMITS, "outcome" => outcome).increment(1);
    histogram!(COMMIT_SECONDS).record(took.as_secs_f64());
}

/// Outputs were committed.
pub fn committed(outputs: &Tally) {
    for (status, count) in [("provisional", outputs.provisional), ("final", outputs.r#final)] {
        counter!(REPORTS, "status" => status).increment(count);
    }
    counter!(APPLIED).increment(outputs.applied);
    counter!(REPEATS).increment(outputs.repeats);
    counter!(HOLES).increment(outputs.holes);
    counter!(STATE_BYTES).increment(outputs.state_bytes);
    for (reason, count) in &outputs.set_aside {
        counter!(SET_ASIDE, "reason" => *reason).increment(*count);
    }
}

/// What a commit's outputs come to.
#[derive(Debug, Default)]
pub struct Tally {
    provisional: u64,
    r#final: u64,
    applied: u64,
    repeats: u64,
    holes: u64,
    state_bytes: u64,
    set_aside: std::collections::BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Adds up outputs.
    pub fn of(outputs: &[Output]) -> Self {
        let mut tally = Self::default();
        for output in outputs {
            match output {
                Output::Report(report) if report.status == schemas::report::Status::Final => tally.r#final += 1,
                Output::Report(_) => tally.provisional += 1,
                Output::Activity(counts) => {
                    tally.applied += counts.applied.values().sum::<u64>();
                    tally.repeats += counts.repeats;
                    tally.holes += counts.holes;
                }
                Output::Quarantine(aside) => *tally.set_aside.entry(aside.reason.as_str()).or_default() += 1,
                Output::State { key, value, .. } => {
                    tally.state_bytes += (key.len() + value.as_ref().map_or(0, Bytes::len)) as u64;
                }
                Output::Live(_) | Output::Gone(_) => {}
            }
        }
        tally
    }
}

/// How the partitions stand.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
pub fn standing(partitions: usize, sessions: usize, markers: usize, lag_ms: i64) {
    gauge!(PARTITIONS).set(partitions as f64);
    gauge!(SESSIONS).set(sessions as f64);
    gauge!(MARKERS).set(markers as f64);
    gauge!(LAG_SECONDS).set(lag_ms as f64 / 1_000.0);
}

/// A partition's state was restored.
pub fn restored(took: Duration, bytes: usize) {
    histogram!(RESTORE_SECONDS).record(took.as_secs_f64());
    counter!(RESTORED_BYTES).increment(bytes as u64);
}

/// A partition that stood still for so many ms is read on.
#[expect(clippy::cast_precision_loss, reason = "2^53 ms are many years")]
pub fn handed_over(pause_ms: i64) {
    histogram!(HANDOVER_SECONDS).record(pause_ms as f64 / 1_000.0);
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
