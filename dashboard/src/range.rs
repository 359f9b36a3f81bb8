//! How far back the first page looks, and in what steps.

use std::str::FromStr;

const MINUTE_MS: i64 = 60_000;

/// How far back the first page looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Range {
    /// An hour, by minute.
    #[default]
    Hour,
    /// Six hours, by five minutes.
    SixHours,
    /// A day, by a quarter of an hour.
    Day,
    /// A week, by two hours.
    Week,
}

impl Range {
    /// All of them, shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::SixHours, Self::Day, Self::Week];

    /// Its name in an address.
    pub fn key(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// Its name in a sentence, after "the last".
    pub fn words(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::SixHours => "6 hours",
            Self::Day => "24 hours",
            Self::Week => "7 days",
        }
    }

    /// The length of a step, in minutes.
    pub fn step_minutes(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::SixHours => 5,
            Self::Day => 15,
            Self::Week => 120,
        }
    }

    /// How many steps there are.
    pub fn steps(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::SixHours => 72,
            Self::Day => 96,
            Self::Week => 84,
        }
    }

    /// The length of a step, in ms.
    pub fn step_ms(self) -> i64 {
        self.step_minutes() * MINUTE_MS
    }

    /// Where the first step begins, in ms since the epoch; the last one holds `now_ms` and is not over as yet.
    pub fn begin_ms(self, now_ms: i64) -> i64 {
        (now_ms.div_euclid(self.step_ms()) + 1 - self.steps()) * self.step_ms()
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(key: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|range| range.key() == key);
        known.ok_or_else(|| format!("range must be one of {}", Self::ALL.map(Self::key).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_holds_now() {
        let now = 1_767_600_751_204;
        for range in Range::ALL {
            let begin = range.begin_ms(now);
            let end = begin + range.steps() * range.step_ms();
            assert!(end > now && end - range.step_ms() <= now, "{range:?}");
        }
    }

    #[test]
    fn a_range_is_read_back_from_its_key() {
        for range in Range::ALL {
            assert_eq!(range.key().parse(), Ok(range));
        }
        assert!("1y".parse::<Range>().unwrap_err().contains("7d"));
    }
}
