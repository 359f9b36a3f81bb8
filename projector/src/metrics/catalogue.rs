//! Every metric of the projector: its name, kind, unit, labels and what it says. docs/operations.md lists the same.

use daemon::catalogue::{Known, SECONDS, start};

daemon::catalogue! {
    "playledger_projector_";
    LAG_RECORDS Gauge "lag_records" None, ["topic"],
        "Records of the projector's partitions that are not in the tables, transaction markers included, by topic; asked for every 10 s.";
    LAG_SECONDS Gauge "lag_seconds" SECONDS, ["topic"],
        "Age of the oldest record that has been read and waits to be written, by topic; 0 when none does.";
    NEWEST Gauge "newest_event_age_seconds" SECONDS, [],
        "Age of the newest record that this projector has written to the tables.";
    PARTITIONS Gauge "partitions" None, ["topic"],
        "Partitions owned and claimed, by topic.";
    RECORDS Counter "records_total" None, ["topic"],
        "Records whose effect is in the tables, by topic.";
    ROWS Counter "rows_total" None, ["table"],
        "Rows written, by table.";
    BATCH_RECORDS Histogram "batch_records" None, [],
        "Records written in a transaction.";
    BATCH_SECONDS Histogram "batch_seconds" SECONDS, [],
        "Time of a transaction that went through, from its beginning to its commit.";
    RETRIES Counter "retries_total" None, ["sqlstate"],
        "Attempts that failed and were repeated, by SQLSTATE; connection where no server answered, log where the log did not.";
    FENCED Counter "fenced_total" None, [],
        "Stretches and partitions given up because another projector had claimed them.";
    TAKEN_BACK Counter "taken_back_total" None, [],
        "Partitions read again from an earlier offset because the server had lost rows in a crash.";
    REJOINS Counter "rejoins_total" None, [],
        "Times that everything was dropped to open the tables and to join the group anew.";
    REFUSED Counter "refused_total" None, ["reason"],
        "Records that changed no row and went to the quarantine, by reason: poison, second_life.";
    SKIPPED Counter "skipped_total" None, ["model"],
        "Records that changed no row because their tenant keeps what is so old no longer, by model: sessions, event_log, quarantine, activity, live.";
    REMOVED Counter "removed_total" None, ["table"],
        "Rows removed because they are kept no longer, by table; without those that went with a day's table of event_log.";
    SWEEP_AGE Gauge "sweep_age_seconds" SECONDS, [],
        "Time since this projector last completed a sweep for what is kept no longer; since its start where it has completed none.";
    DAYS_MADE Counter "event_log_days_made_total" None, [],
        "Tables of days of event_log that were made ahead.";
    DAYS_DROPPED Counter "event_log_days_dropped_total" None, [],
        "Tables of days of event_log that were dropped.";
}

/// Values of labels whose counters stand from the start, so that the first of a kind shows as an increase.
const KNOWN: [Known; 4] = [
    (REFUSED, "reason", &["poison", "second_life"]),
    (RETRIES, "sqlstate", &["connection", "log", "53100"]),
    (SKIPPED, "model", &["sessions", "event_log", "quarantine", "activity", "live"]),
    (REMOVED, "table", &["sessions", "event_log", "quarantine", "activity_by_minute", "live_sessions"]),
];

/// Gives every metric its help text and unit, and every counter and gauge without labels a start.
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
            assert_eq!(*unit == Some(Unit::Seconds), name.ends_with("_seconds"), "{name}");
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
