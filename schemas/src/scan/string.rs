//! Strings: the grammar, escapes, and text without the whitespace between tokens.

use std::borrow::Cow;

use super::walk::{Read, Scanner};

/// A string's content in the text, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(super) from: usize,
    pub(super) to: usize,
    /// How many escapes it holds. Not whether: a flag would leave the copies of a span in parts of words, for which
    /// a processor waits.
    pub(super) escapes: usize,
}

impl Span {
    /// Escapes resolved; as it stands where they can't be.
    pub(super) fn content(self, text: &str) -> Cow<'_, str> {
        let written = &text[self.from..self.to];
        if self.escapes == 0 { Cow::Borrowed(written) } else { resolved(written) }
    }

    /// The bytes of its content. Most strings are asked for no more, and their ends need not be looked at again.
    #[inline]
    pub(super) fn bytes(self, text: &str) -> Cow<'_, [u8]> {
        if self.escapes == 0 {
            return Cow::Borrowed(&text.as_bytes()[self.from..self.to]);
        }
        match resolved(&text[self.from..self.to]) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }
}

/// Reads a string where a value stands.
#[inline]
pub(super) fn value(scanner: &mut Scanner<'_>) -> Read<Span> {
    let span = scan(scanner)?;
    scanner.flawed(span);
    Ok(span)
}

/// Reads a string, and notes what makes it unfit; the scanner stands on its first quote.
#[inline]
pub(super) fn scan(scanner: &mut Scanner<'_>) -> Read<Span> {
    scanner.at += 1;
    let (from, mut escapes) = (scanner.at, 0);
    loop {
        scanner.at += plain(&scanner.text.as_bytes()[scanner.at..]);
        match scanner.peek() {
            Some(b'"') => {
                let span = Span { from, to: scanner.at, escapes };
                scanner.at += 1;
                return Ok(span);
            }
            Some(b'\\') => {
                escapes += 1;
                let flaw = escape(scanner)?;
                scanner.flaw = scanner.flaw.or(flaw);
            }
            Some(_) => return Err(scanner.malformed("a control character in a string is written as an escape")),
            None => return Err(scanner.malformed("the text ends within a string")),
        }
    }
}

/// Text without the whitespace between tokens, of JSON that has been scanned.
pub(super) fn without_space(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut text = String::with_capacity(json.len());
    let (mut at, mut from) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = after_string(bytes, at),
            b' ' | b'\t' | b'\n' | b'\r' => {
                text.push_str(&json[from..at]);
                let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
                at += bytes[at..].iter().take_while(|byte| space(byte)).count();
                from = at;
            }
            _ => at += 1,
        }
    }
    text.push_str(&json[from..]);
    text
}

#[cold]
fn resolved(written: &str) -> Cow<'_, str> {
    serde_json::from_str(&format!("\"{written}\"")).map_or(Cow::Borrowed(written), Cow::Owned)
}

/// Bytes up to the next quote, backslash or control character.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    // The lowest marked byte is right; what a borrow marks above it is never looked at.
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & TOPS;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let marks =
            below(word, 0x20) | below(word ^ (ONES * u64::from(b'"')), 1) | below(word ^ (ONES * u64::from(b'\\')), 1);
        if marks != 0 {
            return index * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let stop = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    words.len() * 8 + rest.iter().position(stop).unwrap_or(rest.len())
}

/// Reads an escape, and says what makes it unfit; the scanner stands on its backslash.
fn escape(scanner: &mut Scanner<'_>) -> Read<Option<&'static str>> {
    match scanner.text.as_bytes().get(scanner.at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
            scanner.at += 2;
            Ok(None)
        }
        Some(b'u') => Ok(match hex(scanner)? {
            0 => Some("holds the character U+0000, which tables can't keep"),
            0xd800..=0xdbff if scanner.text.as_bytes()[scanner.at..].starts_with(b"\\u") => {
                (!(0xdc00..=0xdfff).contains(&hex(scanner)?)).then_some(HALF)
            }
            0xd800..=0xdfff => Some(HALF),
            _ => None,
        }),
        _ => Err(scanner.malformed("expected one of \" \\ / b f n r t u after a backslash")),
    }
}

const HALF: &str = "holds half of a surrogate pair, which is no character";

/// Reads `\uXXXX`.
fn hex(scanner: &mut Scanner<'_>) -> Read<u32> {
    let digits = scanner.text.as_bytes().get(scanner.at + 2..scanner.at + 6).unwrap_or_default();
    let value = digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?));
    match value {
        Some(value) if digits.len() == 4 => {
            scanner.at += 6;
            Ok(value)
        }
        _ => Err(scanner.malformed("expected four hexadecimal digits after \\u")),
    }
}

/// The place after the string whose first quote is at `at`.
fn after_string(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found + 1;
        if bytes[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    bytes.len()
}
