//! event_log: tables of days are made ahead and dropped whole; where one tenant still wants a day, another's rows
//! are deleted from it.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use schemas::games::Model;
use sqlx::PgConnection;

use super::{ROWS, advance};
use crate::error::StoreError;

/// So many days after today get their tables ahead of time.
const AHEAD: u64 = 3;

const TABLES: &str = "
    SELECT to_date(right(c.relname, 8), 'YYYYMMDD')
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'event_log'::regclass AND c.relname ~ '^event_log_[0-9]{8}$'
     ORDER BY 1";

/// By way of the whole table: a writer may not use those of the days.
const PRESENT: &str = "
    WITH RECURSIVE tenants (tenant) AS (
        (SELECT e.tenant FROM event_log e WHERE e.received_at >= $1 AND e.received_at < $2 ORDER BY e.tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT e.tenant FROM event_log e WHERE e.received_at >= $1 AND e.received_at < $2 AND e.tenant > p.tenant
                 ORDER BY e.tenant LIMIT 1)
          FROM tenants p WHERE p.tenant IS NOT NULL
    )
    SELECT tenant FROM tenants WHERE tenant IS NOT NULL";

const DELETE: &str = "
    DELETE FROM event_log e
     USING (SELECT g.session_id, g.partition, g.\"offset\", g.received_at FROM event_log g
             WHERE g.tenant = $1 AND g.received_at >= $2 AND g.received_at < $3 LIMIT $4) gone
     WHERE e.tenant = $1 AND e.session_id = gone.session_id AND e.partition = gone.partition
       AND e.\"offset\" = gone.\"offset\" AND e.received_at = gone.received_at
       AND e.received_at >= $2 AND e.received_at < $3";

/// From when on rows arrived, and before when.
pub(super) type Range = (DateTime<Utc>, DateTime<Utc>);

/// The days that have a table, oldest first.
pub(super) async fn days(on: &mut PgConnection) -> Result<Vec<NaiveDate>, StoreError> {
    Ok(sqlx::query_scalar(TABLES).fetch_all(on).await?)
}

/// When a day begins.
pub(super) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// A day's range.
pub(super) fn range(day: NaiveDate) -> Range {
    (midnight(day), midnight(day + Days::new(1)))
}

/// What lies before the first day that may have a table: rows whose year cannot be. No row is older than this begins.
pub(super) fn before_all_days() -> Range {
    let year = |year| midnight(NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default());
    (year(1), year(2_000))
}

/// The tenants that have rows in a range.
pub(super) async fn present(on: &mut PgConnection, (from, until): Range) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(PRESENT).bind(from).bind(until).fetch_all(on).await?)
}

/// Deletes a tenant's rows of a range, at most so many at a time; answers how many, and whether these were all. The
/// horizon is at the end of the range from the first of them on: what is left goes next, and nothing comes again.
pub(super) async fn delete(
    on: &mut PgConnection,
    tenant: &str,
    (from, until): Range,
) -> Result<(u64, bool), StoreError> {
    let done =
        sqlx::query(DELETE).bind(tenant).bind(from).bind(until).bind(ROWS).execute(&mut *on).await?.rows_affected();
    advance(on, tenant, Model::EventLog, until).await?;
    Ok((done, done < ROWS.unsigned_abs()))
}

/// Drops a day's table, with the rows of tenants that want them no longer. Gives way to whoever reads.
///
/// # Errors
/// [`StoreError::Away`] with SQLSTATE 55P03 while somebody reads the event log.
pub(super) async fn drop_day(on: &mut PgConnection, day: NaiveDate, present: &[String]) -> Result<bool, StoreError> {
    for tenant in present {
        advance(on, tenant, Model::EventLog, range(day).1).await?;
    }
    sqlx::raw_sql("SET LOCAL lock_timeout = '300ms'").execute(&mut *on).await?;
    Ok(sqlx::query_scalar("SELECT event_log_drop($1)").bind(day).fetch_one(on).await?)
}

/// Makes the tables of today and the next days where there are none; answers how many. Gives way to whoever reads.
///
/// # Errors
/// As [`drop_day`].
pub(super) async fn make_ahead(on: &mut PgConnection, today: NaiveDate) -> Result<u64, StoreError> {
    sqlx::raw_sql("SET LOCAL lock_timeout = '300ms'").execute(&mut *on).await?;
    let days: Vec<NaiveDate> = (0..=AHEAD).map(|more| today + Days::new(more)).collect();
    let made: i64 = sqlx::query_scalar("SELECT event_log_days($1)").bind(days).fetch_one(on).await?;
    Ok(made.unsigned_abs())
}
