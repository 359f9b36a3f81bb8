//! Records the gateway's metrics, which [`catalogue`] declares. Labels are bounded: no tenant, no player, no path.

mod catalogue;
mod measured;

use std::time::Duration;

use metrics::{Counter, Gauge, counter, gauge, histogram};
use schemas::Timestamp;

pub use catalogue::{ALL, describe};
pub use daemon::catalogue::{Kind, Metric};
pub use measured::Measured;

use catalogue::{
    ACCESS_LINES, APPEND_ERRORS, BYTES_IN_FLIGHT, CONNECTIONS, CONNECTIONS_OPENED, CONNECTIONS_REFUSED,
    CREDENTIALS_GOOD, DEDUP_COVERED, DEDUP_HITS, DEDUP_IDS, HANDSHAKE_SECONDS, HANDSHAKES, JWKS_BROKEN, JWKS_FETCHES,
    LIMITED_KEYS, OUTCOMES_DOUBTFUL, QUEUE_RECORDS, QUEUE_SECONDS, REFUSED, RELOADS, SCHEMAS_GOOD, TAIL_READS,
    TAIL_SECONDS, TLS_ENDS, TLS_GOOD,
};

/// Counts a thing as open until it is dropped.
pub struct Open(Gauge);

impl Open {
    fn of(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }

    /// A connection.
    pub fn connection() -> Self {
        counter!(CONNECTIONS_OPENED).increment(1);
        Self::of(gauge!(CONNECTIONS))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
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

/// So many sound events had an id that was known.
pub fn dedup_hits(kind: &'static str, count: u64) {
    counter!(DEDUP_HITS, "kind" => kind).increment(count);
}

/// The tail of the log brought a batch whose oldest record has that age.
pub fn tail_delay(age: Duration) {
    histogram!(TAIL_SECONDS).record(age.as_secs_f64());
}

/// Whether the tail of the log reads.
pub fn tail_reads(reads: bool) {
    gauge!(TAIL_READS).set(if reads { 1.0 } else { 0.0 });
}

/// What is read again while it is in use.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The credentials file.
    Credentials,
    /// A file of an issuer's public keys.
    Jwks,
    /// The folder of schemas.
    Schemas,
    /// The TLS certificate and its key.
    Tls,
}

/// What changed was taken up, or refused.
pub fn reloaded(source: Source, good: bool) {
    let source = match source {
        Source::Credentials => "credentials",
        Source::Jwks => "jwks",
        Source::Schemas => "schemas",
        Source::Tls => "tls",
    };
    counter!(RELOADS, "source" => source, "result" => if good { "good" } else { "failed" }).increment(1);
}

/// Whether the certificate's files can be served, and when the certificate that is served ends.
pub fn tls_certificate(good: bool, ends_at: Timestamp) {
    gauge!(TLS_GOOD).set(f64::from(u8::from(good)));
    gauge!(TLS_ENDS).set(Duration::from_millis(ends_at.ms().unsigned_abs()).as_secs_f64());
}

/// How a TLS handshake ended.
#[derive(Clone, Copy, Debug)]
pub enum Handshake {
    /// In a secured connection.
    Good {
        /// Of the protocol.
        version: &'static str,
        /// From the connection's beginning.
        took: Duration,
    },
    /// Peer and gateway did not agree, or the peer broke off.
    Failed,
    /// Not in time.
    TimedOut,
    /// The peer spoke HTTP without TLS.
    PlainHttp,
    /// The peer went without a word, as probes do.
    Closed,
}

/// A TLS handshake ended.
pub fn shaken(handshake: Handshake) {
    let (result, version) = match handshake {
        Handshake::Good { version, took } => {
            histogram!(HANDSHAKE_SECONDS).record(took.as_secs_f64());
            ("good", version)
        }
        Handshake::Failed => ("failed", "none"),
        Handshake::TimedOut => ("timed_out", "none"),
        Handshake::PlainHttp => ("plain_http", "none"),
        Handshake::Closed => ("closed", "none"),
    };
    counter!(HANDSHAKES, "result" => result, "version" => version).increment(1);
}

/// So many lines of the access log were written.
pub fn access_written(lines: u64) {
    counter!(ACCESS_LINES, "result" => "written").increment(lines);
}

/// Counts requests that have no line in the access log, by chance: under load nearly all of them.
pub fn access_sampled_out() -> Counter {
    counter!(ACCESS_LINES, "result" => "sampled_out")
}

/// So many lines of the access log were lost: `queue_full` or `write_failed`.
pub fn access_dropped(result: &'static str, lines: u64) {
    counter!(ACCESS_LINES, "result" => result).increment(lines);
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
