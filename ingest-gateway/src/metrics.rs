//! The gateway's metrics, declared in one place. Labels are bounded: no tenant, no player, no path.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const REQUESTS: &str = "playledger_gateway_requests_total";
const REQUEST_SECONDS: &str = "playledger_gateway_request_seconds";
const IN_FLIGHT: &str = "playledger_gateway_requests_in_flight";
const CONNECTIONS: &str = "playledger_gateway_connections";
const BODY_BYTES: &str = "playledger_gateway_body_bytes_total";
const EVENTS: &str = "playledger_gateway_events_total";
const APPEND_SECONDS: &str = "playledger_gateway_append_seconds";
const APPEND_ERRORS: &str = "playledger_gateway_append_errors_total";
const QUEUE_RECORDS: &str = "playledger_gateway_queue_records";
const QUEUE_SECONDS: &str = "playledger_gateway_queue_oldest_seconds";
const DEDUP_IDS: &str = "playledger_gateway_dedup_ids";
const DEDUP_COVERED: &str = "playledger_gateway_dedup_covered_seconds";
const CREDENTIALS_GOOD: &str = "playledger_gateway_credentials_good";
const SCHEMAS_GOOD: &str = "playledger_gateway_schemas_good";
const REFUSED: &str = "playledger_gateway_refused_total";
const CONNECTIONS_REFUSED: &str = "playledger_gateway_connections_refused_total";
const BYTES_IN_FLIGHT: &str = "playledger_gateway_body_bytes_in_flight";
const LIMITED_KEYS: &str = "playledger_gateway_limited_keys";
const OUTCOMES_DOUBTFUL: &str = "playledger_gateway_outcomes_doubtful_total";
const JWKS_BROKEN: &str = "playledger_gateway_jwks_broken";
const JWKS_FETCHES: &str = "playledger_gateway_jwks_fetches_total";

/// Gives every metric its help text and unit.
pub fn describe() {
    describe_counter!(REQUESTS, "Requests answered, by route and status.");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Time from a request's head to its answer, by route.");
    describe_gauge!(IN_FLIGHT, "Requests that have no answer yet.");
    describe_gauge!(CONNECTIONS, "Open connections of the public listener.");
    describe_counter!(BODY_BYTES, Unit::Bytes, "Bytes of request bodies, as they came and decoded.");
    describe_counter!(EVENTS, "Events received, by outcome: accepted, duplicate, conflict, rejected, shed, unknown.");
    describe_histogram!(APPEND_SECONDS, Unit::Seconds, "Time until the log acknowledged a request's records.");
    describe_counter!(APPEND_ERRORS, "Requests whose records the log did not acknowledge, by kind.");
    describe_gauge!(QUEUE_RECORDS, "Records that wait for their acknowledgement.");
    describe_gauge!(QUEUE_SECONDS, Unit::Seconds, "Age of the oldest record that waits for its acknowledgement.");
    describe_gauge!(DEDUP_IDS, "Event ids that the window of duplicates holds.");
    describe_gauge!(DEDUP_COVERED, Unit::Seconds, "How far back the window of duplicates knows every event.");
    describe_gauge!(
        CREDENTIALS_GOOD,
        "1 while the credentials file is sound; 0 while the last good one stays in force."
    );
    describe_gauge!(
        JWKS_BROKEN,
        "Issuers whose public keys can't be had or are broken: the last good ones stay in force."
    );
    describe_counter!(JWKS_FETCHES, "Fetches of issuers' public keys, by result: good, failed.");
    describe_gauge!(SCHEMAS_GOOD, "1 while the schemas folder is sound; 0 while the last good set stays in force.");
    describe_counter!(
        REFUSED,
        "Requests refused before anything was produced, by limit and by the credential's tier (none: before it was known)."
    );
    describe_counter!(CONNECTIONS_REFUSED, "Connections closed at once, since their address had as many as it may.");
    describe_gauge!(
        BYTES_IN_FLIGHT,
        Unit::Bytes,
        "Bytes of request bodies, encoded and decoded, that are held in memory."
    );
    describe_gauge!(LIMITED_KEYS, "Addresses, players and keys whose allowance of some limit is not whole.");
    describe_counter!(OUTCOMES_DOUBTFUL, "Records of play.outcomes of which it is not known whether the log has them.");
}

/// A request was answered.
pub fn answered(route: &'static str, status: u16, took: Duration) {
    counter!(REQUESTS, "route" => route, "status" => status.to_string()).increment(1);
    histogram!(REQUEST_SECONDS, "route" => route).record(took.as_secs_f64());
}

/// Counts a thing as open until it is dropped.
#[derive(Debug)]
pub struct Open(&'static str);

impl Open {
    /// A request without an answer.
    pub fn request() -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        Self(IN_FLIGHT)
    }

    /// A connection.
    pub fn connection() -> Self {
        gauge!(CONNECTIONS).increment(1.0);
        Self(CONNECTIONS)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}

/// A body was read.
pub fn body(encoded: usize, decoded: usize) {
    counter!(BODY_BYTES, "form" => "encoded").increment(encoded as u64);
    counter!(BODY_BYTES, "form" => "decoded").increment(decoded as u64);
}

/// So many events had that outcome.
pub fn events(outcome: &'static str, count: u64) {
    counter!(EVENTS, "outcome" => outcome).increment(count);
}

/// The log acknowledged a request's records.
pub fn appended(took: Duration) {
    histogram!(APPEND_SECONDS).record(took.as_secs_f64());
}

/// The log did not acknowledge a request's records.
pub fn append_failed(kind: &'static str) {
    counter!(APPEND_ERRORS, "kind" => kind).increment(1);
}

/// What waits for the log.
pub fn queue(records: usize, oldest: Duration) {
    gauge!(QUEUE_RECORDS).set(whole(records));
    gauge!(QUEUE_SECONDS).set(oldest.as_secs_f64());
}

/// What the window of duplicates holds.
pub fn dedup(ids: usize, covered_ms: i64) {
    gauge!(DEDUP_IDS).set(whole(ids));
    gauge!(DEDUP_COVERED).set(Duration::from_millis(covered_ms.unsigned_abs()).as_secs_f64());
}

/// Whether the credentials file is sound.
pub fn credentials_good(good: bool) {
    gauge!(CREDENTIALS_GOOD).set(f64::from(u8::from(good)));
}

/// So many issuers' public keys can't be had or are broken.
pub fn jwks_broken(issuers: usize) {
    gauge!(JWKS_BROKEN).set(whole(issuers));
}

/// An issuer's public keys were fetched, or could not be.
pub fn jwks_fetched(good: bool) {
    counter!(JWKS_FETCHES, "result" => if good { "good" } else { "failed" }).increment(1);
}

/// Whether the folder of schemas is sound.
pub fn schemas_good(good: bool) {
    gauge!(SCHEMAS_GOOD).set(f64::from(u8::from(good)));
}

/// It is not known yet whether the log has these counts.
pub fn outcomes_doubtful(records: usize) {
    counter!(OUTCOMES_DOUBTFUL).increment(records as u64);
}

/// A request was over a limit.
pub fn refused(limit: &'static str, tier: &str) {
    counter!(REFUSED, "limit" => limit, "tier" => tier.to_owned()).increment(1);
}

/// A connection was closed, since its address had as many as it may.
pub fn connection_refused() {
    counter!(CONNECTIONS_REFUSED).increment(1);
}

/// What limits hold: bytes of bodies, and keys of all limits together.
pub fn limits(bytes: usize, keys: usize) {
    gauge!(BYTES_IN_FLIGHT).set(whole(bytes));
    gauge!(LIMITED_KEYS).set(whole(keys));
}

fn whole(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
