//! Numbers: the grammar, and the bounds of what a double holds.

use super::walk::Scanner;
use super::{MAX_NUMBER_BYTES, ScanError};
use crate::field_error::FieldCode;

/// Reads a number.
pub(super) fn scan(scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let from = scanner.at;
    if scanner.peek() == Some(b'-') {
        scanner.at += 1;
    }
    if scanner.peek() == Some(b'0') {
        scanner.at += 1;
        if scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(scanner.malformed("a number has no zeros before its first digit"));
        }
    } else {
        digits(scanner)?;
    }
    if scanner.peek() == Some(b'.') {
        scanner.at += 1;
        digits(scanner)?;
    }
    let mut scaled = false;
    if let Some(b'e' | b'E') = scanner.peek() {
        scaled = true;
        scanner.at += 1;
        if let Some(b'+' | b'-') = scanner.peek() {
            scanner.at += 1;
        }
        digits(scanner)?;
    }
    let written = &scanner.text[from..scanner.at];
    if written.len() > MAX_NUMBER_BYTES {
        scanner.unfit(FieldCode::Range, format!("a number is written in at most {MAX_NUMBER_BYTES} bytes"));
    } else if scaled && !written.parse::<f64>().is_ok_and(f64::is_finite) {
        // Without an exponent so few digits always fit.
        scanner.unfit(FieldCode::Range, "must be a number that a 64-bit double can hold");
    }
    Ok(())
}

fn digits(scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let from = scanner.at;
    while scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        scanner.at += 1;
    }
    if scanner.at == from { Err(scanner.malformed("expected a digit")) } else { Ok(()) }
}
