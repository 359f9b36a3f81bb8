//! play.live: a snapshot of a running session; a tombstone when it runs no more.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{Game, PlayerId, Tenant};
use crate::time::Timestamp;

/// What is known of a running session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Form of this record.
    pub v: u32,
    /// Whose.
    pub tenant: Tenant,
    /// Which game.
    pub game: Game,
    /// Who plays.
    #[serde(deserialize_with = "crate::id::owned_player")]
    pub player: PlayerId<'static>,
    /// The session.
    pub session: Uuid,
    /// Its first event, corrected by the session's clock offset.
    pub started_at: Timestamp,
    /// Its latest event, corrected by the session's clock offset.
    pub last_event_at: Timestamp,
    /// Distinct events so far.
    pub event_count: u64,
    /// Active time so far, in ms.
    pub active_ms: i64,
}
