//! Numbers by their exact decimal value: 1, 1.0, 10e-1 and 0.1E1 are one.

use super::{Kind, seeded};

/// A number's hash; nothing where the text is no number.
pub(super) fn hash(written: &str) -> Option<u64> {
    let (negative, unsigned) = written.strip_prefix('-').map_or((false, written), |rest| (true, rest));
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The significant digits stand in up to two pieces of the text; most numbers need no copy.
    let joined;
    let digits = if fraction.is_empty() {
        whole
    } else {
        joined = [whole, fraction].concat();
        &joined
    };
    let trimmed = digits.trim_end_matches('0');
    let significant = trimmed.trim_start_matches('0');
    if significant.is_empty() {
        return Some(seeded(Kind::Number, b"0"));
    }
    let dropped = i64::try_from(digits.len() - trimmed.len()).ok()?;
    let scale = exponent.checked_add(dropped)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let place = seeded(Kind::Number, &(scale << 1 | i64::from(negative)).to_le_bytes());
    Some(place ^ seeded(Kind::Number, significant.as_bytes()).rotate_left(1))
}
