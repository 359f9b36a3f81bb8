//! live_sessions: how running sessions stand.

use std::sync::LazyLock;

use schemas::record::live::Live;
use sqlx::PgConnection;

use super::rows::Values;
use super::statement::{self, Conflict, insert};
use crate::error::StoreError;
use crate::project::{SessionKey, bigint};

const KEY: [&str; 2] = ["tenant", "session_id"];
const REST: [&str; 6] = ["game", "player_id", "started_at", "last_event_at", "event_count", "active_ms"];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("live_sessions", &KEY, &REST, Conflict::Replace));

const FORGET_ENDED: &str = "
    DELETE FROM live_sessions l
     WHERE l.last_event_at < now() - interval '1 day'
        OR EXISTS (SELECT FROM sessions s WHERE s.tenant = l.tenant AND s.session_id = l.session_id)";

/// Writes the latest snapshots.
pub(super) async fn write(connection: &mut PgConnection, snapshots: &[&Live]) -> Result<u64, StoreError> {
    statement::write(connection, &WRITE, "live_sessions", snapshots, put).await
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as all rows are put")]
fn put(live: &&Live, values: &mut Values<'_>) {
    values
        .put(live.tenant.as_str())
        .put(live.session)
        .put(live.game.as_str())
        .put(live.player.as_str())
        .put(live.started_at)
        .put(live.last_event_at)
        .put(bigint(live.event_count))
        .put(live.active_ms);
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
    statement::remove(connection, "live_sessions", ended).await
}
