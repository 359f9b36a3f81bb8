//! The fingerprint of an event: equal for what EVENTS.md calls the same body, blind to the order of
//! members, whitespace, escapes, null or absent, 1 or 1.0, and the case of ids.
//!
//! Exact decimals are compared, not doubles: two numbers that differ in their 30th digit are different bodies.

use std::fmt::Write as _;

use crate::scan;

pub(crate) mod hash;
pub(crate) mod number;

use hash::{Kind, seeded};

/// Version of the rules here: another version's fingerprints say nothing about ours.
pub const VERSION: u32 = 1;

/// The fingerprint of an event's JSON, as [`crate::scan`] took it. Of other text it is that of its bytes.
pub fn fingerprint(json: &str) -> u64 {
    scan::scan(json.as_bytes()).map_or_else(|_| seeded(Kind::Unread, json.as_bytes()), |scanned| scanned.fingerprint)
}

/// The text form for headers: the version, a colon, 16 hexadecimal digits.
pub fn to_header(fingerprint: u64) -> String {
    let mut text = String::with_capacity(18);
    // Writing to a string does not fail.
    let _ = write!(text, "{VERSION}:{fingerprint:016x}");
    text
}

/// Reads the text form; none where it is of another version or no fingerprint.
pub fn from_header(text: &[u8]) -> Option<u64> {
    let (version, digits) = std::str::from_utf8(text).ok()?.split_once(':')?;
    let sound = digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (sound && version.parse() == Ok(VERSION)).then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
