//! Judges whether the gateway's clock may stamp events: it must not be over a minute from its host's,
//! nor from the stamps of most other live gateways. Pure.

use std::collections::BTreeMap;

/// So far apart two clocks may be.
const MAX_APART_MS: i64 = 60_000;
/// For so long a gateway counts as live after its last stamp was seen.
const LIVE_MS: i64 = 120_000;

/// Between when and when, by this gateway's clock, a stamp was made.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Not before.
    pub from_ms: i64,
    /// Not after.
    pub until_ms: i64,
}

/// What was seen of the other gateways' clocks.
#[derive(Debug, Default)]
pub struct Others {
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    /// How far the other's clock is ahead of this gateway's, at least; negative where it is behind.
    ahead_ms: i64,
    /// When that was seen.
    at_ms: i64,
}

/// What is wrong where the time that stamps get and the host's clock are too far apart. Only a step of
/// the host's clock brings that about: it was wrong at the start and has been set since, or is wrong now.
pub fn against_host(carried_ms: i64, host_ms: i64) -> Option<String> {
    let ahead_ms = host_ms.saturating_sub(carried_ms);
    (ahead_ms.abs() > MAX_APART_MS).then(|| {
        format!(
            "the host's clock was stepped and is {} of the time that stamps get, which was read at the start and \
             carried on; see to it that the host's clock is right, then restart this gateway",
            words(ahead_ms)
        )
    })
}

impl Others {
    /// Learns of a stamp of another gateway; `now_ms` by a clock that never steps, here and below.
    pub fn saw(&mut self, gateway: &str, stamp_ms: i64, made: Made, now_ms: i64) {
        let ahead_ms = if stamp_ms > made.until_ms {
            stamp_ms.saturating_sub(made.until_ms)
        } else {
            stamp_ms.saturating_sub(made.from_ms).min(0)
        };
        self.seen.insert(gateway.to_owned(), Seen { ahead_ms, at_ms: now_ms });
    }

    /// What is wrong where more of the other live gateways are too far away than near: then it is this
    /// clock that is wrong, or, between two, nobody knows whose. A gateway alone is never wrong.
    pub fn judge(&mut self, now_ms: i64) -> Option<String> {
        self.seen.retain(|_, seen| now_ms.saturating_sub(seen.at_ms) <= LIVE_MS);
        let is_away = |seen: &Seen| seen.ahead_ms.abs() > MAX_APART_MS;
        let away: Vec<_> = self.seen.iter().filter(|(_, seen)| is_away(seen)).collect();
        if away.len() <= self.seen.len() - away.len() {
            return None;
        }
        let each: Vec<_> = away.iter().map(|(name, seen)| format!("{name} is {}", words(seen.ahead_ms))).collect();
        Some(format!(
            "over a minute from the stamps of other live gateways: {}; set the clock of whichever host is wrong, then \
             restart its gateway",
            each.join(", ")
        ))
    }
}

/// How far ahead or behind.
fn words(ahead_ms: i64) -> String {
    format!("{} s {}", ahead_ms.abs() / 1_000, if ahead_ms < 0 { "behind" } else { "ahead" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_clock_over_a_minute_away_is_told_with_what_to_do() {
        for near in [0, 60_000, -60_000] {
            assert_eq!(against_host(1_000_000, 1_000_000 + near), None);
        }
        let ahead = against_host(1_000_000, 1_061_000).unwrap();
        assert!(ahead.contains("61 s ahead") && ahead.contains("restart"), "{ahead}");
        assert!(against_host(1_000_000, 0).unwrap().contains("1000 s behind"));
    }

    /// Others that were seen at 0 with stamps so far from this gateway's 1,000,000.
    fn others(apart: &[(&str, i64)]) -> Others {
        let mut others = Others::default();
        for (name, apart_ms) in apart {
            others.saw(name, 1_000_000 + apart_ms, Made { from_ms: 1_000_000, until_ms: 1_000_000 }, 0);
        }
        others
    }

    #[test]
    fn of_two_that_disagree_each_says_who_it_disagrees_with() {
        let words = others(&[("gw-2", 61_000)]).judge(0).unwrap();
        assert!(words.contains("gw-2 is 61 s ahead") && words.contains("restart"), "{words}");
        assert!(others(&[("gw-1", -61_000)]).judge(0).unwrap().contains("gw-1 is 61 s behind"));
        assert_eq!(others(&[("gw-2", 60_000)]).judge(0), None);
        assert_eq!(others(&[]).judge(0), None, "and one alone is never unready");
    }

    #[test]
    fn one_wrong_clock_among_many_stops_that_one_only() {
        assert_eq!(others(&[("gw-2", 500), ("gw-3", 3_600_000)]).judge(0), None);
        let words = others(&[("gw-1", -3_600_000), ("gw-2", -3_600_000)]).judge(0).unwrap();
        assert!(words.contains("gw-1") && words.contains("gw-2"), "{words}");
    }

    #[test]
    fn a_gateway_that_is_silent_or_right_again_is_held_against_nobody() {
        let mut silent = others(&[("gw-2", 61_000)]);
        assert!(silent.judge(LIVE_MS).is_some());
        assert_eq!(silent.judge(LIVE_MS + 1), None);
        let mut mended = others(&[("gw-2", 61_000)]);
        mended.saw("gw-2", 1_000_000, Made { from_ms: 1_000_000, until_ms: 1_000_000 }, 1);
        assert_eq!(mended.judge(1), None);
    }

    #[test]
    fn a_stamp_within_the_time_in_which_it_was_made_is_not_away() {
        let made = Made { from_ms: 1_000_000, until_ms: 1_500_000 };
        for (stamp_ms, away) in [(939_999, true), (940_000, false), (1_560_000, false), (1_560_001, true)] {
            let mut others = Others::default();
            others.saw("gw-2", stamp_ms, made, 0);
            assert_eq!(others.judge(0).is_some(), away, "{stamp_ms}");
        }
    }
}
