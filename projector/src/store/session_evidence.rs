//! session_evidence: what each session shows of skills, a row a session; the view skill_evidence has a row a piece.

use std::sync::LazyLock;

use sqlx::PgConnection;

use super::rows::{List, Values};
use super::statement::{self, Conflict, insert};
use crate::error::StoreError;
use crate::jsonb::plain;
use crate::project::{EvidenceRow, SessionKey, bigint};

const KEY: [&str; 2] = ["tenant", "session_id"];
const REST: [&str; 8] = ["skill", "source", "signal", "ordinal", "successes", "opportunities", "weight", "at"];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("session_evidence", &KEY, &REST, Conflict::Change));

/// Writes the evidence of these sessions; what an older revision gave is replaced where it differs.
pub(super) async fn write(connection: &mut PgConnection, evidence: &[EvidenceRow<'_>]) -> Result<u64, StoreError> {
    statement::write(connection, &WRITE, "session_evidence", evidence, put).await
}

fn put(row: &EvidenceRow<'_>, values: &mut Values<'_>) {
    let pieces = row.pieces;
    values
        .put(row.tenant)
        .put(row.session)
        .put(List(pieces.iter().map(|piece| piece.skill.as_str())))
        .put(List(pieces.iter().map(|piece| piece.source.as_str())))
        .put(List(pieces.iter().map(|piece| plain(&piece.signal))))
        .put(List(pieces.iter().map(|piece| bigint(piece.ordinal))))
        .put(List(pieces.iter().map(|piece| piece.successes)))
        .put(List(pieces.iter().map(|piece| piece.opportunities)))
        .put(List(pieces.iter().map(|piece| piece.weight)))
        .put(List(pieces.iter().map(|piece| piece.at)));
}

/// Removes what older revisions of these sessions gave: their newest ones give no evidence.
pub(super) async fn remove(connection: &mut PgConnection, sessions: &[SessionKey<'_>]) -> Result<u64, StoreError> {
    statement::remove(connection, "session_evidence", sessions).await
}
