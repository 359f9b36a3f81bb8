//! What the first page shows.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Failure;
use crate::range::Range;
use crate::store::amount::{self, Amount};
use crate::store::{Scope, Store};

/// Running sessions that the first page lists, at most.
pub const LIVE_SHOWN: i64 = 12;
/// Closed sessions that the first page lists, at most.
pub const CLOSED_SHOWN: i64 = 20;
/// The closed sessions that were reported last are looked for among so many that began last, shared by
/// the games; a game has no fewer than the second of these. An index finds those, and none finds the
/// latest reports.
const CLOSED_LOOKED_AT: [i64; 2] = [10_000, 100];
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
    /// Whether more than one game has sent something of late.
    pub many_games: bool,
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sessions that run.
    pub live: i64,
    /// Closed play sessions.
    pub closed: Amount,
    /// Players with a closed session.
    pub players: Amount,
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
            many_games: many_games(&mut read, scope).await?,
        };
        read.rollback().await?;
        Ok(overview)
    }
}

async fn totals(read: &mut PgConnection, scope: &Scope, now_ms: i64) -> Result<Totals, sqlx::Error> {
    const MINUTE: i64 = 60_000;
    let whole = DateTime::from_timestamp_millis((now_ms.div_euclid(MINUTE) - 1) * MINUTE).unwrap_or_default();
    let (live, last_minute, latest) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM live_sessions WHERE $1::text IS NULL OR tenant = $1),
                (SELECT coalesce(sum(events), 0)::bigint FROM activity_by_minute
                  WHERE minute = $2 AND ($1::text IS NULL OR tenant = $1)),
                (SELECT max(minute) FROM activity_by_minute WHERE $1::text IS NULL OR tenant = $1)",
    )
    .bind(scope.tenant())
    .bind(whole)
    .fetch_one(&mut *read)
    .await?;
    let (closed, players) = amount::sessions_and_players(read, scope).await?;
    Ok(Totals { live, closed, players, last_minute, latest })
}

async fn steps(
    read: &mut PgConnection,
    scope: &Scope,
    range: Range,
    from: DateTime<Utc>,
) -> Result<Vec<i64>, sqlx::Error> {
    let rows: Vec<(DateTime<Utc>, i64)> = sqlx::query_as(
        "SELECT date_bin($3 * interval '1 millisecond', minute, $2) AS step, sum(events)::bigint
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
    for (begin, events) in rows {
        let step = (begin - from).num_milliseconds() / range.step_ms();
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
    // From game to game along the index, from each those that began last; of these the latest are chosen before
    // their metrics are looked up: 20 look-ups, not a join of everything.
    sqlx::query_as(
        "WITH RECURSIVE games AS (
             (SELECT tenant, game FROM sessions WHERE tenant >= coalesce($1, '') ORDER BY tenant, game LIMIT 1)
             UNION ALL
             SELECT n.tenant, n.game FROM games g, LATERAL (
                 SELECT tenant, game FROM sessions s
                  WHERE (s.tenant, s.game) > (g.tenant, g.game)
                  ORDER BY tenant, game LIMIT 1) n
              WHERE $1::text IS NULL OR n.tenant = $1),
         latest AS MATERIALIZED (
             SELECT s.* FROM games g, LATERAL (
                 SELECT * FROM sessions s
                  WHERE s.tenant = g.tenant AND s.game = g.game
                  ORDER BY started_at DESC
                  LIMIT greatest($4, $3 / (SELECT count(*) FROM games))) s
              WHERE s.kind = 'play' AND ($1::text IS NULL OR s.tenant = $1)
              ORDER BY s.reported_at DESC, s.session_id
              LIMIT $2)
         SELECT l.tenant, l.session_id, l.game, l.player_id, l.status, l.close_reason, l.started_at, l.event_count,
                l.anomalous, m.duration_ms, m.active_ms, m.tasks_started, m.tasks_completed, m.success_rate
           FROM latest l
           JOIN session_metrics m USING (tenant, session_id)
          ORDER BY l.reported_at DESC, l.session_id",
    )
    .bind(scope.tenant())
    .bind(CLOSED_SHOWN)
    .bind(CLOSED_LOOKED_AT[0])
    .bind(CLOSED_LOOKED_AT[1])
    .fetch_all(read)
    .await
}

async fn many_games(read: &mut PgConnection, scope: &Scope) -> Result<bool, sqlx::Error> {
    // From game to game along the index, no further than to the second that has sent something.
    sqlx::query_scalar(
        "WITH RECURSIVE games AS (
             (SELECT tenant, game FROM activity_by_minute
               WHERE tenant >= coalesce($1, '') ORDER BY tenant, game LIMIT 1)
             UNION ALL
             SELECT n.tenant, n.game FROM games g, LATERAL (
                 SELECT tenant, game FROM activity_by_minute a
                  WHERE (a.tenant, a.game) > (g.tenant, g.game)
                  ORDER BY tenant, game LIMIT 1) n
              WHERE $1::text IS NULL OR n.tenant = $1)
         SELECT count(*) > 1 FROM (
             SELECT FROM games g
              WHERE ($1::text IS NULL OR g.tenant = $1)
                AND EXISTS (SELECT FROM activity_by_minute a
                             WHERE a.tenant = g.tenant AND a.game = g.game AND a.minute > now() - interval '7 days')
              LIMIT 2) two",
    )
    .bind(scope.tenant())
    .fetch_one(read)
    .await
}
