//! Numbers of schemas, compared exactly or not at all.

use std::cmp::Ordering;

use serde_json::Value;

/// Beyond it a double does not hold every whole number.
const EXACT: i128 = 1 << 53;

/// How two numbers compare; none where that can't be said exactly.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => double(left)?.partial_cmp(&double(right)?),
    }
}

/// A number that is written as a whole one.
pub(super) fn whole(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

/// A length or a count, which may be written as `3.0`.
pub(super) fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let double = value.as_f64().filter(|double| double.fract() == 0.0)?;
        format!("{double:.0}").parse().ok()
    })
}

fn double(value: &Value) -> Option<f64> {
    match whole(value) {
        Some(whole) if whole.abs() > EXACT => None,
        _ => value.as_f64(),
    }
}
