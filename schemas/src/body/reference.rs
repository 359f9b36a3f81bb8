//! The rules of a fingerprint written down plainly, over values that serde_json has read: what the scan's must be.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::decimal::Decimal;

/// The fingerprint of JSON without doubled names.
pub(super) fn fingerprint(json: &str) -> u64 {
    value(serde_json::from_str(json).unwrap(), true, false).unwrap_or(xxh3_64_with_seed(&[], 1))
}

/// None for null.
fn value(raw: &RawValue, is_event: bool, is_id: bool) -> Option<u64> {
    let json = raw.get();
    Some(match json.as_bytes()[0] {
        b'n' => return None,
        b't' => xxh3_64_with_seed(b"1", 2),
        b'f' => xxh3_64_with_seed(b"0", 2),
        b'"' => {
            let text: String = serde_json::from_str(json).unwrap();
            xxh3_64_with_seed(if is_id { text.to_ascii_lowercase() } else { text }.as_bytes(), 4)
        }
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(json).unwrap();
            elements.into_iter().fold(xxh3_64_with_seed(&[], 5), |whole, element| {
                let element = value(element, false, false).unwrap_or(xxh3_64_with_seed(&[], 1));
                xxh3_64_with_seed(&[element.to_le_bytes(), whole.to_le_bytes()].concat(), 5)
            })
        }
        b'{' => {
            let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).unwrap();
            let hashes: Vec<u64> = members
                .iter()
                .filter_map(|(name, raw)| {
                    let hash = value(raw, false, is_event && ["event_id", "session_id"].contains(&&**name))?;
                    Some(xxh3_64_with_seed(&hash.to_le_bytes(), xxh3_64(name.as_bytes())))
                })
                .collect();
            let sum = hashes.iter().fold(0_u64, |sum, hash| sum.wrapping_add(*hash));
            xxh3_64_with_seed(&[(hashes.len() as u64).to_le_bytes(), sum.to_le_bytes()].concat(), 6)
        }
        _ => number(json),
    })
}

fn number(written: &str) -> u64 {
    let number = Decimal::parse(written).unwrap();
    if number.digits.is_empty() {
        return xxh3_64_with_seed(b"0", 3);
    }
    let place = match number.scale.small().filter(|scale| (i64::MIN / 2..=i64::MAX / 2).contains(scale)) {
        Some(scale) => (scale * 2 + i64::from(number.negative)).to_le_bytes().to_vec(),
        None => [number.scale.to_bytes().as_slice(), &[u8::from(number.negative)]].concat(),
    };
    xxh3_64_with_seed(&place, 3) ^ xxh3_64_with_seed(number.digits.as_bytes(), 3).rotate_left(1)
}
