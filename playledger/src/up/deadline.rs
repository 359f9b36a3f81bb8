//! By when everything has to have stopped, however each part takes it.

use std::time::Duration;

use tokio::time::Instant;

/// From the word to stop until nothing is waited for any more. With what is left to the runtime, all
/// is within the 25 s that operators count on.
const STOP_WITHIN: Duration = Duration::from_secs(23);

/// A moment that no part's patience goes beyond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// That of a stop which begins now.
    pub(super) fn of_a_stop() -> Self {
        Self::after(STOP_WITHIN)
    }

    /// So long from now.
    pub(super) fn after(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    /// As much of a patience as is left.
    pub(super) fn within(self, patience: Duration) -> Duration {
        patience.min(self.0.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patience_ends_with_the_deadline() {
        assert_eq!(Deadline::of_a_stop().within(Duration::from_secs(1)), Duration::from_secs(1));
        assert!(Deadline::after(Duration::from_secs(1)).within(Duration::from_secs(9)) <= Duration::from_secs(1));
        assert_eq!(Deadline::after(Duration::ZERO).within(Duration::from_secs(9)), Duration::ZERO);
    }
}
