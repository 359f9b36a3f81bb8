//! quarantine: what was refused or set aside.

use std::sync::LazyLock;

use sqlx::PgConnection;

use super::statement::{Column, Conflict, ROWS, Wire, column, insert};
use crate::decode::SetAside;
use crate::error::StoreError;
use crate::project::Positioned;

const COLUMNS: [Column; 13] = [
    column("partition", Wire::Bigint),
    column("offset", Wire::Bigint),
    column("origin_topic", Wire::Text),
    column("origin_partition", Wire::Bigint),
    column("origin_offset", Wire::Bigint),
    column("tenant", Wire::Text),
    column("game", Wire::Text),
    column("reason", Wire::Text),
    column("errors", Wire::Json),
    column("raw", Wire::Bytes),
    column("event_id", Wire::Text),
    column("request_id", Wire::Text),
    column("received_at", Wire::Time),
];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("quarantine", &COLUMNS, 2, Conflict::Keep));

/// Writes what was set aside.
pub(super) async fn write(
    connection: &mut PgConnection,
    set_aside: &[Positioned<'_, SetAside>],
) -> Result<u64, StoreError> {
    let mut written = 0;
    for rows in set_aside.chunks(ROWS) {
        macro_rules! each {
            ($at:ident => $value:expr) => {
                rows.iter().map(|$at| $value).collect::<Vec<_>>()
            };
        }
        let done = sqlx::query(WRITE.as_str())
            .bind(each!(at => at.partition))
            .bind(each!(at => at.offset))
            .bind(each!(at => at.row.origin.0.as_deref()))
            .bind(each!(at => at.row.origin.1))
            .bind(each!(at => at.row.origin.2))
            .bind(each!(at => at.row.tenant.as_deref()))
            .bind(each!(at => at.row.game.as_deref()))
            .bind(each!(at => at.row.reason.as_str()))
            .bind(each!(at => at.row.errors.as_deref()))
            .bind(each!(at => &at.row.raw[..]))
            .bind(each!(at => at.row.event_id.as_deref()))
            .bind(each!(at => at.row.request_id.as_deref()))
            .bind(each!(at => at.row.received_at.to_chrono()))
            .execute(&mut *connection)
            .await?;
        written += done.rows_affected();
    }
    Ok(written)
}
