//! What the first page shows.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Failure;
use crate::range::Range;
use crate::store::{Scope, Store};

/// Running sessions that the first page lists, at most.
pub const LIVE_SHOWN: i64 = 12;
/// Closed sessions that the first page lists, at most.
pub const CLOSED_SHOWN: i64 = 20;
/// Event types that the first page names, at most.
pub const TYPES_SHOWN: i64 = 8;

/// What the first page shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// How much there is.
    pub totals: Totals,
    /// Events of each step of the range, the oldest first.
    pub steps: Vec<i64>,
    /// The commonest event types of the range.
    pub types: Vec<TypeCount>,
    /// Running sessions, the one heard of last first.
    pub live: Vec<LiveLine>,
    /// Closed sessions, the one reported last first.
    pub closed: Vec<ClosedLine>,
    /// Games that have sent something, by name: one, as a rule.
    pub games: i64,
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Totals {
    /// Sessions that run.
    pub live: i64,
    /// Closed play sessions.
    pub closed: i64,
    /// Players with a closed session.
    pub players: i64,
    /// Events in the latest whole minute.
    pub last_minute: i64,
    /// The latest minute with an event.
    pub latest: Option<DateTime<Utc>>,
}

/// How often a type came.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct TypeCount {
    /// The type.
    pub event_type: String,
    /// Its events.
    pub events: i64,
}

/// A running session.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct LiveLine {
    /// Whose.
    pub tenant: String,
    /// The session.
    pub session_id: Uuid,
    /// Which game.
    pub game: String,
    /// Who plays.
    pub player_id: String,
    /// Its first event.
    pub started_at: DateTime<Utc>,
    /// Its latest event.
    pub last_event_at: DateTime<Utc>,
    /// Events so far.
    pub event_count: i64,
    /// Active time so far, in ms.
    pub active_ms: i64,
}

/// A closed session.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct ClosedLine {
    /// Whose.
    pub tenant: String,
    /// The session.
    pub session_id: Uuid,
    /// Which game.
    pub game: String,
    /// Who played.
    pub player_id: String,
    /// provisional or final.
    pub status: String,
    /// Why it was closed.
    pub close_reason: String,
    /// Its first event.
    pub started_at: DateTime<Utc>,
    /// Its events.
    pub event_count: i64,
    /// Whether it was faster than people are.
    pub anomalous: bool,
    /// From the first event to the last, in ms.
    pub duration_ms: i64,
    /// Active time, in ms.
    pub active_ms: i64,
    /// Tasks started.
    pub tasks_started: i64,
    /// Tasks completed.
    pub tasks_completed: i64,
    /// Successes by attempt; none without attempts.
    pub success_rate: Option<f64>,
}

impl Store {
    /// Reads the first page's data as of `now_ms`.
    ///
    /// # Errors
    /// [`Failure`] when the database does not give it.
    pub async fn overview(&self, scope: &Scope, range: Range, now_ms: i64) -> Result<Overview, Failure> {
        let mut read = self.snapshot().await?;
        let from = DateTime::from_timestamp_millis(range.begin_ms(now_ms)).unwrap_or_default();
        let overview = Overview {
            totals: totals(&mut read, scope, now_ms).await?,
            steps: steps(&mut read, scope, range, from).await?,
            types: types(&mut read, scope, from).await?,
            live: live(&mut read, scope).await?,
            closed: closed(&mut read, scope).await?,
            games: games(&mut read, scope).await?,
        };
        read.rollback().await?;
        Ok(overview)
    }
}

async fn totals(read: &mut PgConnection, scope: &Scope, now_ms: i64) -> Result<Totals, sqlx::Error> {
    const MINUTE: i64 = 60_000;
    let whole = DateTime::from_timestamp_millis((now_ms.div_euclid(MINUTE) - 1) * MINUTE).unwrap_or_default();
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM live_sessions WHERE $1::text IS NULL OR tenant = $1) AS live,
                (SELECT count(*) FROM sessions WHERE kind = 'play' AND ($1::text IS NULL OR tenant = $1)) AS closed,
                (SELECT count(*) FROM players WHERE $1::text IS NULL OR tenant = $1) AS players,
                (SELECT coalesce(sum(events), 0)::bigint FROM activity_by_minute
                  WHERE minute = $2 AND ($1::text IS NULL OR tenant = $1)) AS last_minute,
                (SELECT max(minute) FROM activity_by_minute WHERE $1::text IS NULL OR tenant = $1) AS latest",
    )
    .bind(scope.tenant())
    .bind(whole)
    .fetch_one(read)
    .await
}

async fn steps(
    read: &mut PgConnection,
    scope: &Scope,
    range: Range,
    from: DateTime<Utc>,
) -> Result<Vec<i64>, sqlx::Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT floor(extract(epoch FROM minute - $2) * 1000 / $3)::bigint AS step, sum(events)::bigint
           FROM activity_by_minute
          WHERE minute >= $2 AND minute < $2 + $4 * interval '1 millisecond' AND ($1::text IS NULL OR tenant = $1)
          GROUP BY step",
    )
    .bind(scope.tenant())
    .bind(from)
    .bind(range.step_ms())
    .bind(range.steps() * range.step_ms())
    .fetch_all(read)
    .await?;
    let mut steps = vec![0; usize::try_from(range.steps()).unwrap_or(0)];
    for (step, events) in rows {
        if let Some(place) = usize::try_from(step).ok().and_then(|step| steps.get_mut(step)) {
            *place = events;
        }
    }
    Ok(steps)
}

async fn types(read: &mut PgConnection, scope: &Scope, from: DateTime<Utc>) -> Result<Vec<TypeCount>, sqlx::Error> {
    sqlx::query_as(
        "SELECT event_type, sum(events)::bigint AS events
           FROM activity_by_minute
          WHERE minute >= $2 AND ($1::text IS NULL OR tenant = $1)
          GROUP BY event_type
          ORDER BY events DESC, event_type
          LIMIT $3",
    )
    .bind(scope.tenant())
    .bind(from)
    .bind(TYPES_SHOWN)
    .fetch_all(read)
    .await
}

async fn live(read: &mut PgConnection, scope: &Scope) -> Result<Vec<LiveLine>, sqlx::Error> {
    sqlx::query_as(
        "SELECT tenant, session_id, game, player_id, started_at, last_event_at, event_count, active_ms
           FROM live_sessions
          WHERE $1::text IS NULL OR tenant = $1
          ORDER BY last_event_at DESC, session_id
          LIMIT $2",
    )
    .bind(scope.tenant())
    .bind(LIVE_SHOWN)
    .fetch_all(read)
    .await
}

async fn closed(read: &mut PgConnection, scope: &Scope) -> Result<Vec<ClosedLine>, sqlx::Error> {
    // The latest are chosen before their metrics are looked up: 20 look-ups, not a join of everything.
    sqlx::query_as(
        "WITH latest AS MATERIALIZED (
             SELECT * FROM sessions
              WHERE kind = 'play' AND ($1::text IS NULL OR tenant = $1)
              ORDER BY reported_at DESC, session_id
              LIMIT $2)
         SELECT l.tenant, l.session_id, l.game, l.player_id, l.status, l.close_reason, l.started_at, l.event_count,
                l.anomalous, m.duration_ms, m.active_ms, m.tasks_started, m.tasks_completed, m.success_rate
           FROM latest l
           JOIN session_metrics m USING (tenant, session_id)
          ORDER BY l.reported_at DESC, l.session_id",
    )
    .bind(scope.tenant())
    .bind(CLOSED_SHOWN)
    .fetch_all(read)
    .await
}

async fn games(read: &mut PgConnection, scope: &Scope) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(DISTINCT (tenant, game)) FROM activity_by_minute
          WHERE minute > now() - interval '7 days' AND ($1::text IS NULL OR tenant = $1)",
    )
    .bind(scope.tenant())
    .fetch_one(read)
    .await
}
