//! Values of any kind, and their hashes: what stands where, and what it counts for in a fingerprint.

use super::walk::{Read, Scanner};
use super::{number, string};
use crate::body::hash::{self, Elements, Members};

/// In the place of the hash of what is unfit: nobody asks for the fingerprint of the piece that it is in.
pub(super) const UNFIT: u64 = 0;

/// Reads one value; its hash.
pub(super) fn scan(scanner: &mut Scanner<'_>) -> Read<u64> {
    match scanner.next() {
        Some(b'{') => object(scanner),
        Some(b'[') => array(scanner),
        Some(b'"') => {
            let text = string::value(scanner)?;
            Ok(hash::text(&text.bytes(scanner.text)))
        }
        Some(b'-' | b'0'..=b'9') => number::scan(scanner),
        Some(b't') => scanner.literal("true").map(|()| hash::bool(true)),
        Some(b'f') => scanner.literal("false").map(|()| hash::bool(false)),
        Some(b'n') => scanner.literal("null").map(|()| hash::null()),
        None => Err(scanner.malformed("the text ends where a JSON value should stand")),
        Some(_) => Err(scanner.malformed("expected a JSON value; NaN and Infinity are none")),
    }
}

fn object(scanner: &mut Scanner<'_>) -> Read<u64> {
    let mut members = Members::default();
    let is_event = scanner.is_outermost();
    scanner.object(|scanner, name| {
        let first = scanner.next();
        let value = if is_event && first == Some(b'"') && hash::is_id(&name.span.bytes(scanner.text)) {
            let id = string::value(scanner)?;
            hash::id(&id.bytes(scanner.text))
        } else {
            scan(scanner)?
        };
        if first != Some(b'n') {
            members.add(name.hash, value);
        }
        Ok(())
    })?;
    Ok(members.hash())
}

fn array(scanner: &mut Scanner<'_>) -> Read<u64> {
    let mut elements = Elements::new();
    scanner.array(|scanner| {
        elements.add(scan(scanner)?);
        Ok(())
    })?;
    Ok(elements.hash())
}
