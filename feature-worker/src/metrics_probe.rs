//! A second version of the metrics that only tests know: it stands where a version 2 will.
//!
//! It is computed of those sessions alone that a player of its own begins, so that all other tests see one version.

use schemas::metrics::Metrics;
use schemas::report::Facts;
use schemas::{Event, Timestamp};
use serde::{Deserialize, Serialize};

use crate::closing::Closing;

/// What reports call it.
pub(crate) const VERSION: u32 = 2;
/// Whose sessions it is computed of.
pub(crate) const PLAYER: &str = "probe";

/// Whether a session that begins with this event has this version.
pub(crate) fn is_asked_for(first: &Event<'_>) -> bool {
    first.player_id.as_str() == PLAYER
}

/// Counts what version 1 has no figure for: the distinct types of a session's events, in the place of `turns`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Fold {
    types: std::collections::BTreeSet<String>,
    events: u64,
    first: Option<i64>,
    last: Option<i64>,
}

impl Fold {
    /// Takes in the next event of the record.
    pub(crate) fn apply(&mut self, event: &Event<'_>) {
        self.types.insert(event.event_type.to_string());
        self.events += 1;
        let at = event.timestamp.map(Timestamp::ms);
        (self.first, self.last) = (self.first.or(at), self.last.max(at));
    }

    /// The facts of a session that ends here.
    pub(crate) fn facts(&self, closing: &Closing<'_>) -> Facts {
        Facts {
            metrics_version: VERSION,
            close_reason: closing.reason,
            started: Timestamp::from_ms(self.first.unwrap_or_default()),
            ended: Timestamp::from_ms(self.last.unwrap_or_default()),
            complete: closing.complete,
            flags: closing.flags.to_vec(),
            idle_ms: closing.idle_ms,
            emits: Vec::new(),
            platform: None,
            locale: None,
            device: None,
            metrics: Metrics { event_count: self.events, turns: self.types.len() as u64, ..Metrics::default() },
            tasks: Vec::new(),
            evidence: Vec::new(),
        }
    }
}
