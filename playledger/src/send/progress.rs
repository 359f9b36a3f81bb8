//! How far a file has been sent, kept beside it, so that an interrupted run goes on there.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::counts::Counts;
use crate::folder::replace;
use crate::output::say;

/// So many bytes before the place are held to be the same ones.
const CHECKED: u64 = 64 << 10;

/// How far a file has been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The gateway's URL: a run at another one starts at the beginning.
    pub gateway: String,
    /// Bytes of the file that are done.
    pub bytes: u64,
    /// Lines that are done.
    pub lines: u64,
    /// What became of them.
    pub counts: Counts,
    /// SHA-256 of the bytes before the place, at most 64 KB of them.
    pub before: String,
}

/// Keeps the progress of one run; of nothing where there is nothing to come back to.
#[derive(Debug)]
pub(super) struct Keeper {
    file: Option<PathBuf>,
    gateway: String,
    given_up: bool,
}

impl Keeper {
    /// Keeps how far a file has been sent to the gateway at this URL. What is no regular file, as a
    /// named pipe, can't be gone on with, so nothing is kept of it.
    pub(super) fn of(file: &Path, gateway: &str) -> Self {
        let regular = std::fs::metadata(file).is_ok_and(|found| found.is_file());
        Self { file: regular.then(|| file.to_path_buf()), gateway: gateway.to_owned(), given_up: false }
    }

    /// Keeps nothing.
    pub(super) fn idle() -> Self {
        Self { file: None, gateway: String::new(), given_up: false }
    }

    /// Whether the same command would go on where this run ends.
    pub(super) fn keeps(&self) -> bool {
        self.file.is_some() && !self.given_up
    }

    /// The progress of an interrupted run of this file at this gateway.
    ///
    /// # Errors
    /// A sentence, when the file is no longer the one that was begun.
    pub(super) fn resume(&mut self) -> anyhow::Result<Option<Progress>> {
        let Some(file) = &self.file else { return Ok(None) };
        let path = path_beside(file);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    self.given_up = true;
                    say(&without(&path, &error));
                }
                return Ok(None);
            }
        };
        let progress: Progress = serde_json::from_str(&text)
            .with_context(|| format!("{}: is not readable: remove it to start at the beginning", path.display()))?;
        if progress.gateway != self.gateway {
            return Ok(None);
        }
        if digest_before(file, progress.bytes).ok().as_ref() != Some(&progress.before) {
            bail!(
                "{}: is not the file whose sending was interrupted at line {}: remove {} to start at the beginning; what was sent counts once",
                file.display(),
                progress.lines,
                path.display()
            );
        }
        Ok(Some(progress))
    }

    /// Writes down how far the file has been sent. Where that can't be done it is said, once: the
    /// sending itself needs no progress.
    pub(super) fn keep(&mut self, bytes: u64, lines: u64, counts: &Counts) {
        let Some(file) = self.file.as_ref().filter(|_| !self.given_up) else { return };
        let path = path_beside(file);
        let kept = digest_before(file, bytes).and_then(|before| {
            let progress = Progress { gateway: self.gateway.clone(), bytes, lines, counts: counts.clone(), before };
            replace(&path, &serde_json::to_vec(&progress)?)
        });
        if let Err(error) = kept {
            self.given_up = true;
            say(&without(&path, &error));
        }
    }

    /// Takes the progress away: the file is done.
    pub(super) fn done(self) {
        if let Some(file) = self.file {
            // A run over a file whose progress stays finds nothing left to send, and says so.
            let _ = std::fs::remove_file(path_beside(&file));
        }
    }
}

/// Says that a run goes on without progress.
fn without(path: &Path, error: &std::io::Error) -> String {
    format!(
        "{}: can't keep there how far the file has been sent ({error}): going on without; after an interruption send all of it again: what was sent counts once",
        path.display()
    )
}

/// Where the progress of a file is kept.
fn path_beside(file: &Path) -> PathBuf {
    let mut path = file.to_path_buf().into_os_string();
    path.push(".playledger-progress");
    path.into()
}

fn digest_before(file: &Path, place: u64) -> std::io::Result<String> {
    let mut open = File::open(file)?;
    let from = place.saturating_sub(CHECKED);
    open.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    open.take(place - from).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != place - from {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &Path, gateway: &str) -> anyhow::Result<Option<Progress>> {
        Keeper::of(file, gateway).resume()
    }

    #[test]
    fn a_file_is_taken_up_where_it_was_left_and_a_changed_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("events.ndjson");
        std::fs::write(&file, "one\ntwo\nthree\n").unwrap();
        assert_eq!(found(&file, "http://a").unwrap(), None);
        let counts = Counts { accepted: 2, ..Counts::default() };
        let mut keeper = Keeper::of(&file, "http://a");
        keeper.keep(8, 2, &counts);
        let start = found(&file, "http://a").unwrap().unwrap();
        assert_eq!((start.bytes, start.lines, start.counts), (8, 2, counts));
        assert_eq!(found(&file, "http://b").unwrap(), None);
        // More at the end is the same file; another beginning is not.
        std::fs::write(&file, "one\ntwo\nthree\nfour\n").unwrap();
        assert!(found(&file, "http://a").unwrap().is_some());
        std::fs::write(&file, "one\nTWO\nthree\n").unwrap();
        assert!(found(&file, "http://a").unwrap_err().to_string().contains("line 2"));
        std::fs::write(&file, "on").unwrap();
        assert!(found(&file, "http://a").is_err());
        keeper.done();
        assert_eq!(found(&file, "http://a").unwrap(), None);
    }

    #[test]
    fn progress_that_cant_be_kept_is_given_up() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("events.ndjson");
        std::fs::write(&file, "one\n").unwrap();
        let mut keeper = Keeper::of(&file, "http://a");
        std::fs::create_dir(home.path().join("events.ndjson.playledger-progress.tmp")).unwrap();
        assert!(keeper.keeps());
        keeper.keep(4, 1, &Counts::default());
        assert!(!keeper.keeps());
        // What is no regular file has none from the start.
        assert!(!Keeper::of(home.path(), "http://a").keeps());
        // One of somebody else's that can't be read is none to go on with.
        std::fs::create_dir(path_beside(&file)).unwrap();
        let mut keeper = Keeper::of(&file, "http://a");
        assert_eq!(keeper.resume().unwrap(), None);
        assert!(!keeper.keeps());
    }
}
