//! An event, judged: what holds one of these has been checked against every rule of its type.

use uuid::Uuid;

use crate::data::Data;
use crate::id::PlayerId;
use crate::text::Text;
use crate::time::Timestamp;

/// An event as a client sent it, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// The idempotency key, unique within a tenant.
    pub event_id: Uuid,
    /// The session that it belongs to.
    pub session_id: Uuid,
    /// Who played.
    pub player_id: PlayerId<'a>,
    /// Its place in the session, from 0; none where the client doesn't count.
    pub seq: Option<u64>,
    /// Its type: one of the catalogue, or a tenant's own.
    pub event_type: Text<'a>,
    /// The client's clock; none only for a `session.closed` that the close call made without a time.
    pub timestamp: Option<Timestamp>,
    /// What its type says of it.
    pub data: Data<'a>,
}

/// The largest integer that JSON carries unharmed through every reader: 2^53 − 1.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The type of evidence from outside the game.
pub const EVIDENCE: &str = "evidence.recorded";

impl Event<'_> {
    /// Whether it closes its session.
    pub fn is_close(&self) -> bool {
        matches!(self.data, Data::SessionClosed(_))
    }

    /// Whether it is evidence from outside the game.
    pub fn is_evidence(&self) -> bool {
        matches!(self.data, Data::EvidenceRecorded(_))
    }

    /// Whether it is the player's action: any type but session.*, focus.*, client.*, evidence.*.
    pub fn is_action(&self) -> bool {
        !["session.", "focus.", "client.", "evidence."].iter().any(|prefix| self.event_type.starts_with(prefix))
    }
}
