//! Removes what the settings keep no longer, and remembers up to when: docs/decisions/0019.
//!
//! A row of `retained` says of a tenant and model that nothing older is left. It moves on in the transaction that
//! removes, and never back. A load reads it once it has moved its offsets; a removal locks that table, so that
//! loads under way end first and the next ones begin after it: neither ever sees the other half done.

mod event_log;
mod sessions;
mod settle;
mod sweep;
mod timed;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use schemas::Timestamp;
use schemas::games::Model;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::StoreError;
use crate::project::Horizons;

pub(crate) use settle::{finish, settle, take_over};
pub use sweep::Swept;
pub(crate) use sweep::take_turn;

/// So many rows are removed in one transaction, and ties.
const ROWS: i64 = 4_000;

/// Rows that went, by table.
type Removed = Vec<(&'static str, u64)>;

const READ: &str = "SELECT tenant, model, before FROM retained WHERE tenant = ANY($1)";

/// No time zone is farther ahead of UTC: a session that ended before a time began, by its game's clock, on this day
/// of that time or earlier.
const ADVANCE: &str = "
    INSERT INTO retained AS r (tenant, model, before, frozen_day)
    VALUES ($1, $2, $3, CASE $2 WHEN 'sessions' THEN ($3 AT TIME ZONE 'UTC' + interval '16 hours')::date END)
    ON CONFLICT (tenant, model) DO UPDATE SET
        before     = greatest(r.before, excluded.before),
        frozen_day = greatest(r.frozen_day, excluded.frozen_day)";

/// The horizons of these tenants.
pub(super) async fn horizons(connection: &mut PgConnection, tenants: &BTreeSet<&str>) -> Result<Horizons, StoreError> {
    let mut horizons = Horizons::default();
    if tenants.is_empty() {
        return Ok(horizons);
    }
    let tenants: Vec<&str> = tenants.iter().copied().collect();
    let rows: Vec<(String, String, DateTime<Utc>)> = sqlx::query_as(READ).bind(tenants).fetch_all(connection).await?;
    for (tenant, model, before) in rows {
        // What a later release removes besides is nothing that this one writes.
        if let Some(model) = Model::ALL.into_iter().find(|known| known.name() == model) {
            horizons.insert(tenant, model, Timestamp::from_ms(before.timestamp_millis()));
        }
    }
    Ok(horizons)
}

/// Moves a horizon on. To be called in the transaction that removes what is older.
async fn advance(
    connection: &mut PgConnection,
    tenant: &str,
    model: Model,
    before: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(ADVANCE).bind(tenant).bind(model.name()).bind(before).execute(connection).await?;
    Ok(())
}

/// A horizon as the tables tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Whose; empty for what is nobody's.
    pub tenant: String,
    /// The word for the model.
    pub model: String,
    /// Nothing older is left.
    pub before: DateTime<Utc>,
    /// The last day whose figures stay as they are; of sessions only.
    pub frozen_day: Option<NaiveDate>,
}

/// All horizons of a generation; none where its tables are of a release that had no such thing.
pub(super) async fn all(connection: &mut PgConnection, data: &str) -> Result<Vec<Horizon>, StoreError> {
    let laid: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{data}.retained"))
        .fetch_one(&mut *connection)
        .await?;
    if !laid {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT tenant, model, before, frozen_day FROM {data}.retained ORDER BY tenant, model");
    let rows: Vec<(String, String, DateTime<Utc>, Option<NaiveDate>)> =
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let horizon = |(tenant, model, before, frozen_day)| Horizon { tenant, model, before, frozen_day };
    Ok(rows.into_iter().map(horizon).collect())
}

/// The statement's beginning that finds a tenant's games in a table by steps along the index that begins with both.
fn games(table: &str) -> String {
    format!(
        "WITH RECURSIVE games (game) AS (
             (SELECT t.game FROM {table} t WHERE t.tenant = $1 ORDER BY t.game LIMIT 1)
             UNION ALL
             SELECT (SELECT t.game FROM {table} t WHERE t.tenant = $1 AND t.game > g.game ORDER BY t.game LIMIT 1)
               FROM games g WHERE g.game IS NOT NULL
         )"
    )
}

/// The tenants that have rows in a table, by steps along the index that begins with the tenant.
async fn tenants(connection: &mut PgConnection, table: &str) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "WITH RECURSIVE tenants (tenant) AS (
             (SELECT t.tenant FROM {table} t WHERE t.tenant IS NOT NULL ORDER BY t.tenant LIMIT 1)
             UNION ALL
             SELECT (SELECT t.tenant FROM {table} t WHERE t.tenant > p.tenant ORDER BY t.tenant LIMIT 1)
               FROM tenants p WHERE p.tenant IS NOT NULL
         )
         SELECT tenant FROM tenants WHERE tenant IS NOT NULL"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await?)
}
