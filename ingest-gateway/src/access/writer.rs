//! Writes lines, batch by batch, to a file or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::entry::Entry;
use crate::metrics;

/// How long an order may wait where no line comes.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Lines of one write, beside its first.
const BATCH: usize = 511;

/// The end that writes.
pub(super) struct Writer {
    /// None for standard output.
    path: Option<PathBuf>,
    into: Box<dyn Write + Send>,
    /// Whether the last write ended within a line.
    torn: bool,
    failing: bool,
}

impl Writer {
    /// Opens the file, or standard output.
    pub(super) fn new(path: Option<PathBuf>) -> io::Result<Self> {
        let into: Box<dyn Write + Send> = match &path {
            Some(path) => Box::new(append_to(path)?),
            None => Box::new(io::stdout()),
        };
        Ok(Self { path, into, torn: false, failing: false })
    }

    /// Writes what comes until it is told to close and nothing more comes.
    pub(super) fn run(mut self, lines: &Receiver<Entry>, reopen: &AtomicBool, closing: &AtomicBool) {
        loop {
            if reopen.swap(false, Ordering::SeqCst) {
                self.open_again();
            }
            match lines.recv_timeout(LOOK_EVERY) {
                Ok(first) => self.write(first, lines),
                Err(RecvTimeoutError::Timeout) if !closing.load(Ordering::SeqCst) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self, first: Entry, lines: &Receiver<Entry>) {
        let mut batch = if self.torn { b"\n".to_vec() } else { Vec::new() };
        let mut count = 0;
        for entry in std::iter::once(first).chain(lines.try_iter().take(BATCH)) {
            // Strings and numbers: there is nothing that could fail.
            let _ = serde_json::to_writer(&mut batch, &entry);
            batch.push(b'\n');
            count += 1;
        }
        let written = self.into.write_all(&batch).and_then(|()| self.into.flush());
        self.torn = written.is_err();
        match written {
            Ok(()) => metrics::access_written(count),
            Err(error) => {
                metrics::access_dropped("write_failed", count);
                if !self.failing {
                    tracing::error!(%error, "the access log can't be written to; its lines are lost until it can");
                }
            }
        }
        self.failing = self.torn;
    }

    /// What cannot be opened again leaves the one that is open in use.
    fn open_again(&mut self) {
        let Some(path) = &self.path else { return };
        match append_to(path) {
            Ok(file) => {
                self.into = Box::new(file);
                self.torn = false;
                tracing::info!(file = %path.display(), "access log opened again");
            }
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "the access log can't be opened again; the old file stays in use");
            }
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}
