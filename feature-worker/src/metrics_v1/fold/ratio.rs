//! The double nearest to an exact quotient.

use num_bigint::BigUint;

/// Integers up to here are doubles without loss.
const EXACT: u128 = 1 << 53;
/// Bits of quotient that are formed before it is rounded once: more than a double's 53 and a guard.
const QUOTIENT_BITS: i64 = 66;

/// `numerator / denominator`, rounded once to the nearest double, ties to even; none over 0.
///
/// Both are sums of integers and never negative.
pub fn ratio(numerator: impl Into<BigUint>, denominator: impl Into<BigUint>) -> Option<f64> {
    let (numerator, denominator) = (numerator.into(), denominator.into());
    if denominator == BigUint::ZERO {
        return None;
    }
    if let (Ok(numerator), Ok(denominator)) = (u128::try_from(&numerator), u128::try_from(&denominator))
        && numerator <= EXACT
        && denominator <= EXACT
    {
        return Some(to_double(numerator) / to_double(denominator));
    }
    let bits = |value: &BigUint| i64::try_from(value.bits()).unwrap_or(i64::MAX);
    let shift = QUOTIENT_BITS - (bits(&numerator) - bits(&denominator));
    let (numerator, denominator) = match u64::try_from(shift) {
        Ok(up) => (numerator << up, denominator),
        Err(_) => (numerator, denominator << shift.unsigned_abs()),
    };
    let quotient = &numerator / &denominator;
    let exact = &quotient * &denominator == numerator;
    // A last bit of 1 stands for whatever lies below it: it breaks a tie upward, as the rest would.
    let sticky = u128::try_from(&quotient).unwrap_or(u128::MAX) | u128::from(!exact);
    let scale = i32::try_from(-shift).unwrap_or(i32::MIN);
    Some(to_double(sticky) * 2_f64.powi(scale))
}

#[expect(clippy::cast_precision_loss, reason = "rounds to nearest, ties to even: what is asked for")]
fn to_double(value: u128) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_over_nothing_is_none() {
        assert_eq!(ratio(0_u64, 0_u64), None);
        assert_eq!(ratio(3_u64, 0_u64), None);
        assert_eq!(ratio(0_u64, 7_u64), Some(0.0));
    }

    #[test]
    fn small_quotients_are_plain_division() {
        assert_eq!(ratio(5_u64, 6_u64), Some(5.0 / 6.0));
        assert_eq!(ratio(46_u64, 3_u64), Some(46.0 / 3.0));
    }

    /// Values that an exact rational division (Python's int / int) gives.
    #[test]
    fn large_quotients_are_rounded_once() {
        let big = (1_u128 << 53) + 1;
        assert_eq!(ratio(big, 1_u64), Some(9_007_199_254_740_992.0));
        assert_eq!(ratio((1_u128 << 53) + 3, 1_u64), Some(9_007_199_254_740_996.0));
        assert_eq!(ratio(123_456_789_012_345_678_901_234_567_u128, 987_654_321_u64), Some(1.249_999_988_734_375e17));
        assert_eq!(ratio(10_u64, 3_000_000_000_000_000_000_000_u128), Some(3.333_333_333_333_333_3e-21));
    }
}
