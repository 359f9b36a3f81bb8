//! The fingerprint of an event: equal for what EVENTS.md calls the same body, blind to the order of
//! members, whitespace, escapes, null or absent, 1 or 1.0, and the case of ids.
//!
//! Exact decimals are compared, not doubles: two numbers that differ in their 30th digit are different bodies.

use std::fmt::Write as _;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::scan::unescape;

mod number;
mod walk;

use walk::Walk;

/// Version of the rules here: another version's fingerprints say nothing about ours.
pub const VERSION: u32 = 1;

/// Members whose value is the same in any case.
const ANY_CASE: [&str; 2] = ["event_id", "session_id"];

/// The fingerprint of an event's JSON, as [`crate::scan`] took it. Of other text it is that of its bytes.
pub fn fingerprint(json: &str) -> u64 {
    let mut walk = Walk::new(json);
    match value(&mut walk, 0, false) {
        Some(Some(hash)) if walk.at_end() => hash,
        Some(None) if walk.at_end() => seeded(Kind::Null, &[]),
        _ => seeded(Kind::Unread, json.as_bytes()),
    }
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

/// Keeps a string apart from a number that is written alike.
#[derive(Clone, Copy)]
enum Kind {
    Null = 1,
    Bool,
    Number,
    Text,
    Array,
    Object,
    Unread,
}

/// Deeper is no event; the walk must not outgrow the stack.
const MAX_DEPTH: usize = 128;

/// The hash of the next value, none for null; nothing at all where the text is not JSON.
#[expect(clippy::option_option, reason = "no JSON and null are two things")]
fn value(walk: &mut Walk<'_>, depth: usize, any_case: bool) -> Option<Option<u64>> {
    if depth > MAX_DEPTH {
        return None;
    }
    match walk.peek()? {
        b'{' => object(walk, depth).map(Some),
        b'[' => array(walk, depth).map(Some),
        b'"' => {
            let text = walk.string()?;
            let text = unescape(text.content, text.escaped);
            let hash = if any_case && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                seeded(Kind::Text, text.to_ascii_lowercase().as_bytes())
            } else {
                seeded(Kind::Text, text.as_bytes())
            };
            Some(Some(hash))
        }
        b'n' => walk.word("null").map(|()| None),
        b't' => walk.word("true").map(|()| Some(seeded(Kind::Bool, b"1"))),
        b'f' => walk.word("false").map(|()| Some(seeded(Kind::Bool, b"0"))),
        _ => number::hash(walk.number()?).map(Some),
    }
}

/// Members are summed up, so that their order says nothing.
fn object(walk: &mut Walk<'_>, depth: usize) -> Option<u64> {
    let (mut sum, mut members) = (0_u64, 0_u64);
    let mut more = walk.open(b'{', b'}')?;
    while more {
        let name = walk.string()?;
        let name = unescape(name.content, name.escaped);
        walk.take(b':')?;
        let any_case = depth == 0 && ANY_CASE.contains(&&*name);
        if let Some(hash) = value(walk, depth + 1, any_case)? {
            sum = sum.wrapping_add(xxh3_64_with_seed(&hash.to_le_bytes(), xxh3_64(name.as_bytes())));
            members += 1;
        }
        more = walk.more(b'}')?;
    }
    Some(seeded(Kind::Object, &pair(sum, members)))
}

fn array(walk: &mut Walk<'_>, depth: usize) -> Option<u64> {
    let mut whole = seeded(Kind::Array, &[]);
    let mut more = walk.open(b'[', b']')?;
    while more {
        let hash = value(walk, depth + 1, false)?.unwrap_or_else(|| seeded(Kind::Null, &[]));
        whole = seeded(Kind::Array, &pair(whole, hash));
        more = walk.more(b']')?;
    }
    Some(whole)
}

fn seeded(kind: Kind, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, kind as u64)
}

fn pair(left: u64, right: u64) -> [u8; 16] {
    (u128::from(left) << 64 | u128::from(right)).to_le_bytes()
}

#[cfg(test)]
mod tests;
