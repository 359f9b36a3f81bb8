//! play.outcomes: what became of the events that a gateway received.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{Game, Tenant};
use crate::time::Timestamp;

/// A record of play.outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRecord {
    /// Form of this record.
    pub v: u32,
    /// The gateway's name.
    pub gateway: String,
    /// When it was written.
    pub at: Timestamp,
    /// What it tells.
    #[serde(flatten)]
    pub told: Told,
}

/// What a gateway tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Told {
    /// It started.
    Started,
    /// It lives, and appends this to learn whether the log acknowledges: only after a failure.
    Alive,
    /// It stopped after a drain; no counts are missing before this.
    Stopped,
    /// Counts since the last record, to be added up.
    Counts {
        /// Whose.
        tenant: Tenant,
        /// Which game.
        game: Game,
        /// Start of the minute of received_at.
        minute: Timestamp,
        /// Events by outcome: accepted, duplicate, conflict, rejected, shed, unknown.
        outcomes: BTreeMap<String, u64>,
    },
}
