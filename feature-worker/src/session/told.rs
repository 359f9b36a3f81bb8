//! What a session's record has told, as far as it has been read in order.
//!
//! The one place that holds the fold of each version of the metrics: all are fed from one reading of the record, and
//! each gives facts of its own. A further version is a module beside [`metrics_v1`], an optional
//! field of [`Told`], and a line where events are taken in and where facts are given. It begins with a session's first
//! event: a session that has begun before, under a release that did not know it, is told by the older versions alone.

use std::sync::Arc;

use schemas::data::CloseReason;
use schemas::games::Games;
use schemas::record::stamp::{Origin, RawBuf};
use schemas::report::Facts;
use schemas::{Data, Event, Game, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use super::shared::Shared as _;
use crate::closing::Closing;
#[cfg(test)]
use crate::metrics_probe;
use crate::metrics_v1;
use crate::metrics_v1::fold::Bounds;

/// What a session needs to know beside its own state.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Settings by game.
    pub games: &'a Games,
    /// Whose session it is.
    pub tenant: &'a Tenant,
}

/// The folds of a session and what was read beside them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    #[serde(rename = "f")]
    v1: metrics_v1::fold::Fold,
    #[cfg(test)]
    #[serde(rename = "f2", default, skip_serializing_if = "Option::is_none")]
    probe: Option<metrics_probe::Fold>,
    /// What held for the game at the time of the first event; none before it.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none", with = "super::shared::rules")]
    pub rules: Option<Arc<Rules>>,
    /// The reason of the last close.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub close: Option<CloseReason>,
}

/// What held for the game at the time of the session's first event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The idle threshold, in ms.
    pub idle_ms: i64,
    /// The event types that the game declared to send.
    #[serde(default = "nothing", skip_serializing_if = "<[String]>::is_empty")]
    pub emits: Arc<[String]>,
}

/// An event in a session's state that this release cannot read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the state holds an event that this release cannot read ({0}): it was written under other rules; \
     go back to the release that wrote it"
)]
pub struct Unreadable(String);

impl Told {
    /// Takes in the next event of the record; of what `bounds` have no room for the fold keeps the sums.
    pub fn apply(&mut self, event: &Event<'_>, game: &Game, bounds: Bounds, context: &Context<'_>) {
        if self.rules.is_none()
            && let Some(at) = event.timestamp
        {
            self.rules = Some(Rules::at(at, game, context).share());
        }
        // Before the first time there is no gap that the threshold could judge.
        let idle_ms = self.rules.as_ref().map_or(i64::MAX, |rules| rules.idle_ms);
        #[cfg(test)]
        {
            let begins = self.v1.event_count() == 0 && metrics_probe::is_asked_for(event);
            self.probe = self.probe.take().or_else(|| begins.then(metrics_probe::Fold::default));
            self.probe.iter_mut().for_each(|fold| fold.apply(event));
        }
        self.v1.apply(event, idle_ms, bounds);
        if let Data::SessionClosed(reason) = event.data {
            self.close = Some(reason);
        }
    }

    /// The facts of a session that ends here, in each version that has all of its record, the oldest version first.
    pub fn facts(&self, closing: &Closing<'_>) -> Vec<Facts> {
        #[cfg_attr(not(test), expect(unused_mut, reason = "there is one version outside tests"))]
        let mut facts = vec![self.v1.facts(closing)];
        #[cfg(test)]
        facts.extend(self.probe.as_ref().map(|fold| fold.facts(closing)));
        facts
    }

    /// Distinct events of the record.
    pub fn event_count(&self) -> u64 {
        self.v1.event_count()
    }

    /// Tasks and pieces of evidence that the folds remember one by one.
    pub fn parts(&self) -> usize {
        self.v1.parts()
    }

    /// Time of the first event on the client's clock, in ms since the epoch; none before the first that has one.
    pub fn first_at(&self) -> Option<i64> {
        self.v1.first_at()
    }

    /// The latest time seen on the client's clock, in ms since the epoch; none before the first.
    pub fn last_at(&self) -> Option<i64> {
        self.v1.last_at()
    }

    /// Active time so far, in ms.
    pub fn active_ms(&self) -> i64 {
        self.v1.active_ms(self.idle_ms())
    }

    /// The idle threshold, in ms; 0 before the first event.
    fn idle_ms(&self) -> i64 {
        self.rules.as_ref().map_or(0, |rules| rules.idle_ms)
    }
}

fn nothing() -> Arc<[String]> {
    Arc::new([])
}

impl Default for Rules {
    fn default() -> Self {
        Self { idle_ms: 0, emits: nothing() }
    }
}

impl Rules {
    fn at(at: Timestamp, game: &Game, context: &Context<'_>) -> Self {
        let settings = context.games.at(context.tenant, game, at);
        Self { idle_ms: settings.idle_ms, emits: Arc::clone(&settings.emits) }
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
