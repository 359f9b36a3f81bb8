//! What a session's end knows beside its record: every version of the metrics is told the same.

use schemas::data::CloseReason;
use schemas::report::Flag;

/// What a session's end knows beside the fold.
#[derive(Clone, Debug)]
pub struct Closing<'a> {
    /// Why it ended.
    pub reason: CloseReason,
    /// No seq up to the highest event or hole lacks an event; none without seq.
    pub complete: Option<bool>,
    /// Distinct seqs of events, and the highest of them + 1; none without seq.
    pub seqs: Option<(u64, u64)>,
    /// What went wrong on the way, but for what the fold itself knows.
    pub flags: &'a [Flag],
    /// The session's idle threshold, in ms.
    pub idle_ms: i64,
    /// The event types that the game declares to send.
    pub emits: &'a [String],
}
