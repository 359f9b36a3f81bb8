//! What an ingest call is told: how many events had which outcome, and which. Pure.

use std::sync::Arc;

use schemars::JsonSchema;
use schemas::{FieldError, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use crate::problem::{Code, Problem};

/// What became of one event, as its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The log has it now.
    Accepted,
    /// The log had it before.
    Duplicate,
    /// The log had another body under its id before.
    Conflict,
    /// It breaks a rule.
    Rejected,
}

/// What became of one event.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Outcome {
    /// Its place in the batch.
    pub index: usize,
    /// Its id, where it has a sound one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// What became of it.
    pub status: Status,
    /// Why, for a refused one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<EventCode>,
    /// What is wrong with its fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// The answer of an ingest call.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// Names the request in every log line.
    pub request_id: Arc<str>,
    /// When the whole body was there.
    pub received_at: Timestamp,
    /// Set where nothing was kept because nothing was to be kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Number of events that the log has now.
    pub accepted: usize,
    /// Number of events that the log had before.
    pub duplicates: usize,
    /// Number of events whose id another body has.
    pub conflicts: usize,
    /// Number of events that break a rule.
    pub rejected: usize,
    /// What is not plainly accepted, or every event where that was asked for; in the batch's order.
    pub results: Vec<Outcome>,
}

schemas::words! {
    /// Why an event was refused.
    pub enum EventCode {
        /// A field breaks a rule; `errors` says which.
        InvalidField = "invalid_field" => "Mend the event; it is kept in the quarantine, from where it can be sent again once a schema is mended.",
        /// The log holds another body under this event_id.
        Conflict = "conflict" => "Give every event an id of its own, and send an event unchanged when you send it again.",
        /// The credential may not send it: another player's, another tenant's or game's, or evidence without the scope.
        Forbidden = "forbidden" => "Use a credential that may; do not send it again with this one.",
    }
}

impl Answer {
    /// Counts the outcomes of a request's events; keeps those that are told.
    pub fn new(request_id: Arc<str>, received_at: Timestamp, outcomes: Vec<Outcome>, tell_all: bool) -> Self {
        let count = |status: Status| outcomes.iter().filter(|outcome| outcome.status == status).count();
        Self {
            request_id,
            received_at,
            dry_run: false,
            accepted: count(Status::Accepted),
            duplicates: count(Status::Duplicate),
            conflicts: count(Status::Conflict),
            rejected: count(Status::Rejected),
            results: outcomes.into_iter().filter(|outcome| tell_all || outcome.status != Status::Accepted).collect(),
        }
    }

    /// The problem that it is where no event went through: all of them are among the results then.
    ///
    /// # Errors
    /// The problem.
    pub fn judged(self) -> Result<Self, Problem> {
        if self.accepted + self.duplicates > 0 {
            return Ok(self);
        }
        let forbidden = self.results.iter().all(|outcome| outcome.code == Some(EventCode::Forbidden));
        let (code, detail) = if forbidden {
            (Code::Forbidden, "this credential may send none of these events: results say why")
        } else {
            (
                Code::ValidationFailed,
                "every event was rejected or in conflict: results say why; do not send them again as they are",
            )
        };
        // A single event's faults stand where those of a request stand, too.
        let errors = if let [only] = &self.results[..] { only.errors.clone() } else { Vec::new() };
        Err(Problem { errors, answer: Some(Box::new(self)), ..Problem::new(code, detail) })
    }

    /// Whether some events were refused and must not be sent again.
    pub fn is_partial(&self) -> bool {
        self.conflicts + self.rejected > 0
    }
}
