//! How far a file has been sent, kept beside it, so that an interrupted run goes on there.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::counts::Counts;
use crate::folder::{read_if_there, write_private};

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

/// Where the progress of a file is kept.
pub(super) fn path_beside(file: &Path) -> PathBuf {
    let mut path = file.to_path_buf().into_os_string();
    path.push(".playledger-progress");
    path.into()
}

/// The progress of an interrupted run of this file at this gateway.
///
/// # Errors
/// A sentence, when the file is no longer the one that was begun.
pub(super) fn resume(file: &Path, gateway: &str) -> anyhow::Result<Option<Progress>> {
    let path = path_beside(file);
    let Some(text) = read_if_there(&path)? else { return Ok(None) };
    let progress: Progress = serde_json::from_str(&text)
        .with_context(|| format!("{}: is not readable: remove it to start at the beginning", path.display()))?;
    if progress.gateway != gateway {
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

/// Writes down how far a file has been sent.
pub(super) fn keep(file: &Path, gateway: &str, bytes: u64, lines: u64, counts: &Counts) -> anyhow::Result<()> {
    let before = digest_before(file, bytes).with_context(|| format!("{}: reading it again", file.display()))?;
    let progress = Progress { gateway: gateway.to_owned(), bytes, lines, counts: counts.clone(), before };
    write_private(&path_beside(file), &serde_json::to_vec(&progress)?)
}

/// Takes the progress away: the file is done.
pub(super) fn done(file: &Path) {
    // A run over a file whose progress stays finds nothing left to send, and says so.
    let _ = std::fs::remove_file(path_beside(file));
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

    #[test]
    fn a_file_is_taken_up_where_it_was_left_and_a_changed_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("events.ndjson");
        std::fs::write(&file, "one\ntwo\nthree\n").unwrap();
        assert_eq!(resume(&file, "http://a").unwrap(), None);
        let counts = Counts { accepted: 2, ..Counts::default() };
        keep(&file, "http://a", 8, 2, &counts).unwrap();
        let found = resume(&file, "http://a").unwrap().unwrap();
        assert_eq!((found.bytes, found.lines, found.counts), (8, 2, counts));
        assert_eq!(resume(&file, "http://b").unwrap(), None);
        // More at the end is the same file; another beginning is not.
        std::fs::write(&file, "one\ntwo\nthree\nfour\n").unwrap();
        assert!(resume(&file, "http://a").unwrap().is_some());
        std::fs::write(&file, "one\nTWO\nthree\n").unwrap();
        assert!(resume(&file, "http://a").unwrap_err().to_string().contains("line 2"));
        std::fs::write(&file, "on").unwrap();
        assert!(resume(&file, "http://a").is_err());
        done(&file);
        assert_eq!(resume(&file, "http://a").unwrap(), None);
    }
}
