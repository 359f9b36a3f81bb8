//! What a session's record has told, as far as it has been read in order.

use std::sync::Arc;

use schemas::data::CloseReason;
use schemas::games::Games;
use schemas::record::stamp::{Origin, RawBuf};
use schemas::{Data, Event, Game, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use crate::metrics_v1::fold::{Bounds, Fold};

/// What a session needs to know beside its own state.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Settings by game.
    pub games: &'a Games,
    /// Whose session it is.
    pub tenant: &'a Tenant,
    /// How much a fold remembers.
    pub bounds: Bounds,
}

/// The fold of a session and what was read beside it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// The metrics.
    #[serde(rename = "f")]
    pub fold: Fold,
    /// What held for the game at the time of the first event; none before it.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Arc<Rules>>,
    /// The reason of the last close.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub close: Option<CloseReason>,
}

/// What held for the game at the time of the session's first event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The idle threshold, in ms.
    pub idle_ms: i64,
    /// The event types that the game declared to send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emits: Vec<String>,
}

/// An event in a session's state that this release cannot read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the state holds an event that this release cannot read ({0}): it was written under other rules; \
     go back to the release that wrote it"
)]
pub struct Unreadable(String);

impl Told {
    /// Takes in the next event of the record.
    pub fn apply(&mut self, event: &Event<'_>, game: &Game, context: &Context<'_>) {
        if self.rules.is_none()
            && let Some(at) = event.timestamp
        {
            self.rules = Some(Rules::at(at, game, context).into());
        }
        // Before the first time there is no gap that the threshold could judge.
        let idle_ms = self.rules.as_ref().map_or(i64::MAX, |rules| rules.idle_ms);
        self.fold.apply(event, idle_ms, context.bounds);
        if let Data::SessionClosed(reason) = event.data {
            self.close = Some(reason);
        }
    }

    /// The idle threshold, in ms; 0 before the first event.
    pub fn idle_ms(&self) -> i64 {
        self.rules.as_ref().map_or(0, |rules| rules.idle_ms)
    }
}

impl Rules {
    fn at(at: Timestamp, game: &Game, context: &Context<'_>) -> Self {
        let settings = context.games.at(context.tenant, game, at);
        Self { idle_ms: settings.idle_ms, emits: settings.emits.to_vec() }
    }
}

/// Reads a kept event again.
///
/// # Errors
/// When it was kept under other rules than this release's.
pub fn reread(raw: &RawBuf) -> Result<Event<'_>, Unreadable> {
    // A close that the close call wrote has no time; what was kept has been judged once.
    schemas::parse::stamped(raw.get(), Some(Origin::Close)).map_err(|errors| {
        Unreadable(errors.first().map_or_else(String::new, |error| format!("{}: {}", error.pointer, error.message)))
    })
}
