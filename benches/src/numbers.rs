//! Counts and times as factors of a figure.
#![expect(clippy::cast_precision_loss, reason = "figures to be read")]

/// A count.
pub fn count(number: usize) -> f64 {
    number as f64
}

/// Microseconds in milliseconds.
pub fn milliseconds(us: u64) -> f64 {
    us as f64 / 1e3
}

/// How large a part is of a whole, which counts as 1 at least.
pub fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
