//! Data to standard output, words to standard error; neither panics when its reader has gone.

use std::io::{self, Write as _};

use thiserror::Error;

/// Nobody reads standard output any more, as after `| head`.
#[derive(Debug, Error)]
#[error("standard output was closed")]
pub struct Closed;

/// A command was asked for something that it can't do as asked: exit status 2.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Writes a line of data.
///
/// # Errors
/// [`Closed`] when nobody reads it; another when it can't be written.
pub fn data(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Closed.into(),
        _ => anyhow::Error::from(error).context("writing to standard output"),
    })
}

/// Says a line to the person at the terminal.
pub fn say(line: &str) {
    // Nothing is left to do where nobody listens.
    let _ = writeln!(io::stderr(), "{line}");
}
