//! quarantine: what was refused or set aside.

use std::sync::LazyLock;

use schemas::Timestamp;
use sqlx::PgConnection;

use super::rows::{Json, Values};
use super::statement::{self, Conflict, insert};
use crate::decode::SetAside;
use crate::error::StoreError;
use crate::project::Positioned;

static WRITE: LazyLock<String> = LazyLock::new(|| insert("quarantine", &["partition", "offset"], &[], Conflict::Keep));

/// Writes what was set aside.
pub(super) async fn write(
    connection: &mut PgConnection,
    set_aside: &[Positioned<'_, SetAside>],
) -> Result<u64, StoreError> {
    statement::write(connection, &WRITE, "quarantine", set_aside, put).await
}

fn put(at: &Positioned<'_, SetAside>, values: &mut Values<'_>) {
    let row = at.row;
    values
        .put(at.partition)
        .put(at.offset)
        .put_or_null(row.origin.0.as_deref())
        .put_or_null(row.origin.1)
        .put_or_null(row.origin.2)
        .put_or_null(row.tenant.as_deref())
        .put_or_null(row.game.as_deref())
        .put(row.reason.as_str())
        .put_or_null(row.errors.as_deref().map(|json| Json(json.into())))
        .put(&row.raw[..])
        .put_or_null(row.event_id.as_deref())
        .put_or_null(row.request_id.as_deref())
        .put(row.received_at)
        // Nothing has been sent again that is only being set aside.
        .put_or_null(None::<Timestamp>);
}
