//! Tells when a file has changed and is whole: what is there on two looks in a row.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::looks::Looks;

/// How often a watched file is to be looked at.
pub const EVERY: Duration = Duration::from_secs(1);

/// What tells one state of the file from another without reading it; none where there is none.
type Mark = Option<(SystemTime, (i64, i64), u64, u64)>;

/// A file that is looked at from time to time.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    looks: Looks<Mark>,
}

impl Watched {
    /// A file of which no state has been seen: its first one is told, too.
    pub fn new(path: PathBuf) -> Self {
        Self { path, looks: Looks::new() }
    }

    /// The file's text where it is another than the last one told, and has been so since the last look.
    pub fn look(&mut self) -> Option<io::Result<String>> {
        let mark = self.mark();
        if !self.looks.is_due(&mark) {
            return None;
        }
        let text = fs::read_to_string(&self.path);
        if self.mark() != mark {
            return None;
        }
        // What could not be read may be read the next time, without a change of the file.
        self.looks.judged(text.is_ok().then_some(mark));
        Some(text)
    }

    /// Has the present state told again the next time: what it says may be sound by then.
    pub fn again(&mut self) {
        self.looks.judged(None);
    }

    fn mark(&self) -> Mark {
        use std::os::unix::fs::MetadataExt as _;
        let found = fs::metadata(&self.path).ok()?;
        Some((found.modified().ok()?, (found.ctime(), found.ctime_nsec()), found.len(), found.ino()))
    }
}
