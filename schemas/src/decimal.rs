//! Numbers as JSON writes them, by their exact decimal value: 1, 1.0, 10e-1 and 0.1E1 are one.

use std::borrow::Cow;

/// A number: significant digits and the power of ten that they are multiplied by.
#[derive(Debug)]
pub(crate) struct Decimal<'a> {
    pub(crate) negative: bool,
    /// Neither the first nor the last is 0; none at all for zero.
    pub(crate) digits: Cow<'a, str>,
    /// 0 for zero.
    pub(crate) scale: Scale,
}

/// A power of ten, of up to 62 digits: as many as a scanned number has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scale {
    /// In units of [`BASE`]; negative for a negative power.
    high: i128,
    /// From 0 up to [`BASE`].
    low: i128,
}

/// Digits of the low half of a power.
const LOW_DIGITS: usize = 31;
const BASE: i128 = 10_i128.pow(31);

impl<'a> Decimal<'a> {
    /// Reads a number; none where the text is none, or its exponent has more than 62 digits.
    pub(crate) fn parse(written: &'a str) -> Option<Self> {
        let (negative, unsigned) = written.strip_prefix('-').map_or((false, written), |rest| (true, rest));
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // The significant digits stand in up to two pieces of the text; most numbers need no copy.
        let digits = if fraction.is_empty() { Cow::Borrowed(whole) } else { Cow::Owned([whole, fraction].concat()) };
        let dropped = digits.len() - digits.trim_end_matches('0').len();
        let moved = i64::try_from(dropped).ok()? - i64::try_from(fraction.len()).ok()?;
        let scale = Scale::parse(exponent, moved)?;
        let digits = match digits {
            Cow::Borrowed(digits) => Cow::Borrowed(digits.trim_matches('0')),
            Cow::Owned(mut digits) => {
                digits.truncate(digits.trim_end_matches('0').len());
                digits.drain(..digits.len() - digits.trim_start_matches('0').len());
                Cow::Owned(digits)
            }
        };
        Some(if digits.is_empty() {
            Self { negative: false, digits, scale: Scale::default() }
        } else {
            Self { negative, digits, scale }
        })
    }

    /// The integer that it is, held within the bounds of an i64; none where it has a fraction.
    pub(crate) fn integer(&self) -> Option<i64> {
        if self.scale.high < 0 {
            return None;
        }
        let bound = if self.negative { i64::MIN } else { i64::MAX };
        let Some(scale) = self.scale.small().and_then(|scale| u32::try_from(scale).ok()) else { return Some(bound) };
        // An i64 has 19 digits at most, so that these fit an i128.
        if self.digits.len() + scale as usize > 19 {
            return Some(bound);
        }
        let digits = if self.digits.is_empty() { 0 } else { self.digits.parse::<i128>().ok()? };
        let value = digits * 10_i128.pow(scale) * if self.negative { -1 } else { 1 };
        Some(i64::try_from(value).unwrap_or(bound))
    }
}

impl Scale {
    /// An exponent, moved by so many places.
    fn parse(exponent: &str, moved: i64) -> Option<Self> {
        let (negative, unsigned) = match exponent.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
        };
        if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = unsigned.trim_start_matches('0');
        let (high, low) = digits.split_at(digits.len().saturating_sub(LOW_DIGITS));
        if high.len() > LOW_DIGITS {
            return None;
        }
        let value = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
        let sign = if negative { -1 } else { 1 };
        let low = sign * value(low)? + i128::from(moved);
        Some(Self { high: sign * value(high)? + low.div_euclid(BASE), low: low.rem_euclid(BASE) })
    }

    /// The power, if it is none of those that nobody means.
    pub(crate) fn small(self) -> Option<i64> {
        i64::try_from(self.high.checked_mul(BASE)?.checked_add(self.low)?).ok()
    }

    /// All of it, the same for the same power only.
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.high.to_le_bytes());
        bytes[16..].copy_from_slice(&self.low.to_le_bytes());
        bytes
    }
}
