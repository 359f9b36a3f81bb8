//! When requests go out: players live at their own pace, and what lies in their past is caught up
//! at a rate. Pure.

/// Events a second that a player makes on average, rests included; a test holds it to the model.
pub(super) const EVENTS_PER_PLAYER: f64 = 0.14;
/// The past that a simulation without a rate begins with: the first rows come at once.
const HEAD_START_MS: i64 = 600_000;
/// That past is sent at this rate, in events/s.
const CATCH_UP_RATE: f64 = 400.0;
/// The longest past: a gateway takes no older timestamps without the scope `backfill`.
const LONGEST_PAST_MS: i64 = 30 * 86_400_000;

/// How fast a simulation goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// Events a second at most.
    pub rate: f64,
    /// How long before now the simulation starts, in ms.
    pub past_ms: i64,
}

impl Pace {
    /// The pace of so many players, at a given rate or their own, for so long.
    ///
    /// A rate above the players' own is reached by having them play in the past as well.
    pub(super) fn choose(players: usize, rate: Option<f64>, for_ms: Option<i64>) -> Self {
        let Some(rate) = rate else { return Self { rate: CATCH_UP_RATE, past_ms: HEAD_START_MS } };
        let own = EVENTS_PER_PLAYER * f64::from(u32::try_from(players).unwrap_or(u32::MAX)).max(1.0);
        let surplus = (rate / own - 1.0).max(0.0);
        let past = match for_ms {
            // With a margin: the model's rate is an average.
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "ms far below 2^52; `as` saturates"
            )]
            Some(ms) => (surplus * 1.5 * ms as f64) as i64,
            None if surplus > 0.0 => LONGEST_PAST_MS,
            None => 0,
        };
        Self { rate, past_ms: past.clamp(0, LONGEST_PAST_MS) }
    }
}

/// Gives out sending times so that no more than a rate goes out, with bursts of a second's worth
/// after a quiet time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    ms_per_event: f64,
    next_ms: f64,
}

impl Meter {
    /// A meter for so many events a second.
    pub(super) fn new(rate: f64) -> Self {
        Self { ms_per_event: 1_000.0 / rate.max(0.001), next_ms: 0.0 }
    }

    /// When a request of so many events may go, if it is `now_ms`: on the same clock, not before now.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "ms of a run and events of a request"
    )]
    pub(super) fn admit(&mut self, now_ms: i64, events: usize) -> i64 {
        let now = now_ms as f64;
        let at = self.next_ms.max(now - 1_000.0);
        self.next_ms = at + self.ms_per_event * events as f64;
        at.max(now) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn players_at_their_own_pace_begin_with_a_short_past() {
        let pace = Pace::choose(20, None, None);
        assert_eq!(pace.past_ms, HEAD_START_MS);
    }

    #[test]
    fn a_rate_above_the_players_own_makes_them_play_in_the_past_too() {
        let pace = Pace::choose(10, Some(140.0), Some(60_000));
        assert!((60_000 * 99..60_000 * 200).contains(&pace.past_ms), "{pace:?}");
        assert_eq!(Pace::choose(1_000, Some(1.0), Some(60_000)).past_ms, 0);
        assert_eq!(Pace::choose(1, Some(1e9), None).past_ms, LONGEST_PAST_MS);
    }

    #[test]
    fn a_meter_keeps_its_rate_over_time() {
        let mut meter = Meter::new(100.0);
        let (mut now, mut sent) = (0, 0);
        while now < 60_000 {
            now = meter.admit(now, 7);
            sent += 7;
        }
        assert!((5_900..6_300).contains(&sent), "{sent} in a minute");
    }
}
