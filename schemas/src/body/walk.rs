//! The tokens of JSON that has been scanned before; gives up, without a word, on anything else.

/// Stands before the next token.
pub(super) struct Walk<'a> {
    text: &'a str,
    at: usize,
}

/// A string as it is written, without its quotes.
pub(super) struct Written<'a> {
    pub(super) content: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The first byte of the next token.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Enters an object or array; whether there is anything in it.
    pub(super) fn open(&mut self, open: u8, close: u8) -> Option<bool> {
        self.take(open)?;
        Some(self.take(close).is_none())
    }

    /// After a value: whether another follows.
    pub(super) fn more(&mut self, close: u8) -> Option<bool> {
        if self.take(b',').is_some() {
            return Some(true);
        }
        self.take(close).map(|()| false)
    }

    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    pub(super) fn string(&mut self) -> Option<Written<'a>> {
        self.take(b'"')?;
        let (from, mut escaped) = (self.at, false);
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.text.as_bytes().get(self.at..)?)?;
            let at = self.at + found;
            if self.text.as_bytes()[at] == b'"' {
                self.at = at + 1;
                return Some(Written { content: &self.text[from..at], escaped });
            }
            escaped = true;
            self.at = at + 2;
        }
    }

    /// A number's text; whatever else stands there is judged by who reads it.
    pub(super) fn number(&mut self) -> Option<&'a str> {
        self.peek()?;
        let rest = &self.text[self.at..];
        let part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().position(|byte| !part(byte)).unwrap_or(rest.len());
        self.at += length;
        Some(&rest[..length])
    }
}
