//! What the machine puts out, before it is written as records.

use bytes::Bytes;
use schemas::record::activity::Activity;
use schemas::record::live::Live;
use schemas::record::quarantine::Reason;
use schemas::report::Report;
use schemas::{FieldError, Game, Tenant};
use uuid::Uuid;

use crate::state::SessionKey;

/// A record to be committed.
#[derive(Clone, Debug)]
pub enum Output {
    /// To play.sessions.
    Report(Box<Report>),
    /// To play.live.
    Live(Box<Live>),
    /// To play.live: the session runs no more.
    Gone(SessionKey),
    /// To play.activity.
    Activity(Activity),
    /// To play.quarantine.
    Quarantine(Box<Quarantined>),
    /// To play.session-state, on the same partition.
    State {
        /// The partition.
        partition: i32,
        /// The record's key.
        key: Bytes,
        /// The record's value; a tombstone if none.
        value: Option<Bytes>,
    },
}

/// A record or event of play.events that is set aside.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// Why.
    pub reason: Reason,
    /// What was wrong with its fields.
    pub errors: Vec<FieldError>,
    /// Its partition in play.events.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Whose it is and of which game; none where the record does not tell.
    pub owner: Option<(Tenant, Game)>,
    /// The record's key, where there is no owner.
    pub key: Bytes,
    /// The event's id.
    pub event_id: Option<Uuid>,
    /// When it was received, in ms since the epoch.
    pub received_at: i64,
    /// The request that brought it.
    pub request_id: Option<String>,
    /// The client's bytes of the event; of the whole record where it could not be read.
    pub raw: Bytes,
}
