//! What the file's errors mean and what a person can do about them.

use std::path::Path;

use crate::{AbortCause, AppendError, CommitError, LogError};

/// An error of the file, in a sentence.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    kind: Kind,
    sentence: String,
}

/// What an error means for what was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Somebody else holds the file: later.
    Busy,
    /// No room, no permission: nothing was written; it goes on by itself once that is mended.
    Refused,
    /// Reading or writing failed, or the connection is gone.
    Broken,
    /// The file's content is not what it should be.
    Damaged,
}

impl Failure {
    /// The failure behind an error of the driver.
    pub(super) fn of(error: &sqlx::Error, path: &Path) -> Self {
        let code = match error {
            sqlx::Error::Database(inner) => inner.code().and_then(|code| code.parse::<i32>().ok()),
            sqlx::Error::RowNotFound => {
                let sentence = "a topic was deleted while it was in use: try again".to_owned();
                return Self { kind: Kind::Refused, sentence };
            }
            sqlx::Error::PoolClosed => return Self::closed(),
            _ => None,
        };
        Self::of_code(code, &error.to_string(), path)
    }

    /// A failure found by us: what the file holds does not fit together.
    pub(super) fn damaged(what: &str, path: &Path) -> Self {
        let path = path.display();
        let sentence =
            format!("{path} is damaged: {what}; stop every process that uses it and restore it from a backup");
        Self { kind: Kind::Damaged, sentence }
    }

    /// Nothing could be written because it ended first.
    pub(super) fn closed() -> Self {
        Self { kind: Kind::Refused, sentence: "the log has been closed".to_owned() }
    }

    /// The disk, or another process that holds the file, did not let us through in time.
    pub(super) fn waits(path: &Path) -> Self {
        let path = path.display();
        let sentence = format!("{path} did not take it in time: its disk is slow, or another process keeps it locked");
        Self { kind: Kind::Busy, sentence }
    }

    /// Whether somebody else merely holds the file.
    pub(super) fn is_busy(&self) -> bool {
        self.kind == Kind::Busy
    }

    /// As the outcome of a look, a read or a join.
    pub(super) fn into_log_error(self) -> LogError {
        match self.kind {
            Kind::Damaged => LogError::Invalid(self.sentence),
            Kind::Busy | Kind::Refused | Kind::Broken => LogError::Unavailable(self.sentence),
        }
    }

    /// As the outcome of an append that failed before its COMMIT.
    pub(super) fn into_append_error(self) -> AppendError {
        AppendError::Unavailable(self.sentence)
    }

    /// As the outcome of a commit that failed before its COMMIT.
    pub(super) fn into_commit_error(self) -> CommitError {
        CommitError::aborted(AbortCause::Other, self.sentence)
    }

    /// Whether a COMMIT that ended like this may have taken effect all the same: the last page may
    /// have reached the disk although the call failed, and a crash now would bring it to light.
    pub(super) fn leaves_doubt(&self) -> bool {
        matches!(self.kind, Kind::Broken | Kind::Damaged)
    }

    /// The sentence for a person.
    pub(super) fn sentence(&self) -> &str {
        &self.sentence
    }

    /// By SQLite's extended result code, whose low byte is the primary one.
    fn of_code(code: Option<i32>, message: &str, path: &Path) -> Self {
        let path = path.display();
        let (kind, sentence) = match code.map(|code| code & 0xff) {
            Some(5 | 6) => (
                Kind::Busy,
                format!(
                    "{path} is locked by another process: see what keeps a transaction open in it (a backup, a SQLite shell)"
                ),
            ),
            Some(13) => (
                Kind::Refused,
                format!("there is no room left for {path}: free some on its disk; the log goes on by itself"),
            ),
            Some(8) => (
                Kind::Refused,
                format!(
                    "{path} may not be written to: look at the rights of the file and of its folder, and whether its disk is mounted read-only"
                ),
            ),
            Some(3 | 14 | 23) => (
                Kind::Refused,
                format!(
                    "{path} cannot be opened: its folder must exist, this user must be allowed to write there, and its disk must not be mounted read-only"
                ),
            ),
            Some(10) => (Kind::Broken, format!("the disk under {path} reports an error: {message}")),
            Some(11) => (
                Kind::Damaged,
                format!("{path} is damaged: {message}; stop every process that uses it and restore it from a backup"),
            ),
            Some(26) => (
                Kind::Damaged,
                format!(
                    "{path} is not a log of ours, nor any SQLite file: choose another path, or restore it from a backup"
                ),
            ),
            _ => (Kind::Broken, format!("{path} cannot be used: {message}")),
        };
        Self { kind, sentence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> Failure {
        Failure::of_code(Some(code), "message", Path::new("log.db"))
    }

    #[test]
    fn a_full_or_read_only_disk_means_that_nothing_was_written() {
        for code in [13, 8, 14, 1032] {
            assert!(!failure(code).leaves_doubt(), "{code}");
            assert!(matches!(failure(code).into_append_error(), AppendError::Unavailable(_)));
            assert!(matches!(failure(code).into_commit_error(), CommitError::Aborted(_)));
            assert!(matches!(failure(code).into_log_error(), LogError::Unavailable(_)));
        }
    }

    #[test]
    fn a_failed_write_at_commit_leaves_doubt() {
        assert!(failure(10).leaves_doubt());
        assert!(failure(778).leaves_doubt(), "an extended code counts as its primary one");
        assert!(!failure(5).leaves_doubt());
    }

    #[test]
    fn a_damaged_file_needs_a_person() {
        assert!(matches!(failure(11).into_log_error(), LogError::Invalid(said) if said.contains("backup")));
        assert!(matches!(failure(26).into_log_error(), LogError::Invalid(_)));
    }
}
