//! One limit, by the generic cell rate algorithm: an allowance that refills steadily, up to a burst. Pure
//! but for its clock, which can be given.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use schemars::JsonSchema;
use serde::Serialize;

use super::standing::{Limit, Refusal, Standing};
use super::store::Store;

/// How fast an allowance refills, and how much of it can be saved up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rate {
    /// So much of it comes back in `seconds`.
    pub amount: NonZeroU32,
    /// In so many seconds.
    pub seconds: u32,
    /// So much can be used at once.
    pub burst: NonZeroU32,
}

/// Holds each key to one rate.
#[derive(Debug)]
pub struct Limiter<C: Clock = DefaultClock> {
    limit: Limit,
    rate: Rate,
    gcra: RateLimiter<u64, Store, C, StateInformationMiddleware>,
}

impl Rate {
    fn quota(self) -> Quota {
        let nanos = u64::from(self.seconds) * 1_000_000_000 / u64::from(self.amount.get());
        // Never zero: no rate of more than a thousand millions a second can be written.
        Quota::with_period(Duration::from_nanos(nanos.max(1)))
            .unwrap_or_else(|| Quota::per_second(self.amount))
            .allow_burst(self.burst)
    }

    /// Seconds in which so much comes back.
    fn seconds_for(self, amount: u32) -> u32 {
        let seconds = (u64::from(amount) * u64::from(self.seconds)).div_ceil(u64::from(self.amount.get()));
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}

impl<C: Clock> Limiter<C> {
    /// Holds so many keys to a rate at most.
    pub fn new(limit: Limit, rate: Rate, keys: usize, clock: C) -> Self {
        let gcra = RateLimiter::new(rate.quota(), Store::new(keys), clock);
        Self { limit, rate, gcra }
    }

    /// Takes `amount` of a key's allowance, all of it or nothing.
    ///
    /// # Errors
    /// When there is not so much of it.
    pub fn take(&self, key: u64, amount: u32) -> Result<Option<Standing>, Refusal> {
        let Some(amount) = NonZeroU32::new(amount) else { return Ok(None) };
        match self.gcra.check_key_n(&key, amount) {
            Ok(Ok(state)) => {
                let left = state.remaining_burst_capacity();
                let reset = self.rate.seconds_for(self.rate.burst.get().saturating_sub(left));
                Ok(Some(self.standing(left, reset)))
            }
            Ok(Err(until)) => {
                let wait = until.wait_time_from(self.gcra.clock().now());
                Err(self.refusal(u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1)))
            }
            // More than could ever be saved up. No tier allows that for what one request can bring.
            Err(_) => Err(self.refusal(self.rate.seconds_for(self.rate.burst.get()).max(1))),
        }
    }

    /// Forgets whose allowance is whole.
    pub fn sweep(&self) {
        self.gcra.retain_recent();
    }

    /// How many keys are held to it.
    pub fn len(&self) -> usize {
        self.gcra.len()
    }

    /// Whether everybody's allowance is whole, as of the last sweep.
    pub fn is_empty(&self) -> bool {
        self.gcra.is_empty()
    }

    fn standing(&self, left: u32, reset: u32) -> Standing {
        let window = self.rate.seconds_for(self.rate.burst.get()).max(1);
        Standing { limit: self.limit, burst: self.rate.burst.get(), window, left, reset }
    }

    fn refusal(&self, after: u32) -> Refusal {
        Refusal { standing: self.standing(0, after), after }
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limiter(amount: u32, seconds: u32, burst: u32) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let number = |number| NonZeroU32::new(number).unwrap();
        let rate = Rate { amount: number(amount), seconds, burst: number(burst) };
        (Limiter::new(Limit::KeyEvents, rate, 1_000, clock.clone()), clock)
    }

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let (limiter, clock) = limiter(10, 1, 30);
        let standing = limiter.take(1, 30).unwrap().unwrap();
        assert_eq!((standing.left, standing.reset, standing.burst, standing.window), (0, 3, 30, 3));
        assert_eq!(limiter.take(1, 1).unwrap_err().after, 1);
        assert_eq!(limiter.take(1, 25).unwrap_err().after, 3, "so long until all of it would pass");
        clock.advance(Duration::from_millis(2_600));
        assert_eq!(limiter.take(1, 25).unwrap().unwrap().left, 1);
        assert!(limiter.take(1, 2).is_err());
    }

    #[test]
    fn what_is_refused_takes_nothing_and_others_are_unharmed() {
        let (limiter, _clock) = limiter(6_000, 60, 100);
        limiter.take(1, 90).unwrap();
        for _ in 0..1_000 {
            limiter.take(1, 11).unwrap_err();
        }
        assert_eq!(limiter.take(1, 10).unwrap().unwrap().left, 0);
        assert_eq!(limiter.take(2, 100).unwrap().unwrap().left, 0);
    }

    #[test]
    fn whose_allowance_is_whole_is_forgotten() {
        let (limiter, clock) = limiter(10, 1, 30);
        limiter.take(1, 1).unwrap();
        limiter.take(2, 20).unwrap();
        clock.advance(Duration::from_millis(500));
        limiter.sweep();
        assert_eq!(limiter.len(), 1);
        clock.advance(Duration::from_secs(2));
        limiter.sweep();
        assert!(limiter.is_empty());
    }
}
