//! Numbers: the grammar, and the bounds of what a double holds.

use super::walk::{Read, Scanner};
use super::{MAX_NUMBER_BYTES, value};
use crate::body::{hash, number};
use crate::field_error::FieldCode;

/// Reads a number; its hash.
pub(super) fn scan(scanner: &mut Scanner<'_>) -> Read<u64> {
    let from = scanner.at;
    let negative = scanner.peek() == Some(b'-');
    scanner.at += usize::from(negative);
    let whole = scanner.at;
    if scanner.peek() == Some(b'0') {
        scanner.at += 1;
        if scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(scanner.malformed("a number has no zeros before its first digit"));
        }
    } else {
        digits(scanner)?;
    }
    let point = scanner.at;
    let mut fraction = point;
    if scanner.peek() == Some(b'.') {
        scanner.at += 1;
        fraction = scanner.at;
        digits(scanner)?;
    }
    let mantissa = scanner.at;
    if let Some(b'e' | b'E') = scanner.peek() {
        scanner.at += 1;
        if let Some(b'+' | b'-') = scanner.peek() {
            scanner.at += 1;
        }
        digits(scanner)?;
    }
    let bytes = scanner.text.as_bytes();
    if scanner.at - from > MAX_NUMBER_BYTES {
        scanner.unfit(FieldCode::Range, format!("a number is written in at most {MAX_NUMBER_BYTES} bytes"));
    } else if scanner.at == mantissa {
        // So few digits always fit a double.
        return Ok(number::plain(negative, &bytes[whole..point], &bytes[fraction..mantissa]));
    } else {
        let written = &scanner.text[from..scanner.at];
        if written.parse::<f64>().is_ok_and(f64::is_finite) {
            // It has just been read as a number, and its exponent has fewer digits than a decimal has room for.
            return Ok(number::scaled(written).unwrap_or_else(hash::null));
        }
        scanner.unfit(FieldCode::Range, "must be a number that a 64-bit double can hold");
    }
    Ok(value::UNFIT)
}

fn digits(scanner: &mut Scanner<'_>) -> Read<()> {
    let from = scanner.at;
    while scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        scanner.at += 1;
    }
    if scanner.at == from { Err(scanner.malformed("expected a digit")) } else { Ok(()) }
}
