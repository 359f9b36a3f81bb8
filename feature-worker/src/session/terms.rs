//! What held for a session's game when its first record came.

use std::sync::Arc;

use schemas::games::Games;
use schemas::{Game, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use super::shared::Shared as _;
use crate::metrics_v1::fold::Bounds;

/// What held for the game when a session's first record came. Times in ms.
///
/// The releases before had the defaults of what they did not write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Log time without an event after which the session is closed.
    pub timeout_ms: i64,
    /// How long the closed session waits for late events.
    pub grace_ms: i64,
    /// The longest session, in log time.
    pub cap_ms: i64,
    /// Most events behind a gap.
    pub buffer_events: usize,
    /// Most bytes behind a gap.
    pub buffer_bytes: usize,
    /// So many of its newest events are told apart by their ids; twice as many before any is forgotten.
    #[serde(default = "usual_events", skip_serializing_if = "is_usual_events")]
    pub events: usize,
    /// How much its fold remembers.
    #[serde(default, skip_serializing_if = "is_usual_fold")]
    pub fold: Bounds,
}

impl Terms {
    /// What holds for a game's sessions that begin now.
    pub fn at(games: &Games, tenant: &Tenant, game: &Game, received_at: i64) -> Arc<Self> {
        let settings = games.at(tenant, game, Timestamp::from_ms(received_at));
        Self {
            timeout_ms: settings.session_timeout_ms,
            grace_ms: settings.grace_ms,
            cap_ms: settings.cap_ms,
            buffer_events: settings.buffer_events,
            buffer_bytes: settings.buffer_bytes,
            events: settings.events,
            fold: Bounds {
                tasks: settings.tasks,
                task_bytes: settings.task_bytes,
                evidence: settings.evidence,
                text_bytes: settings.text_bytes,
            },
        }
        .share()
    }

    /// Most tags that a session remembers while it may be read back: a little less than it ever remembers,
    /// so that it does not fill up while the log is being read, again and again.
    pub(super) fn most_remembered(&self) -> usize {
        self.events.saturating_mul(2) - self.events / 8
    }
}

/// [`Terms::events`] where nothing else is set.
pub const USUAL_EVENTS: usize = 65_536;

fn usual_events() -> usize {
    USUAL_EVENTS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_usual_events(events: &usize) -> bool {
    *events == USUAL_EVENTS
}

fn is_usual_fold(bounds: &Bounds) -> bool {
    *bounds == Bounds::default()
}
