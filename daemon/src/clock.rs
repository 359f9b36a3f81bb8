//! The one place that reads a clock.
//!
//! Wall time is read once and carried on by the monotonic clock, so that a step of the host's clock
//! moves nothing here.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that never steps back. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Arc<(i64, Instant)>,
}

impl Clock {
    /// A clock set by the host's, now.
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the host's clock")]
    pub fn system() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { start: Arc::new((i64::try_from(now.as_millis()).unwrap_or(i64::MAX), Instant::now())) }
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        let (at, since) = &*self.start;
        at.saturating_add(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds since this clock was made: for what must not depend on wall time at all.
    pub fn monotonic_ms(&self) -> i64 {
        i64::try_from(self.start.1.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}
