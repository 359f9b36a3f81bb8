//! What ends the machine: going on would lose or distort something, so a person must act.

use crate::report::NoBytes;
use crate::session::told::Unreadable;

/// Why the machine can't go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    /// State of a session.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A report.
    #[error(transparent)]
    Report(#[from] NoBytes),
    /// State that can't be written.
    #[error("the state of a session can't be written: {0}")]
    Write(#[from] serde_json::Error),
    /// A record of a later release.
    #[error("partition {partition}, offset {offset}: {error}")]
    Newer {
        /// Which.
        partition: i32,
        /// Where.
        offset: i64,
        /// What.
        error: schemas::record::stamp::StampError,
    },
    /// The changelog lacks what the group has committed.
    #[error(
        "partition {partition}: the group has committed offset {committed}, but play.session-state goes to {found} \
         only: its state is lost. Put the topic back, or start under a new --group, which reads play.events anew"
    )]
    Lost {
        /// Which.
        partition: i32,
        /// What the group says.
        committed: i64,
        /// What the state says.
        found: i64,
    },
}
