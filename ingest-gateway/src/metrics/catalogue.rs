//! Every metric of the gateway: its name, kind, unit, labels and what it says. docs/operations.md lists the same.

use daemon::catalogue::{BYTES, Metric, SECONDS};

daemon::catalogue! {
    "playledger_gateway_";
    REQUESTS Counter "requests_total" None, ["route", "status"],
        "Requests answered, by route and status; a route is a pattern, never a path, and 499 stands for a connection that was gone before the answer.";
    REQUEST_SECONDS Histogram "request_seconds" SECONDS, ["route"],
        "Time from a request's head to its answer, by route.";
    IN_FLIGHT Gauge "requests_in_flight" None, [],
        "Requests that have no answer yet.";
    BODY_BYTES Counter "body_bytes_total" BYTES, ["form"],
        "Bytes of request bodies, as they came (encoded) and decoded.";
    BYTES_IN_FLIGHT Gauge "body_bytes_in_flight" BYTES, [],
        "Bytes of request bodies, encoded and decoded, that are held in memory.";
    ANSWER_BYTES Counter "answer_bytes_total" BYTES, ["route"],
        "Bytes of answers' bodies, by route.";
    EVENTS Counter "events_total" None, ["outcome"],
        "Events received, by outcome: accepted, duplicate, conflict, rejected, shed, unknown.";
    REFUSED Counter "refused_total" None, ["limit", "tier"],
        "Requests refused before anything was produced, by limit and by the credential's tier (none: before it was known).";
    LIMITED_KEYS Gauge "limited_keys" None, [],
        "Addresses, players and keys whose allowance of some limit is not whole.";
    APPEND_SECONDS Histogram "append_seconds" SECONDS, [],
        "Time until the log acknowledged a request's records.";
    APPEND_ERRORS Counter "append_errors_total" None, ["kind"],
        "Requests whose records the log did not acknowledge, by kind: full, unavailable, unknown, refused.";
    QUEUE_RECORDS Gauge "queue_records" None, [],
        "Records that wait for their acknowledgement.";
    QUEUE_SECONDS Gauge "queue_oldest_seconds" SECONDS, [],
        "Age of the oldest record that waits for its acknowledgement.";
    DEDUP_IDS Gauge "dedup_ids" None, [],
        "Event ids that the window of duplicates holds.";
    DEDUP_COVERED Gauge "dedup_covered_seconds" SECONDS, [],
        "How far back the window of duplicates knows every event.";
    DEDUP_HITS Counter "dedup_hits_total" None, ["kind"],
        "Sound events whose id was known, by how: known (the log has the same body), in_flight (the same body is being appended), other_body (it conflicts).";
    TAIL_SECONDS Histogram "tail_delay_seconds" SECONDS, [],
        "Age of a batch's oldest record when the tail of the log brought it: so late is one gateway told of another's events.";
    TAIL_READS Gauge "tail_reads" None, [],
        "1 while the tail of the log reads, since somebody else appends to it, too; 0 while it only looks whether anybody does.";
    OUTCOMES_DOUBTFUL Counter "outcomes_doubtful_total" None, [],
        "Records of play.outcomes of which it is not known whether the log has them.";
    CONNECTIONS Gauge "connections" None, [],
        "Open connections of the public listener.";
    CONNECTIONS_OPENED Counter "connections_opened_total" None, [],
        "Connections taken by the public listener.";
    CONNECTIONS_REFUSED Counter "connections_refused_total" None, [],
        "Connections closed at once, since their address had as many as it may.";
    HANDSHAKES Counter "tls_handshakes_total" None, ["result", "version"],
        "TLS handshakes, by result (good, failed, timed_out, plain_http, closed) and protocol version (1.2, 1.3, none).";
    HANDSHAKE_SECONDS Histogram "tls_handshake_seconds" SECONDS, [],
        "Time from a connection's beginning to the end of its TLS handshake, for the good ones.";
    TLS_GOOD Gauge "tls_certificate_good" None, [],
        "1 while the files of certificate and key can be served; 0 while the last good ones stay in force.";
    TLS_ENDS Gauge "tls_certificate_expiry_timestamp_seconds" SECONDS, [],
        "When the certificate that is served ends, in seconds since 1970.";
    RELOADS Counter "reloads_total" None, ["source", "result"],
        "Files taken up, soon after the start and whenever they changed (good), or refused (failed, once for each reason), by source: credentials, jwks, schemas, tls.";
    ACCESS_LINES Counter "access_log_lines_total" None, ["result"],
        "Requests, by what became of their line in the access log: written, sampled_out, queue_full, write_failed.";
    CREDENTIALS_GOOD Gauge "credentials_good" None, [],
        "1 while the credentials file is sound; 0 while the last good one stays in force.";
    SCHEMAS_GOOD Gauge "schemas_good" None, [],
        "1 while the schemas folder is sound; 0 while the last good set stays in force.";
    JWKS_BROKEN Gauge "jwks_broken" None, [],
        "Issuers whose public keys can't be had or are broken: the last good ones stay in force.";
    JWKS_FETCHES Counter "jwks_fetches_total" None, ["result"],
        "Fetches of issuers' public keys, by result: good, failed.";
}

/// Gives every metric its help text and unit.
pub fn describe() {
    ALL.iter().for_each(Metric::describe);
}

#[cfg(test)]
mod tests {
    use daemon::catalogue::Kind;
    use metrics::Unit;

    use super::*;

    #[test]
    fn a_name_tells_its_kind_and_unit() {
        for metric in ALL {
            let Metric { name, kind, unit, .. } = metric;
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            let stem = name.trim_end_matches("_total");
            for (told, word) in [(Unit::Seconds, "_seconds"), (Unit::Bytes, "_bytes")] {
                assert_eq!(
                    *unit == Some(told),
                    stem.ends_with(word) || stem.ends_with(&format!("{word}_in_flight")),
                    "{name}"
                );
            }
            assert!(*kind != Kind::Histogram || unit.is_some(), "{name}");
            assert!(metric.help.ends_with('.') && metric.help.len() > 20, "{name}");
        }
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
