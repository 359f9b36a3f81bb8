//! A number's hash, by its exact decimal value.

use super::{Kind, seeded};
use crate::decimal::Decimal;

/// Nothing where the text is no number.
pub(super) fn hash(written: &str) -> Option<u64> {
    let number = Decimal::parse(written)?;
    if number.digits.is_empty() {
        return Some(seeded(Kind::Number, b"0"));
    }
    let negative = u8::from(number.negative);
    let place = match number.scale.small().filter(|scale| scale << 1 >> 1 == *scale) {
        Some(scale) => seeded(Kind::Number, &(scale << 1 | i64::from(negative)).to_le_bytes()),
        None => seeded(Kind::Number, &[number.scale.to_bytes().as_slice(), &[negative]].concat()),
    };
    Some(place ^ seeded(Kind::Number, number.digits.as_bytes()).rotate_left(1))
}
