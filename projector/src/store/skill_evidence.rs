//! skill_evidence: what each session shows of each skill.

use std::sync::LazyLock;

use sqlx::PgConnection;

use super::sessions::bigint;
use super::statement::{Column, Conflict, ROWS, Wire, column, insert};
use crate::error::StoreError;
use crate::jsonb::plain;
use crate::project::PieceRow;

const COLUMNS: [Column; 13] = [
    column("tenant", Wire::Text),
    column("session_id", Wire::Uuid),
    column("skill", Wire::Text),
    column("source", Wire::Text),
    column("signal", Wire::Text),
    column("ordinal", Wire::Bigint),
    column("game", Wire::Text),
    column("player_id", Wire::Text),
    column("revision", Wire::Bigint),
    column("successes", Wire::Double),
    column("opportunities", Wire::Double),
    column("weight", Wire::Double),
    column("at", Wire::Time),
];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("skill_evidence", &COLUMNS, 6, Conflict::Replace));

/// Writes these pieces' rows; what older revisions left is removed by [`super::revisions::withdraw`].
pub(super) async fn write(connection: &mut PgConnection, pieces: &[PieceRow<'_>]) -> Result<u64, StoreError> {
    let mut written = 0;
    for rows in pieces.chunks(ROWS) {
        macro_rules! each {
            ($row:ident => $value:expr) => {
                rows.iter().map(|$row| $value).collect::<Vec<_>>()
            };
        }
        let done = sqlx::query(WRITE.as_str())
            .bind(each!(row => row.report.tenant.as_str()))
            .bind(each!(row => row.report.session))
            .bind(each!(row => row.piece.skill.as_str()))
            .bind(each!(row => row.piece.source.as_str()))
            .bind(each!(row => plain(&row.piece.signal)))
            .bind(each!(row => bigint(row.piece.ordinal)))
            .bind(each!(row => row.report.game.as_str()))
            .bind(each!(row => row.report.player.as_str()))
            .bind(each!(row => bigint(row.report.revision)))
            .bind(each!(row => row.piece.successes))
            .bind(each!(row => row.piece.opportunities))
            .bind(each!(row => row.piece.weight))
            .bind(each!(row => row.piece.at.to_chrono()))
            .execute(&mut *connection)
            .await?;
        written += done.rows_affected();
    }
    Ok(written)
}
