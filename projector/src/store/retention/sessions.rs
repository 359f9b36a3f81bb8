//! Removes sessions that ended before a time, with all that hangs on them, and takes back what they gave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, Utc};
use schemas::games::Model;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{Removed, advance, games};
use crate::error::StoreError;
use crate::project::{DayChange, PlayerChange, taken_back};
use crate::store::{days, players, session_tasks, task_counts};

/// So many sessions go at a time: with their tasks and evidence some thousand rows.
const SESSIONS: i64 = 500;
/// So many of those that started first are looked at, as long as more than these have not all begun before a time
/// that some of them have ended after.
const LOOKED_AT: i64 = 4 * SESSIONS;

/// The tables whose rows hang on a session. This is the one place that removes them.
const HANGING: [&str; 4] = ["session_tasks", "session_evidence", "session_metrics", "sessions"];

/// Of the first $3 sessions by their start, from which index they come: up to when it is certain that they are all,
/// how many of them ended by then, and what time the first $4 of these ended before.
static NEXT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}, firsts AS (
             SELECT s.started_at, s.ended_at
               FROM games g, LATERAL (SELECT t.started_at, t.ended_at FROM sessions t
                                       WHERE t.tenant = $1 AND t.game = g.game AND t.started_at < $2
                                       ORDER BY t.started_at LIMIT $3) s
              ORDER BY s.started_at LIMIT $3
         ), certain AS (
             SELECT count(*) AS looked_at, CASE WHEN count(*) < $3 THEN $2 ELSE max(started_at) END AS until FROM firsts
         )
         SELECT c.looked_at, c.until,
                (SELECT count(*) FROM firsts f WHERE f.ended_at < c.until),
                (SELECT date_trunc('milliseconds', f.ended_at) + interval '1 ms' FROM firsts f
                  WHERE f.ended_at < c.until ORDER BY f.ended_at OFFSET $4 - 1 LIMIT 1)
           FROM certain c",
        games("sessions")
    )
});

static GONE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} SELECT s.session_id, s.game, s.player_id, s.kind, s.day
              FROM games g JOIN sessions s ON s.tenant = $1 AND s.game = g.game AND s.started_at < $2 AND s.ended_at < $2",
        games("sessions")
    )
});

const SECOND_LIVES: &str = "DELETE FROM second_lives WHERE tenant = $1 AND ended_at < $2";

/// Whether any are left that ended before a time.
const SECOND_LIVES_LEFT: &str = "SELECT EXISTS (SELECT FROM second_lives WHERE tenant = $1 AND ended_at < $2)";

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing is older than the target.
    Done,
    /// Remove up to this time, then look again.
    At(DateTime<Utc>),
    /// Remove up to the target, which is little.
    Last,
}

/// Up to when as many sessions ended as may go at a time.
pub(super) async fn next(on: &mut PgConnection, tenant: &str, target: DateTime<Utc>) -> Result<Cut, StoreError> {
    let mut look_at = LOOKED_AT;
    loop {
        let (looked_at, until, ended, full): (i64, DateTime<Utc>, i64, Option<DateTime<Utc>>) =
            sqlx::query_as(NEXT.as_str())
                .bind(tenant)
                .bind(target)
                .bind(look_at)
                .bind(SESSIONS)
                .fetch_one(&mut *on)
                .await?;
        let all = looked_at < look_at;
        match full {
            Some(cut) => return Ok(Cut::At(cut)),
            None if all && ended == 0 => break,
            None if all => return Ok(Cut::Last),
            // Those that started first have all gone on past where the look ended.
            None if ended == 0 => look_at *= 2,
            None => return Ok(Cut::At(until)),
        }
    }
    let left: bool = sqlx::query_scalar(SECOND_LIVES_LEFT).bind(tenant).bind(target).fetch_one(on).await?;
    Ok(if left { Cut::Last } else { Cut::Done })
}

/// A session that goes.
#[derive(sqlx::FromRow)]
struct Gone {
    session_id: Uuid,
    game: String,
    player_id: String,
    kind: String,
    day: Option<NaiveDate>,
}

/// Removes a tenant's sessions that ended before a time, and moves the horizon there. What others share is written last,
/// in the order of its keys, as by a load.
pub(super) async fn remove(on: &mut PgConnection, tenant: &str, before: DateTime<Utc>) -> Result<Removed, StoreError> {
    let gone: Vec<Gone> = sqlx::query_as(GONE.as_str()).bind(tenant).bind(before).fetch_all(&mut *on).await?;
    let ids: Vec<Uuid> = gone.iter().map(|gone| gone.session_id).collect();
    // What they gave is read from their rows.
    let tasks = session_tasks::known(on, (&vec![tenant; ids.len()], &ids)).await?;
    let mut removed = Removed::new();
    for table in HANGING {
        let sql = format!(
            "DELETE FROM {table} t USING unnest($2::uuid[]) AS gone (session_id)
              WHERE t.tenant = $1 AND t.session_id = gone.session_id"
        );
        let done = sqlx::query(AssertSqlSafe(sql)).bind(tenant).bind(&ids).execute(&mut *on).await?;
        removed.push((table, done.rows_affected()));
    }
    let lives = sqlx::query(SECOND_LIVES).bind(tenant).bind(before).execute(&mut *on).await?;
    removed.push(("second_lives", lives.rows_affected()));
    // Before the days: it says which of them stay as they are.
    advance(on, tenant, Model::Sessions, before).await?;
    players::write(on, &changed_players(tenant, &gone)).await?;
    task_counts::write(on, &taken_back(tenant, tasks.iter().map(|(.., task)| task))).await?;
    days::write(on, &changed_days(tenant, &gone)).await?;
    Ok(removed)
}

/// The players of play sessions that went: their rows are counted anew from what is left.
fn changed_players<'a>(tenant: &'a str, gone: &'a [Gone]) -> Vec<PlayerChange<'a>> {
    let players: BTreeSet<&str> =
        gone.iter().filter(|gone| gone.kind == "play").map(|gone| gone.player_id.as_str()).collect();
    let change =
        |player_id| PlayerChange { tenant, player_id, sessions: 0, events: 0, active_ms: 0, seen: None, recount: true };
    players.into_iter().map(change).collect()
}

fn changed_days<'a>(tenant: &'a str, gone: &'a [Gone]) -> Vec<DayChange<'a>> {
    let mut days: BTreeMap<(&str, &str, NaiveDate), i64> = BTreeMap::new();
    for gone in gone {
        if let Some(day) = gone.day {
            *days.entry((&gone.game, &gone.player_id, day)).or_default() -= 1;
        }
    }
    let change = |((game, player_id, day), sessions)| DayChange { tenant, game, player_id, day, sessions };
    days.into_iter().map(change).collect()
}
