//! Transactions whose snapshot is older than the moment at which a generation was whole: they would read it as it was before.

use sqlx::postgres::PgConnection;

use super::Generations;
use crate::error::StoreError;

/// Transactions of this database that have a snapshot now and may read the views. Those that wait for this one are
/// projectors in the middle of a load: they read no view.
const NOW: &str = "
    SELECT l.virtualtransaction
      FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted
     WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL
       AND a.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND has_schema_privilege(a.usesysid, $1, 'USAGE')
       AND NOT pg_backend_pid() = ANY (pg_blocking_pids(a.pid))";

/// How many of these have a snapshot still.
const STILL: &str = "
    SELECT count(*)
      FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted
     WHERE a.backend_xmin IS NOT NULL AND l.virtualtransaction = ANY ($1)";

impl Generations {
    /// The transactions that have a snapshot now.
    pub(super) async fn snapshots(&self, on: &mut PgConnection) -> Result<Vec<String>, StoreError> {
        anew(on).await?;
        Ok(sqlx::query_scalar(NOW).bind(self.schema.as_str()).fetch_all(on).await?)
    }
}

/// Whether any of these has a snapshot still: the same one, or where its transaction takes one for each statement a later one.
pub(super) async fn any_left(on: &mut PgConnection, older: &[String]) -> Result<bool, StoreError> {
    anew(on).await?;
    let left: i64 = sqlx::query_scalar(STILL).bind(older).fetch_one(on).await?;
    Ok(left > 0)
}

/// Has the server look anew: within a transaction it tells of others what it told first.
async fn anew(on: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_stat_clear_snapshot()").execute(on).await?;
    Ok(())
}
