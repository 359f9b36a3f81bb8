//! Horizons of one generation for another: a rebuild removes and keeps what the live one has.

use chrono::{DateTime, Utc};
use schemas::games::Model;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{event_log, sessions, timed};
use crate::error::StoreError;

/// Takes the horizons over.
pub(crate) async fn take_over(on: &mut PgConnection, live: &str, rebuilt: &str) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {rebuilt}.retained AS n (tenant, model, before, frozen_day)
         SELECT tenant, model, before, frozen_day FROM {live}.retained
         ON CONFLICT (tenant, model) DO UPDATE SET
             before     = greatest(n.before, excluded.before),
             frozen_day = greatest(n.frozen_day, excluded.frozen_day)"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(on).await?;
    Ok(())
}

/// Deletes what a sweep that was broken off has left in event_log below its horizon.
pub(crate) async fn finish(on: &mut PgConnection, data: &str) -> Result<(), StoreError> {
    sqlx::query("SELECT set_config('search_path', $1, false)").bind(data).execute(&mut *on).await?;
    for (tenant, before) in horizons(on, Model::EventLog).await? {
        let range = (event_log::before_all_days().0, before);
        while !event_log::delete(on, &tenant, range).await?.1 {}
    }
    Ok(())
}

/// Removes from a rebuilt generation what the live one has removed, and takes over what is known of removed sessions only
/// there: frozen days, and the first days of players. By the one transaction on this connection, in which both
/// stand at the same offsets, and whose names are the rebuilt one's from here on.
pub(crate) async fn settle(on: &mut PgConnection, live: &str, rebuilt: &str) -> Result<(), StoreError> {
    take_over(on, live, rebuilt).await?;
    sqlx::query("SELECT set_config('search_path', $1, true)").bind(rebuilt).execute(&mut *on).await?;
    for (tenant, before) in horizons(on, Model::Sessions).await? {
        sessions::remove(on, &tenant, before).await?;
    }
    for model in [Model::Quarantine, Model::Activity, Model::Live] {
        for (tenant, before) in horizons(on, model).await? {
            timed::remove(on, model, &tenant, before).await?;
        }
    }
    for (tenant, before) in horizons(on, Model::EventLog).await? {
        while !event_log::delete(on, &tenant, (event_log::before_all_days().0, before)).await?.1 {}
    }
    let counted: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM retained WHERE model = 'sessions')").fetch_one(&mut *on).await?;
    if counted {
        // A first day that is not frozen is found anew by the recount, whatever is put there.
        let sql = format!(
            "DELETE FROM daily_players d USING retained r
              WHERE r.model = 'sessions' AND d.tenant = r.tenant AND d.day <= r.frozen_day;
             INSERT INTO daily_players
             SELECT d.* FROM {live}.daily_players d JOIN retained r ON r.model = 'sessions' AND d.tenant = r.tenant AND d.day <= r.frozen_day;
             UPDATE player_days n SET first_day = l.first_day
               FROM {live}.player_days l JOIN retained r ON r.tenant = l.tenant AND r.model = 'sessions'
              WHERE (l.tenant, l.game, l.player_id, l.day) = (n.tenant, n.game, n.player_id, n.day) AND n.first_day <> l.first_day;
             SELECT recount()"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(on).await?;
    }
    Ok(())
}

/// The horizons of a model.
async fn horizons(on: &mut PgConnection, model: Model) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
    let sql = "SELECT tenant, before FROM retained WHERE model = $1 ORDER BY tenant";
    Ok(sqlx::query_as(sql).bind(model.name()).fetch_all(on).await?)
}
