//! play.activity: what the worker did with the events of a minute, since its last commit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{Game, Tenant};
use crate::time::Timestamp;

/// Counts of one tenant and game and one minute of received_at, to be added up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Form of this record.
    pub v: u32,
    /// Whose.
    pub tenant: Tenant,
    /// Which game.
    pub game: Game,
    /// Start of the minute of received_at.
    pub minute: Timestamp,
    /// Distinct events that took a place in their session, by type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applied: BTreeMap<String, u64>,
    /// Records that told again what was known.
    #[serde(default)]
    pub repeats: u64,
    /// Holes.
    #[serde(default)]
    pub holes: u64,
    /// Events set aside in the quarantine, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set_aside: BTreeMap<String, u64>,
}
