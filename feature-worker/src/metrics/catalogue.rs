//! Every metric of the worker: its name, kind, unit, labels and what it says. docs/operations.md lists the same.

use daemon::catalogue::{BYTES, Known, SECONDS, start};

daemon::catalogue! {
    "playledger_worker_";
    LAG_RECORDS Gauge "lag_records" None, [],
        "Records of the worker's partitions of play.events that it has not applied, transaction markers included; asked for every 5 s.";
    LAG_SECONDS Gauge "lag_seconds" SECONDS, [],
        "Age of the newest record applied of the partition that lags most; 0 when all is read.";
    EVENT_AGE Histogram "event_age_seconds" SECONDS, [],
        "Age of a commit's oldest record when the commit was done, from the gateway's received_at on.";
    RECORDS Counter "records_total" None, [],
        "Records of play.events read, those read again after an abort included.";
    INPUT_BYTES Counter "input_bytes_total" BYTES, [],
        "Bytes of the records of play.events read, keys included.";
    STATE_BYTES Counter "state_bytes_total" BYTES, [],
        "Bytes committed to play.session-state, keys included; over the bytes read it is what the changelog costs.";
    APPLIED Counter "applied_total" None, [],
        "Events that took a place in their session, committed.";
    REPEATS Counter "repeats_total" None, [],
        "Records that told again what was known, committed.";
    HOLES Counter "holes_total" None, [],
        "Places of refused events, committed.";
    SET_ASIDE Counter "set_aside_total" None, ["reason"],
        "Records set aside in the quarantine, committed, by reason: poison, late, seq_conflict and others.";
    STOPPED Gauge "stopped_partitions" None, [],
        "Partitions that have stopped at too much poison and wait to be told to go on.";
    REPORTS Counter "reports_total" None, ["status"],
        "Session reports committed, by status: provisional, final.";
    SNAPSHOTS Counter "snapshots_total" None, [],
        "Snapshots of running sessions committed to play.live.";
    PARTITIONS Gauge "partitions" None, [],
        "Partitions owned.";
    SESSIONS Gauge "sessions" None, [],
        "Sessions in memory that live or wait for late events.";
    MARKERS Gauge "markers" None, [],
        "Markers of evicted sessions in memory.";
    BUFFERED Gauge "buffered_events" None, [],
        "Events and holes that wait behind a gap; counted every 10 s.";
    BUFFERED_BYTES Gauge "buffered_bytes" BYTES, [],
        "Bytes of the events that wait behind a gap; counted every 10 s.";
    BATCH Histogram "batch_records" None, [],
        "Records of play.events in a commit.";
    FOLD_SECONDS Histogram "fold_seconds" SECONDS, [],
        "Time that the worker computed for a commit: records applied, sessions reported, state written as JSON.";
    COMMIT_SECONDS Histogram "commit_seconds" SECONDS, [],
        "Time that the log took for a commit, however it ended.";
    COMMITS Counter "commits_total" None, ["outcome"],
        "Commits, by outcome: ok, aborted, failed.";
    ABORTS Counter "aborts_total" None, ["cause"],
        "Commits that came to nothing, by cause: rebalance, not_owned, delivery, abandoned, other were aborted and read again; with refused, fatal, fenced, hung the membership or the process ended.";
    REJOINS Counter "rejoins_total" None, [],
        "Times that everything was dropped to join the group anew.";
    HANDOVER_SECONDS Histogram "handover_seconds" SECONDS, [],
        "Time that a partition stood still when it came: from the last commit of whoever had it before, or from the first event after it, until it was read on.";
    RESTORE_SECONDS Histogram "restore_seconds" SECONDS, [],
        "Time to read a partition's state.";
    RESTORED_BYTES Counter "restored_bytes_total" BYTES, [],
        "Bytes of state read to restore partitions.";
    RESTORED_SESSIONS Counter "restored_sessions_total" None, [],
        "Sessions that lived in the state of restored partitions.";
    REPLAY_SECONDS Histogram "replay_seconds" SECONDS, [],
        "Time to read again the events that a partition's state lacks.";
    REPLAYED Counter "replayed_total" None, [],
        "Records of play.events read again to restore sessions, without output.";
    BEHIND Gauge "replay_window_records" None, [],
        "Records of play.events that would be read again after a crash.";
    READ_BACKS Counter "read_backs_total" None, [],
        "Times that a stretch of the log was read again for sessions that were brought back or whose holes were filled.";
}

/// Values of labels whose counters stand from the start, so that the first of a kind shows as an increase.
const KNOWN: [Known; 4] = [
    (SET_ASIDE, "reason", &["poison", "late"]),
    (REPORTS, "status", &["provisional", "final"]),
    (COMMITS, "outcome", &["ok", "aborted", "failed"]),
    (
        ABORTS,
        "cause",
        &["rebalance", "not_owned", "delivery", "abandoned", "other", "refused", "fatal", "fenced", "hung"],
    ),
];

/// Gives every metric its help text and unit, and every counter and gauge a start.
pub fn describe() {
    start(ALL, &KNOWN);
}

#[cfg(test)]
mod tests {
    use daemon::catalogue::{Kind, Metric};
    use metrics::Unit;

    use super::*;

    #[test]
    fn a_name_tells_its_kind_and_unit() {
        for metric in ALL {
            let Metric { name, kind, unit, .. } = metric;
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            let stem = name.trim_end_matches("_total");
            for (told, word) in [(Unit::Seconds, "_seconds"), (Unit::Bytes, "_bytes")] {
                assert_eq!(*unit == Some(told), stem.ends_with(word), "{name}");
            }
            assert!(metric.help.ends_with('.') && metric.help.len() > 15, "{name}");
        }
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn every_label_that_is_known_beforehand_is_declared() {
        for (name, label, _) in KNOWN {
            assert_eq!(ALL.iter().find(|metric| metric.name == name).unwrap().labels, [label]);
        }
    }
}
