//! The scopes of credentials. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Send events with timestamps of any age.
    Backfill,
    /// Send evidence.recorded.
    Evidence,
    /// Read what came of them.
    Read,
    /// Everything that an operator may do.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ingest, Self::Backfill, Self::Evidence, Self::Read, Self::Admin];

    /// The word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Backfill => "backfill",
            Self::Evidence => "evidence",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}
