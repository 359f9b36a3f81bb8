//! Removes rows that hang on nothing and tell their time: the quarantine, counts by minute, snapshots.

use chrono::{DateTime, Utc};
use schemas::games::Model;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{ROWS, Removed, advance, games};
use crate::error::StoreError;

/// A table, the column of its time, and whether its index leads to that by the game.
type Timed = (&'static str, &'static str, bool);

/// The tables of a model.
pub(super) fn tables(model: Model) -> &'static [Timed] {
    match model {
        Model::Quarantine => &[("quarantine", "received_at", false)],
        Model::Activity => {
            &[("activity_by_minute", "minute", true), ("worker_outcomes", "minute", true), ("outcomes", "minute", true)]
        }
        // As many rows as sessions run: looked through.
        Model::Live => &[("live_sessions", "last_event_at", false)],
        Model::Sessions | Model::EventLog => &[],
    }
}

/// Up to when as many rows may go at a time; none where nothing is older than the target.
pub(super) async fn next(
    on: &mut PgConnection,
    model: Model,
    tenant: &str,
    target: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let (mut cut, mut any) = (target, false);
    for (table, time, by_game) in tables(model) {
        let whose = whose(tenant);
        let firsts = if *by_game {
            format!(
                "{} SELECT f.at FROM games g, LATERAL (SELECT t.{time} AS at FROM {table} t
                         WHERE t.tenant = $1 AND t.game = g.game AND t.{time} < $2 ORDER BY t.{time} LIMIT $3) f
                     ORDER BY f.at LIMIT $3",
                games(table)
            )
        } else {
            format!("SELECT t.{time} AS at FROM {table} t WHERE {whose} AND t.{time} < $2 ORDER BY t.{time} LIMIT $3")
        };
        let sql = format!("SELECT count(*), date_trunc('milliseconds', max(at)) + interval '1 ms' FROM ({firsts}) f");
        let (rows, until): (i64, Option<DateTime<Utc>>) =
            sqlx::query_as(AssertSqlSafe(sql)).bind(tenant).bind(target).bind(ROWS).fetch_one(&mut *on).await?;
        any |= rows > 0;
        if let Some(until) = until.filter(|_| rows == ROWS) {
            cut = cut.min(until);
        }
    }
    Ok(any.then_some(cut))
}

/// Removes a tenant's rows that are older, and moves the horizon there.
pub(super) async fn remove(
    on: &mut PgConnection,
    model: Model,
    tenant: &str,
    before: DateTime<Utc>,
) -> Result<Removed, StoreError> {
    let mut removed = Removed::new();
    for (table, time, by_game) in tables(model) {
        let sql = if *by_game {
            format!(
                "{} DELETE FROM {table} t USING games g WHERE t.tenant = $1 AND t.game = g.game AND t.{time} < $2",
                games(table)
            )
        } else {
            format!("DELETE FROM {table} t WHERE {} AND t.{time} < $2", whose(tenant))
        };
        let done = sqlx::query(AssertSqlSafe(sql)).bind(tenant).bind(before).execute(&mut *on).await?;
        removed.push((table, done.rows_affected()));
    }
    advance(on, tenant, model, before).await?;
    Ok(removed)
}

/// The condition for a tenant's rows, in a form that an index serves; the empty one is nobody.
fn whose(tenant: &str) -> &'static str {
    if tenant.is_empty() { "(t.tenant IS NULL OR t.tenant = '') AND $1 = ''" } else { "t.tenant = $1" }
}
