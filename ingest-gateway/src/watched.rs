//! Tells when a file has changed and is whole: what is there on two looks in a row.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How often a watched file is to be looked at.
pub const EVERY: Duration = Duration::from_secs(1);

/// What tells one state of the file from another without reading it; none where there is none.
type Mark = Option<(SystemTime, (i64, i64), u64, u64)>;

/// A file that is looked at from time to time.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    looks: Looks,
}

/// Which states of the file have been seen.
#[derive(Debug, Default)]
struct Looks {
    last: Option<Mark>,
    judged: Option<Mark>,
}

impl Watched {
    /// A file of which no state has been seen: its first one is told, too.
    pub fn new(path: PathBuf) -> Self {
        Self { path, looks: Looks::default() }
    }

    /// The file's text where it is another than the last one told, and has been so since the last look.
    pub fn look(&mut self) -> Option<io::Result<String>> {
        let mark = self.mark();
        if !self.looks.is_due(mark) {
            return None;
        }
        let text = fs::read_to_string(&self.path);
        if self.mark() != mark {
            return None;
        }
        // What could not be read may be read the next time, without a change of the file.
        self.looks.judged = text.is_ok().then_some(mark);
        Some(text)
    }

    /// Has the present state told again the next time: what it says may be sound by then.
    pub fn again(&mut self) {
        self.looks.judged = None;
    }

    fn mark(&self) -> Mark {
        use std::os::unix::fs::MetadataExt as _;
        let found = fs::metadata(&self.path).ok()?;
        Some((found.modified().ok()?, (found.ctime(), found.ctime_nsec()), found.len(), found.ino()))
    }
}

impl Looks {
    /// Whether a state is to be judged: it is another than the last one judged, and was there a look ago
    /// already. Who edits a file in place is not done when its first bytes are there.
    fn is_due(&mut self, mark: Mark) -> bool {
        let steady = self.last.replace(mark) == Some(mark);
        steady && self.judged != Some(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_judged_once_when_it_was_there_on_two_looks() {
        let mark = |len| Some((SystemTime::UNIX_EPOCH, (0, 0), len, 1));
        let mut looks = Looks::default();
        for (mark, due) in [(mark(0), false), (mark(5), false), (mark(9), false), (mark(9), true)] {
            assert_eq!(looks.is_due(mark), due);
        }
        assert!(looks.is_due(mark(9)), "until it has been judged");
        looks.judged = Some(mark(9));
        assert!(!looks.is_due(mark(9)));
        assert!(!looks.is_due(None));
        assert!(looks.is_due(None), "a file that is gone is told, too");
    }
}
