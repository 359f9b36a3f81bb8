//! A number's hash, by its exact decimal value.

use super::hash::{Kind, seeded};
use crate::decimal::Decimal;
use crate::scan::MAX_NUMBER_BYTES;

/// Of a number without an exponent: its digits before and after the point, [`MAX_NUMBER_BYTES`] at most.
pub(crate) fn plain(negative: bool, whole: &[u8], fraction: &[u8]) -> u64 {
    let fraction = without_last_zeros(fraction);
    let mut joined = [0; MAX_NUMBER_BYTES];
    let digits = if fraction.is_empty() {
        whole
    } else {
        // Most numbers are so short that two calls to copy them cost more.
        for (to, digit) in joined.iter_mut().zip(whole.iter().chain(fraction)) {
            *to = *digit;
        }
        &joined[..MAX_NUMBER_BYTES.min(whole.len() + fraction.len())]
    };
    let significant = without_last_zeros(digits);
    let places = |digits: &[u8]| (digits.len() as u64).cast_signed();
    let scale = places(digits) - places(significant) - places(fraction);
    hash(negative, without_first_zeros(significant), scale)
}

/// Of any number; none where the text is none.
pub(crate) fn scaled(written: &str) -> Option<u64> {
    let number = Decimal::parse(written)?;
    let digits = number.digits.as_bytes();
    if let Some(scale) = number.scale.small().filter(|scale| scale << 1 >> 1 == *scale) {
        return Some(hash(number.negative, digits, scale));
    }
    let place = [number.scale.to_bytes().as_slice(), &[u8::from(number.negative)]].concat();
    Some(joined(seeded(Kind::Number, &place), digits))
}

/// By significant digits, none for zero, and the power of ten that they are multiplied by.
fn hash(negative: bool, digits: &[u8], scale: i64) -> u64 {
    if digits.is_empty() {
        return seeded(Kind::Number, b"0");
    }
    joined(seeded(Kind::Number, &(scale << 1 | i64::from(negative)).to_le_bytes()), digits)
}

fn joined(place: u64, digits: &[u8]) -> u64 {
    place ^ seeded(Kind::Number, digits).rotate_left(1)
}

fn without_first_zeros(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

fn without_last_zeros(mut digits: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    digits
}
