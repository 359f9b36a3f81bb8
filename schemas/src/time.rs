//! Times: integer milliseconds since the epoch, read from and written as RFC 3339.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time in milliseconds since 1970-01-01T00:00:00Z; years 0001 to 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The rule, in words.
    pub const RULE: &'static str = "must be an RFC 3339 time with an offset, such as 2026-01-05T08:12:31.204Z";
    /// 0001-01-01T00:00:00Z.
    const FIRST_MS: i64 = -62_135_596_800_000;
    /// 9999-12-31T23:59:59.999Z.
    const LAST_MS: i64 = 253_402_300_799_999;

    /// The time so many milliseconds after the epoch, held within years 0001 to 9999.
    pub fn from_ms(ms: i64) -> Self {
        Self(ms.clamp(Self::FIRST_MS, Self::LAST_MS))
    }

    /// Reads RFC 3339 with an offset, rounded down to the millisecond. A leap second counts as
    /// :59.999 of its minute. None where the text is no such time, or its instant lies outside
    /// years 0001 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<u32> {
            let digits = bytes.get(from..to)?;
            digits.iter().all(u8::is_ascii_digit).then_some(())?;
            Some(digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
        };
        let mark = |at: usize, allowed: &[u8]| bytes.get(at).filter(|byte| allowed.contains(byte));
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        for (at, allowed) in [(4, b"-".as_slice()), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")] {
            mark(at, allowed)?;
        }
        let fraction = if bytes.get(19) == Some(&b'.') {
            bytes[20..].iter().take_while(|byte| byte.is_ascii_digit()).count()
        } else {
            0
        };
        if bytes.get(19) == Some(&b'.') && fraction == 0 {
            return None;
        }
        let zone = if fraction == 0 { 19 } else { 20 + fraction };
        let offset_minutes = match bytes.get(zone)? {
            b'Z' | b'z' if bytes.len() == zone + 1 => 0,
            sign @ (b'+' | b'-') if bytes.len() == zone + 6 => {
                let (hours, minutes) = (number(zone + 1, zone + 3)?, number(zone + 4, zone + 6)?);
                mark(zone + 3, b":")?;
                (hours < 24 && minutes < 60).then_some(())?;
                let minutes = i64::from(hours * 60 + minutes);
                if *sign == b'+' { minutes } else { -minutes }
            }
            _ => return None,
        };
        (hour < 24 && minute < 60 && second <= 60 && year >= 1).then_some(())?;
        let date = chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        let mut thousandths = 0;
        for at in 0..3 {
            let digit = if at < fraction { u32::from(bytes[20 + at] - b'0') } else { 0 };
            thousandths = thousandths * 10 + digit;
        }
        let (second, thousandths) = if second == 60 { (59, 999) } else { (second, thousandths) };
        let days = date.signed_duration_since(chrono::NaiveDate::default()).num_days();
        let minutes = days * 1_440 + i64::from(hour * 60 + minute) - offset_minutes;
        let ms = minutes * 60_000 + i64::from(second * 1_000 + thousandths);
        (Self::FIRST_MS..=Self::LAST_MS).contains(&ms).then_some(Self(ms))
    }

    /// Milliseconds since the epoch.
    pub fn ms(self) -> i64 {
        self.0
    }

    /// The same instant for chrono.
    pub fn to_chrono(self) -> DateTime<Utc> {
        // The range kept here lies within chrono's; the default is never taken.
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Timestamp")
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::text::Text::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(Self::RULE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_down_to_the_millisecond() {
        let ms = |text: &str| Timestamp::parse(text).map(Timestamp::ms);
        assert_eq!(ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(ms("1970-01-01T00:00:00.0019Z"), Some(1));
        assert_eq!(ms("1969-12-31T23:59:59.9999Z"), Some(-1));
        assert_eq!(ms("1970-01-01t01:00:00.5+01:00"), Some(500));
        assert_eq!(ms("2016-12-31T23:59:60Z"), ms("2016-12-31T23:59:59.999Z"));
        assert_eq!(ms("2026-01-05T08:12:31.204Z"), Some(1_767_600_751_204));
        assert_eq!(ms("1970-01-01T00:00:00-12:00"), Some(43_200_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026",
            "2026-01-05",
            "2026-01-05T08:12:31",
            "2026-02-30T00:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T08:12:31.Z",
            "2026-01-05T08:12:31+25:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "2026-01-05T08:12:61Z",
            "2026-01-05T08:12:31Zz",
            "+026-01-05T08:12:31Z",
            "2026-01-05T08:12:31+0100",
            "２026-01-05T08:12:31Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_written_as_it_is_read() {
        let text = "2026-01-05T08:12:31.204Z";
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
    }
}
