//! event_log: one row an event, for timelines, in a table for each day of arrival.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use sqlx::PgConnection;

use super::statement::{Column, Conflict, ROWS, Wire, column, insert};
use crate::decode::LoggedEvent;
use crate::error::StoreError;
use crate::project::Positioned;

const COLUMNS: [Column; 12] = [
    column("tenant", Wire::Text),
    column("session_id", Wire::Uuid),
    column("partition", Wire::Bigint),
    column("offset", Wire::Bigint),
    column("received_at", Wire::Time),
    column("game", Wire::Text),
    column("player_id", Wire::Text),
    column("seq", Wire::Bigint),
    column("event_id", Wire::Uuid),
    column("event_type", Wire::Text),
    column("timestamp", Wire::Time),
    column("data", Wire::Json),
];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("event_log", &COLUMNS, 5, Conflict::Keep));

const DAYS: &str = "SELECT event_log_days($1)";

/// Writes these events; the tables of their days are made first, before a lock is held that a projector
/// could wait for which makes one too.
pub(super) async fn write(
    connection: &mut PgConnection,
    events: &[Positioned<'_, LoggedEvent>],
) -> Result<u64, StoreError> {
    if events.is_empty() {
        return Ok(0);
    }
    let days: BTreeSet<_> = events.iter().map(|at| at.row.received_at.to_chrono().date_naive()).collect();
    sqlx::query(DAYS).bind(days.into_iter().collect::<Vec<_>>()).execute(&mut *connection).await?;
    let mut written = 0;
    for rows in events.chunks(ROWS) {
        macro_rules! each {
            ($at:ident => $value:expr) => {
                rows.iter().map(|$at| $value).collect::<Vec<_>>()
            };
        }
        let done = sqlx::query(WRITE.as_str())
            .bind(each!(at => at.row.tenant.as_str()))
            .bind(each!(at => at.row.session_id))
            .bind(each!(at => at.partition))
            .bind(each!(at => at.offset))
            .bind(each!(at => at.row.received_at.to_chrono()))
            .bind(each!(at => at.row.game.as_str()))
            .bind(each!(at => at.row.player_id.as_str()))
            .bind(each!(at => at.row.seq))
            .bind(each!(at => at.row.event_id))
            .bind(each!(at => at.row.event_type.as_str()))
            .bind(each!(at => at.row.timestamp.map(schemas::Timestamp::to_chrono)))
            .bind(each!(at => at.row.data.as_deref()))
            .execute(&mut *connection)
            .await?;
        written += done.rows_affected();
    }
    Ok(written)
}
