//! live_sessions: how running sessions stand.

use std::sync::LazyLock;

use schemas::record::live::Live;
use sqlx::PgConnection;

use super::sessions::bigint;
use super::statement::{Column, Conflict, ROWS, Wire, column, insert};
use crate::error::StoreError;
use crate::project::SessionKey;

const COLUMNS: [Column; 8] = [
    column("tenant", Wire::Text),
    column("session_id", Wire::Uuid),
    column("game", Wire::Text),
    column("player_id", Wire::Text),
    column("started_at", Wire::Time),
    column("last_event_at", Wire::Time),
    column("event_count", Wire::Bigint),
    column("active_ms", Wire::Bigint),
];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("live_sessions", &COLUMNS, 2, Conflict::Replace));

const END: &str = "
    DELETE FROM live_sessions l
     USING unnest($1::text[], $2::uuid[]) AS ended (tenant, session_id)
     WHERE l.tenant = ended.tenant AND l.session_id = ended.session_id";

const FORGET_ENDED: &str = "
    DELETE FROM live_sessions l
     WHERE l.last_event_at < now() - interval '1 day'
        OR EXISTS (SELECT FROM sessions s WHERE s.tenant = l.tenant AND s.session_id = l.session_id)";

/// Writes the latest snapshots.
pub(super) async fn write(connection: &mut PgConnection, snapshots: &[&Live]) -> Result<u64, StoreError> {
    let mut written = 0;
    for rows in snapshots.chunks(ROWS) {
        let done = sqlx::query(WRITE.as_str())
            .bind(rows.iter().map(|live| live.tenant.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|live| live.session).collect::<Vec<_>>())
            .bind(rows.iter().map(|live| live.game.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|live| live.player.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|live| live.started_at.to_chrono()).collect::<Vec<_>>())
            .bind(rows.iter().map(|live| live.last_event_at.to_chrono()).collect::<Vec<_>>())
            .bind(rows.iter().map(|live| bigint(live.event_count)).collect::<Vec<_>>())
            .bind(rows.iter().map(|live| live.active_ms).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        written += done.rows_affected();
    }
    Ok(written)
}

/// Removes sessions whose end may have been told in records that the log has dropped since: those that
/// have a report, and those of which nothing came for as long as snapshots are kept. One that runs all
/// the same is back with its next snapshot.
pub(super) async fn forget_ended(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query(FORGET_ENDED).execute(connection).await?;
    Ok(())
}

/// Removes sessions that run no more.
pub(super) async fn end(connection: &mut PgConnection, ended: &[SessionKey<'_>]) -> Result<u64, StoreError> {
    if ended.is_empty() {
        return Ok(0);
    }
    let done = sqlx::query(END)
        .bind(ended.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
        .bind(ended.iter().map(|(_, session)| *session).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
