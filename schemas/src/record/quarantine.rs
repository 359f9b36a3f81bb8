//! play.quarantine: raw bytes that were refused, with the reason in the headers.

use std::fmt;

/// Why a record or event was set aside.
///
/// The gateway's reasons are refusals that the client was told; the worker's and the projector's
/// are judgements on what the topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Gateway: a field breaks its rule; the errors say which.
    Invalid,
    /// Gateway: the same event_id came with another body.
    Conflict,
    /// Gateway: the credential may not send this.
    Forbidden,
    /// Worker or projector: not a record of that topic.
    Poison,
    /// Worker: another event stands under its seq.
    SeqConflict,
    /// Worker: the session is another player's.
    PlayerMismatch,
    /// Worker: some of the session's events carry seq and some do not.
    SeqMixed,
    /// Worker: evidence among play, or play among evidence.
    KindMismatch,
    /// Worker: it came after its session had been evicted, and is no repeat.
    Late,
    /// Worker: a close of a session that has no events.
    NoSession,
    /// Projector: a report that starts a session's second life.
    SecondLife,
}

impl Reason {
    /// The word that stands for it in headers and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::Poison => "poison",
            Self::SeqConflict => "seq_conflict",
            Self::PlayerMismatch => "player_mismatch",
            Self::SeqMixed => "seq_mixed",
            Self::KindMismatch => "kind_mismatch",
            Self::Late => "late",
            Self::NoSession => "no_session",
            Self::SecondLife => "second_life",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
