//! Tells when files have changed and are whole: what is there on two looks in a row.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::looks::Looks;

/// How often watched files are to be looked at.
pub const EVERY: Duration = Duration::from_secs(1);

/// What tells one state of a file from another without reading it; none where there is none.
type Mark = Option<(SystemTime, (i64, i64), u64, u64)>;

/// Files that belong together, looked at from time to time.
#[derive(Debug)]
pub struct Watched<const FILES: usize> {
    paths: [PathBuf; FILES],
    looks: Looks<[Mark; FILES]>,
}

/// A file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("can't read it")]
pub struct Unread {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub error: io::Error,
}

impl<const FILES: usize> Watched<FILES> {
    /// Files of which no state has been seen: their first one is told, too.
    pub fn new(paths: [PathBuf; FILES]) -> Self {
        Self { paths, looks: Looks::new() }
    }

    /// The files' texts where one is another than the last one told, and all have been so since the last look.
    pub fn look(&mut self) -> Option<Result<[String; FILES], Unread>> {
        let marks = self.marks();
        if !self.looks.is_due(&marks) {
            return None;
        }
        let texts = self.read();
        if self.marks() != marks {
            return None;
        }
        // What could not be read may be read the next time, without a change of the file.
        self.looks.judged(texts.is_ok().then_some(marks));
        Some(texts)
    }

    /// Has the present state told again the next time: what it says may be sound by then.
    pub fn again(&mut self) {
        self.looks.judged(None);
    }

    fn read(&self) -> Result<[String; FILES], Unread> {
        let mut texts = [const { String::new() }; FILES];
        for (text, path) in texts.iter_mut().zip(&self.paths) {
            *text = fs::read_to_string(path).map_err(|error| Unread { path: path.clone(), error })?;
        }
        Ok(texts)
    }

    fn marks(&self) -> [Mark; FILES] {
        self.paths.each_ref().map(|path| mark(path))
    }
}

fn mark(path: &Path) -> Mark {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, (found.ctime(), found.ctime_nsec()), found.len(), found.ino()))
}
