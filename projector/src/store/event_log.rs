//! event_log: one row an event, for timelines, in a table for each day of arrival.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use sqlx::PgConnection;

use super::rows::{Json, Values};
use super::statement::{self, Conflict, insert};
use crate::decode::LoggedEvent;
use crate::error::StoreError;
use crate::project::Positioned;

const KEY: [&str; 5] = ["tenant", "session_id", "partition", "offset", "received_at"];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("event_log", &KEY, &[], Conflict::Keep));

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
    statement::write(connection, &WRITE, "event_log", events, put).await
}

fn put(at: &Positioned<'_, LoggedEvent>, values: &mut Values<'_>) {
    let row = at.row;
    values
        .put(row.tenant.as_str())
        .put(row.session_id)
        .put(at.partition)
        .put(at.offset)
        .put(row.game.as_str())
        .put(row.player_id.as_str())
        .put_or_null(row.seq)
        .put(row.event_id)
        .put(row.event_type.as_str())
        .put_or_null(row.timestamp)
        .put(row.received_at)
        .put_or_null(row.data.as_deref().map(|json| Json(json.into())));
}
