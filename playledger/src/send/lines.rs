//! Lines of a file or a pipe, none longer than a bound, without waiting for more than there is.

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// A line longer than this is no event: the gateway's largest is far below.
pub(super) const LONGEST: usize = 1 << 20;

/// Reads lines. Cancel safe: a dropped call loses nothing.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    /// What has been read of the next line.
    held: Vec<u8>,
    /// Whether the next line has gone over the bound; the rest of it is dropped.
    over: bool,
    /// Bytes of all lines handed out, ends included.
    taken: u64,
    /// Bytes of the next line so far.
    pending: u64,
    /// Lines handed out.
    number: u64,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Its bytes, without its end.
    Whole(Vec<u8>),
    /// It is longer than [`LONGEST`].
    TooLong,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Lines of a reader, of which so many bytes were taken before.
    pub(super) fn new(reader: R, taken: u64) -> Self {
        Self { reader, held: Vec::new(), over: false, taken, pending: 0, number: 0 }
    }

    /// Says how many lines were taken before.
    pub(super) fn number_from(&mut self, number: u64) {
        self.number = number;
    }

    /// The number of the last line handed out, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes up to the end of the last line handed out.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The next line; none at the end.
    pub(super) async fn next(&mut self) -> std::io::Result<Option<Line>> {
        loop {
            let read = self.reader.fill_buf().await?;
            if read.is_empty() {
                return Ok((self.pending > 0).then(|| self.hand_out()));
            }
            let end = memchr(read);
            let part = &read[..end.unwrap_or(read.len())];
            if self.held.len() + part.len() > LONGEST {
                self.over = true;
                self.held.clear();
            }
            if !self.over {
                self.held.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.pending += used as u64;
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(self.hand_out()));
            }
        }
    }

    fn hand_out(&mut self) -> Line {
        self.taken += std::mem::take(&mut self.pending);
        self.number += 1;
        let line = std::mem::take(&mut self.held);
        if std::mem::take(&mut self.over) { Line::TooLong } else { Line::Whole(line) }
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(bytes: &[u8]) -> Vec<Line> {
        // A small buffer, so that lines fall apart.
        let mut lines = Lines::new(tokio::io::BufReader::with_capacity(7, bytes), 0);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        assert_eq!(lines.taken(), bytes.len() as u64);
        found
    }

    #[tokio::test]
    async fn lines_come_whole_whatever_the_buffer() {
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        assert_eq!(
            all(b"first line\n\nthird, unended").await,
            [whole("first line"), whole(""), whole("third, unended")]
        );
        assert_eq!(all(b"").await, []);
        assert_eq!(all(b"\n").await, [whole("")]);
    }

    #[tokio::test]
    async fn a_line_without_end_takes_no_memory() {
        let mut bytes = vec![b'x'; LONGEST + 10];
        bytes.extend_from_slice(b"\nnext\n");
        assert_eq!(all(&bytes).await, [Line::TooLong, Line::Whole(b"next".to_vec())]);
    }
}
