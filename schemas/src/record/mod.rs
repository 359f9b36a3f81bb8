//! The record of each topic. Every kind carries `v`; a reader ignores fields that it does not know
//! and stops, with a message, at a higher `v`.

pub mod activity;
pub mod live;
pub mod outcome;
pub mod quarantine;
pub mod stamp;

/// The form of record that this release reads and writes.
pub const VERSION: u32 = 1;

/// Names of record headers.
pub mod header {
    /// The event's id, hyphenated, lower case.
    pub const EVENT_ID: &str = "event_id";
    /// Fingerprint of the event's body: its version, a colon, 16 hexadecimal digits.
    pub const FINGERPRINT: &str = "fingerprint";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// Why it was set aside: a word of [`super::quarantine::Reason`].
    pub const REASON: &str = "reason";
    /// What was wrong with its fields: a JSON array of [`crate::FieldError`].
    pub const ERRORS: &str = "errors";
    /// Whole name of the topic that it came from; absent where it never reached one.
    pub const ORIGIN_TOPIC: &str = "origin_topic";
    /// Its partition there.
    pub const ORIGIN_PARTITION: &str = "origin_partition";
    /// Its offset there.
    pub const ORIGIN_OFFSET: &str = "origin_offset";
    /// When it was received, RFC 3339.
    pub const RECEIVED_AT: &str = "received_at";
    /// The request that brought it.
    pub const REQUEST_ID: &str = "request_id";
    /// Version of the headers' form.
    pub const VERSION: &str = "v";
}
