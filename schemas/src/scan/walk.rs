//! The walk over the tokens: objects, arrays, literals, whitespace, and where it stands.

use std::borrow::Cow;

use super::keys::Keys;
use super::pointer::{self, Step};
use super::string::Span;
use super::{MAX_DEPTH, MAX_KEYS, ScanError, string, value};
use crate::body::hash;
use crate::field_error::{FieldCode, FieldError};

/// What is read, or why it is no JSON; small, because it is handed up through each value.
pub(crate) type Read<T> = Result<T, Box<ScanError>>;

/// Stands in the bytes before the next token.
pub(crate) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// What is known of the piece that it is in.
    piece: State,
    keys: Keys,
    /// By depth: the member or element that it is in.
    path: [Step; MAX_DEPTH + 1],
    depth: usize,
    /// What makes the string unfit that has just been read.
    pub(super) flaw: Option<&'static str>,
}

/// The name of a member.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    pub(super) span: Span,
    pub(super) hash: u64,
}

/// One value of the whole, judged for itself.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    /// Its bytes as they came.
    pub(crate) raw: &'a str,
    /// Whether there is whitespace between its tokens.
    pub(crate) spaced: bool,
    /// The first thing that makes it unfit.
    pub(crate) fault: Option<FieldError>,
    /// Of no meaning where it is unfit.
    pub(crate) fingerprint: u64,
}

#[derive(Default)]
struct State {
    /// Depth at which it began.
    base: usize,
    spaced: bool,
    keys: usize,
    fault: Option<FieldError>,
}

impl<'a> Scanner<'a> {
    /// Begins before the first token.
    pub(crate) fn new(bytes: &'a [u8]) -> Read<Self> {
        let problem = match bytes {
            [0xef, 0xbb, 0xbf, ..] => "the text begins with a byte order mark: send UTF-8 without one",
            [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, _, ..] | [_, 0, ..] => "the text is UTF-16 or UTF-32: send UTF-8",
            _ => "these bytes are not UTF-8",
        };
        let malformed = |offset| malformed(bytes, offset, problem);
        let marked = matches!(bytes, [0xef, 0xbb, 0xbf, ..] | [0, _, ..] | [_, 0, ..]);
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.valid_up_to()))?;
        if marked {
            return Err(malformed(0));
        }
        let path = [Step::Index(0); MAX_DEPTH + 1];
        Ok(Self { text, at: 0, piece: State::default(), keys: Keys::new(), path, depth: 0, flaw: None })
    }

    /// Reads one value and judges it for itself, whatever is wrong around it.
    pub(crate) fn piece(&mut self) -> Read<Piece<'a>> {
        self.next();
        let from = self.at;
        let around = std::mem::replace(&mut self.piece, State { base: self.depth, ..State::default() });
        let fingerprint = value::scan(self)?;
        let state = std::mem::replace(&mut self.piece, around);
        Ok(Piece { raw: &self.text[from..self.at], spaced: state.spaced, fault: state.fault, fingerprint })
    }

    /// Reads one value.
    pub(crate) fn value(&mut self) -> Read<()> {
        value::scan(self).map(drop)
    }

    /// Reads an object, if one is next; `member` reads each value and is told its name.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, Name) -> Read<()>) -> Read<()> {
        self.enter()?;
        let mark = self.keys.open();
        if self.next() == Some(b'}') {
            self.at += 1;
            self.leave(mark);
            return Ok(());
        }
        loop {
            if self.next() != Some(b'"') {
                return Err(self.malformed("expected a name in double quotes"));
            }
            let name = self.name(mark)?;
            if self.next() != Some(b':') {
                return Err(self.malformed("expected `:` after a name"));
            }
            self.at += 1;
            member(self, name)?;
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    self.leave(mark);
                    return Ok(());
                }
                _ => return Err(self.malformed("expected `,` or `}` after a member of an object")),
            }
        }
    }

    /// Reads an array, if one is next; `element` reads each value.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.enter()?;
        if self.next() == Some(b']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        for index in 0.. {
            self.path[self.depth] = Step::Index(index);
            element(self)?;
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.malformed("expected `,` or `]` after an element of an array")),
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// The first byte of the next token.
    pub(crate) fn next(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
            self.piece.spaced = true;
        }
        bytes.get(self.at).copied()
    }

    /// The bytes of a name, escapes resolved.
    pub(crate) fn bytes_of(&self, name: Name) -> Cow<'a, [u8]> {
        name.span.bytes(self.text)
    }

    /// Makes sure that nothing follows.
    pub(crate) fn end(&mut self) -> Read<()> {
        self.next();
        if self.at == self.text.len() { Ok(()) } else { Err(self.malformed("expected nothing after the JSON value")) }
    }

    /// What is wrong outside of all pieces.
    pub(crate) fn fault(&mut self) -> Option<FieldError> {
        self.piece.fault.take()
    }

    #[cold]
    #[expect(clippy::unnecessary_box_returns, reason = "as Read has it")]
    pub(super) fn malformed(&self, problem: &'static str) -> Box<ScanError> {
        malformed(self.text.as_bytes(), self.at, problem)
    }

    /// Notes the piece's first fault, where the scanner stands.
    pub(super) fn unfit(&mut self, code: FieldCode, message: impl Into<String>) {
        if self.piece.fault.is_none() {
            self.piece.fault = Some(FieldError::new(self.pointer(), code, message));
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether a piece begins where it stands.
    pub(super) fn is_outermost(&self) -> bool {
        self.depth == self.piece.base
    }

    /// Notes what is wrong with a string, if anything.
    pub(super) fn flawed(&mut self, string: Span) {
        if string.escapes > 0
            && let Some(flaw) = self.flaw.take()
        {
            self.unfit(FieldCode::Encoding, flaw);
        }
    }

    pub(super) fn literal(&mut self, word: &'static str) -> Read<()> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.malformed("expected true, false or null"))
    }

    /// Reads the name of a member, and judges it beside those of its object.
    fn name(&mut self, mark: usize) -> Read<Name> {
        let span = string::scan(self)?;
        self.path[self.depth] = Step::Name(span);
        self.flawed(span);
        let name = Name { span, hash: hash::name(&span.bytes(self.text)) };
        self.note(name, mark);
        Ok(name)
    }

    fn enter(&mut self) -> Read<()> {
        if self.depth == MAX_DEPTH {
            return Err(self.malformed("more than 32 objects and arrays within each other"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self, mark: usize) {
        if let Some(name) = self.keys.close(mark, self.text) {
            self.path[self.depth] = Step::Name(name);
            self.doubled();
        }
        self.depth -= 1;
    }

    fn note(&mut self, name: Name, mark: usize) {
        self.piece.keys += 1;
        if self.piece.fault.is_some() {
            return;
        }
        if self.piece.keys > MAX_KEYS {
            self.unfit(FieldCode::TooManyNames, format!("holds more than {MAX_KEYS} member names"));
        } else if self.keys.note(name, mark, self.text) {
            self.doubled();
        }
    }

    fn doubled(&mut self) {
        self.unfit(FieldCode::DoubledKey, "stands twice in its object: send it once");
    }

    fn pointer(&self) -> String {
        pointer::of(&self.path[self.piece.base + 1..=self.depth.max(self.piece.base)], self.text)
    }
}

impl<'a> Piece<'a> {
    /// Its bytes less the whitespace between tokens.
    pub(crate) fn compact(&self) -> Cow<'a, str> {
        if self.spaced { Cow::Owned(string::without_space(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "as Read has it")]
fn malformed(bytes: &[u8], offset: usize, problem: &'static str) -> Box<ScanError> {
    let before = &bytes[..offset.min(bytes.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    // Bytes that begin a character; also right where the text is no UTF-8 further on.
    let column = before[line_start..].iter().filter(|byte| (**byte & 0xc0) != 0x80).count() + 1;
    Box::new(ScanError::Malformed { offset, line, column, problem })
}
