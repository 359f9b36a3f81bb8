//! session_tasks: what each session did on each task.

use std::sync::LazyLock;

use sqlx::PgConnection;

use super::sessions::bigint;
use super::statement::{Column, Conflict, ROWS, Wire, column, insert};
use crate::error::StoreError;
use crate::jsonb::plain;
use crate::project::TaskRow;

const COLUMNS: [Column; 15] = [
    column("tenant", Wire::Text),
    column("session_id", Wire::Uuid),
    column("ordinal", Wire::Bigint),
    column("game", Wire::Text),
    column("player_id", Wire::Text),
    column("revision", Wire::Bigint),
    column("task_id", Wire::Text),
    column("starts", Wire::Bigint),
    column("completions", Wire::Bigint),
    column("abandons", Wire::Bigint),
    column("attempts", Wire::Bigint),
    column("successes", Wire::Bigint),
    column("hints", Wire::Bigint),
    column("spent_ms", Wire::Bigint),
    column("first_try", Wire::Boolean),
];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("session_tasks", &COLUMNS, 3, Conflict::Replace));

/// Writes these tasks' rows; what older revisions left is removed by [`super::revisions::withdraw`].
pub(super) async fn write(connection: &mut PgConnection, tasks: &[TaskRow<'_>]) -> Result<u64, StoreError> {
    let mut written = 0;
    for rows in tasks.chunks(ROWS) {
        macro_rules! each {
            ($row:ident => $value:expr) => {
                rows.iter().map(|$row| $value).collect::<Vec<_>>()
            };
        }
        let done = sqlx::query(WRITE.as_str())
            .bind(each!(row => row.report.tenant.as_str()))
            .bind(each!(row => row.report.session))
            .bind(each!(row => row.ordinal))
            .bind(each!(row => row.report.game.as_str()))
            .bind(each!(row => row.report.player.as_str()))
            .bind(each!(row => bigint(row.report.revision)))
            .bind(each!(row => plain(&row.task.task_id)))
            .bind(each!(row => bigint(row.task.starts)))
            .bind(each!(row => bigint(row.task.completions)))
            .bind(each!(row => bigint(row.task.abandons)))
            .bind(each!(row => bigint(row.task.attempts)))
            .bind(each!(row => bigint(row.task.successes)))
            .bind(each!(row => bigint(row.task.hints)))
            .bind(each!(row => row.task.spent_ms))
            .bind(each!(row => row.task.first_try))
            .execute(&mut *connection)
            .await?;
        written += done.rows_affected();
    }
    Ok(written)
}
