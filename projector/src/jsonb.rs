//! What Postgres cannot hold, and what is stored in its place.
//!
//! Text columns cannot hold U+0000; jsonb cannot hold U+0000, a lone surrogate or a number beyond
//! numeric, and most of its readers no number beyond double precision. None of it may stop the
//! pipeline: the row shows a stand-in, the topic has the bytes.

use std::borrow::Cow;
use std::ops::Range;

/// A number of more digits, before or behind the point, is stored as text.
const MOST_DIGITS: usize = 1_000;
/// What stands for a character that cannot be stored, as JSON writes it.
const REPLACEMENT: &str = "\\ufffd";

/// Text with U+FFFD in place of each U+0000.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Sound JSON with stand-ins for what jsonb cannot hold: U+FFFD for U+0000 and lone surrogates,
/// text for numbers of more than 1,000 digits or beyond double precision.
pub fn storable(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut stored = String::new();
    let mut copied = 0;
    let mut at = 0;
    let mut replace = |range: Range<usize>, with: &str| {
        stored.push_str(&json[copied..range.start]);
        stored.push_str(with);
        copied = range.end;
    };
    let mut in_string = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                in_string = !in_string;
                at += 1;
            }
            b'\\' => {
                let (length, sound) = escape(&bytes[at..]);
                if !sound {
                    replace(at..at + length, REPLACEMENT);
                }
                at += length;
            }
            b'-' | b'0'..=b'9' if !in_string => {
                let length = bytes[at..].iter().take_while(|byte| is_of_number(**byte)).count();
                if !is_modest(&json[at..at + length]) {
                    replace(at..at + length, &format!("\"{}\"", &json[at..at + length]));
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    stored.push_str(&json[copied..]);
    Cow::Owned(stored)
}

/// Length of the escape that `bytes` begins with, a pair of surrogates counted as one, and whether
/// jsonb can hold it.
fn escape(bytes: &[u8]) -> (usize, bool) {
    let Some(unit) = code_unit(bytes) else { return (2, true) };
    match unit {
        0 | 0xdc00..=0xdfff => (6, false),
        0xd800..=0xdbff => match bytes.get(6..).and_then(code_unit) {
            Some(0xdc00..=0xdfff) => (12, true),
            _ => (6, false),
        },
        _ => (6, true),
    }
}

/// The UTF-16 code unit of a `\uXXXX` at the start of `bytes`.
fn code_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Whether a JSON number is within double precision and takes at most [`MOST_DIGITS`] digits when it
/// is written out.
fn is_modest(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent = exponent.trim_start_matches(['+', '-']).trim_start_matches('0');
    let exponent = if exponent.is_empty() { Ok(0) } else { exponent.parse::<usize>() };
    exponent.is_ok_and(|exponent| digits.len().saturating_add(exponent) <= MOST_DIGITS)
        && number.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sound_json_is_stored_as_it_is() {
        for json in [r#"{"a":[1,-2.5e10,"x\n\"\\u0000 \ud83d\ude00",null]}"#, "0", r#""""#, "1e308"] {
            assert!(matches!(storable(json), Cow::Borrowed(same) if same == json), "{json}");
        }
    }

    #[test]
    fn what_jsonb_cannot_hold_gets_a_stand_in() {
        assert_eq!(storable(r#"{"a\u0000b":"\u0000"}"#), r#"{"a\ufffdb":"\ufffd"}"#);
        assert_eq!(
            storable(r#"["\ud83d","\ude00x","\ud83d\ud83d\ude00"]"#),
            r#"["\ufffd","\ufffdx","\ufffd\ud83d\ude00"]"#
        );
        assert_eq!(storable("[1e400,-1E-200000,1]"), r#"["1e400","-1E-200000",1]"#);
        let long = "7".repeat(1_001);
        assert_eq!(storable(&long), format!("\"{long}\""));
        assert_eq!(storable(r#"{"1e999999":1e99999999999999999999}"#), r#"{"1e999999":"1e99999999999999999999"}"#);
    }

    #[test]
    fn an_escaped_backslash_hides_no_escape() {
        assert_eq!(storable(r#""\\u0000""#), r#""\\u0000""#);
        assert_eq!(storable(r#""\\\u0000""#), r#""\\\ufffd""#);
    }

    proptest! {
        #[test]
        fn what_comes_out_is_json_that_reads_alike_but_for_stand_ins(text in ".*", number: f64) {
            let json = serde_json::json!({ "text": text, "list": [number, text] }).to_string();
            let stored: serde_json::Value = serde_json::from_str(&storable(&json)).unwrap();
            let expected = text.replace('\0', "\u{fffd}");
            prop_assert_eq!(&stored["text"], &expected);
            prop_assert_eq!(plain(&text), expected);
        }
    }
}
