//! What the page of one session shows.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::error::Failure;
use crate::store::{Scope, Store};

/// Events of a session that are read for its page, at most.
pub const EVENTS_READ: i64 = 10_000;

/// All that is known of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionData {
    /// Whose.
    pub tenant: String,
    /// Its report; none while it runs for the first time.
    pub report: Option<ReportRow>,
    /// Its snapshot; none when it does not run.
    pub live: Option<LiveRow>,
    /// Its row of session_metrics, by column; empty without a report.
    pub metrics: Map<String, Value>,
    /// What it did on each task, in the order of first mention.
    pub tasks: Vec<TaskRow>,
    /// Evidence of skills that it yielded.
    pub evidence: Vec<EvidenceRow>,
    /// Its events in order, at most [`EVENTS_READ`]; none where they are not kept in the tables.
    pub events: Vec<EventRow>,
}

impl SessionData {
    /// Its game and player; none where nothing is known of it.
    pub fn owner(&self) -> Option<(&str, &str)> {
        let reported = self.report.as_ref().map(|row| (row.game.as_str(), row.player_id.as_str()));
        let running = || self.live.as_ref().map(|row| (row.game.as_str(), row.player_id.as_str()));
        let logged = || self.events.first().map(|row| (row.game.as_str(), row.player_id.as_str()));
        reported.or_else(running).or_else(logged)
    }
}

/// A session's row of `sessions`.
#[derive(Clone, Debug, PartialEq, FromRow)]
#[expect(missing_docs, reason = "the columns are told of in COMMENT ON COLUMN sessions.*")]
pub struct ReportRow {
    pub game: String,
    pub player_id: String,
    pub kind: String,
    pub revision: i64,
    pub status: String,
    pub close_reason: String,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub event_count: i64,
    pub complete: Option<bool>,
    pub anomalous: bool,
    #[sqlx(json)]
    pub flags: Vec<String>,
    pub platform: Option<String>,
    pub locale: Option<String>,
    pub device: Option<String>,
    pub app_version: Option<String>,
    pub facts_sha256: String,
    pub partition: i64,
    pub first_offset: i64,
    pub last_offset: i64,
    pub repeats: i64,
    pub clock_offset_ms: Option<i64>,
    pub worker: String,
    pub reported_at: DateTime<Utc>,
}

/// A session's row of `live_sessions`.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
#[expect(missing_docs, reason = "the columns are told of in COMMENT ON COLUMN live_sessions.*")]
pub struct LiveRow {
    pub game: String,
    pub player_id: String,
    pub started_at: DateTime<Utc>,
    pub last_event_at: DateTime<Utc>,
    pub event_count: i64,
    pub active_ms: i64,
}

/// A row of `session_tasks`.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
#[expect(missing_docs, reason = "the columns are told of in COMMENT ON COLUMN session_tasks.*")]
pub struct TaskRow {
    pub task_id: String,
    pub starts: i64,
    pub completions: i64,
    pub abandons: i64,
    pub attempts: i64,
    pub successes: i64,
    pub hints: i64,
    pub spent_ms: Option<i64>,
    pub first_try: Option<bool>,
}

/// A row of `skill_evidence`.
#[derive(Clone, Debug, PartialEq, FromRow)]
#[expect(missing_docs, reason = "the columns are told of in COMMENT ON COLUMN skill_evidence.*")]
pub struct EvidenceRow {
    pub skill: String,
    pub source: String,
    pub signal: String,
    pub successes: f64,
    pub opportunities: f64,
    pub weight: f64,
    pub at: DateTime<Utc>,
}

/// A row of `event_log`, the first of its id.
#[derive(Clone, Debug, PartialEq, FromRow)]
#[expect(missing_docs, reason = "the columns are told of in COMMENT ON COLUMN event_log.*")]
pub struct EventRow {
    pub game: String,
    pub player_id: String,
    pub seq: Option<i64>,
    pub event_type: String,
    pub timestamp: Option<DateTime<Utc>>,
    pub received_at: DateTime<Utc>,
    pub data: Option<Value>,
}

impl Store {
    /// The tenants that have a session of this id: one, or none, unless two studios' clients made the same id.
    ///
    /// # Errors
    /// [`Failure`] when the database does not give it.
    pub async fn tenants_of(&self, scope: &Scope, id: Uuid) -> Result<Vec<String>, Failure> {
        let mut read = self.snapshot().await?;
        // The keys begin with the tenant: stepping from tenant to tenant reads a few pages, a search for the id all.
        let tenants = sqlx::query_scalar(
            "WITH RECURSIVE
             reported(tenant) AS (
                 SELECT min(tenant) FROM sessions
                 UNION ALL
                 SELECT (SELECT min(tenant) FROM sessions s WHERE s.tenant > r.tenant)
                   FROM reported r WHERE r.tenant IS NOT NULL),
             logged(tenant) AS (
                 SELECT min(tenant) FROM event_log
                 UNION ALL
                 SELECT (SELECT min(tenant) FROM event_log e WHERE e.tenant > l.tenant)
                   FROM logged l WHERE l.tenant IS NOT NULL),
             known AS (
                 SELECT tenant FROM reported UNION SELECT tenant FROM logged UNION SELECT tenant FROM live_sessions)
             SELECT tenant FROM known k
              WHERE ($1::text IS NULL OR tenant = $1)
                AND (EXISTS (SELECT FROM sessions s WHERE s.tenant = k.tenant AND s.session_id = $2)
                  OR EXISTS (SELECT FROM live_sessions s WHERE s.tenant = k.tenant AND s.session_id = $2)
                  OR EXISTS (SELECT FROM event_log s WHERE s.tenant = k.tenant AND s.session_id = $2))
              ORDER BY tenant",
        )
        .bind(scope.tenant())
        .bind(id)
        .fetch_all(&mut *read)
        .await?;
        read.rollback().await?;
        Ok(tenants)
    }

    /// All that is known of a session; empty where nothing is.
    ///
    /// # Errors
    /// [`Failure`] when the database does not give it.
    pub async fn session(&self, tenant: &str, id: Uuid) -> Result<SessionData, Failure> {
        let mut read = self.snapshot().await?;
        let data = SessionData {
            tenant: tenant.to_owned(),
            report: report(&mut read, tenant, id).await?,
            live: live(&mut read, tenant, id).await?,
            metrics: metrics(&mut read, tenant, id).await?,
            tasks: tasks(&mut read, tenant, id).await?,
            evidence: evidence(&mut read, tenant, id).await?,
            events: events(&mut read, tenant, id).await?,
        };
        read.rollback().await?;
        Ok(data)
    }
}

async fn report(read: &mut PgConnection, tenant: &str, id: Uuid) -> Result<Option<ReportRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT game, player_id, kind, revision, status, close_reason, started_at, ended_at, event_count, complete,
                anomalous, flags, platform, locale, device, app_version, facts_sha256, partition,
                first_offset, last_offset, repeats, clock_offset_ms, worker, reported_at
           FROM sessions
          WHERE tenant = $1 AND session_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(read)
    .await
}

async fn live(read: &mut PgConnection, tenant: &str, id: Uuid) -> Result<Option<LiveRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT game, player_id, started_at, last_event_at, event_count, active_ms FROM live_sessions
          WHERE tenant = $1 AND session_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(read)
    .await
}

async fn metrics(read: &mut PgConnection, tenant: &str, id: Uuid) -> Result<Map<String, Value>, sqlx::Error> {
    // As JSON, so that a metric of a newer version needs no new column here.
    let row: Option<Value> =
        sqlx::query_scalar("SELECT to_jsonb(m) FROM session_metrics m WHERE tenant = $1 AND session_id = $2")
            .bind(tenant)
            .bind(id)
            .fetch_optional(read)
            .await?;
    Ok(match row {
        Some(Value::Object(columns)) => columns,
        _ => Map::new(),
    })
}

async fn tasks(read: &mut PgConnection, tenant: &str, id: Uuid) -> Result<Vec<TaskRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT task_id, starts, completions, abandons, attempts, successes, hints, spent_ms, first_try
           FROM session_tasks
          WHERE tenant = $1 AND session_id = $2
          ORDER BY ordinal",
    )
    .bind(tenant)
    .bind(id)
    .fetch_all(read)
    .await
}

async fn evidence(read: &mut PgConnection, tenant: &str, id: Uuid) -> Result<Vec<EvidenceRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT skill, source, signal, successes, opportunities, weight, at
           FROM skill_evidence
          WHERE tenant = $1 AND session_id = $2
          ORDER BY skill, source, signal, ordinal",
    )
    .bind(tenant)
    .bind(id)
    .fetch_all(read)
    .await
}

async fn events(read: &mut PgConnection, tenant: &str, id: Uuid) -> Result<Vec<EventRow>, sqlx::Error> {
    // The record of METRICS.md: the first copy of each event and the first under each seq, by seq where the
    // session has one, else as they lie in the log; a close without seq stands after all others.
    sqlx::query_as(
        "WITH firsts AS (
             SELECT DISTINCT ON (event_id) * FROM event_log
              WHERE tenant = $1 AND session_id = $2 AND event_type NOT LIKE 'evidence.%'
              ORDER BY event_id, partition, \"offset\"),
         places AS (
             SELECT *, row_number() OVER (PARTITION BY seq ORDER BY \"offset\") AS claim FROM firsts)
         SELECT game, player_id, seq, event_type, \"timestamp\", received_at, data FROM places
          WHERE seq IS NULL OR claim = 1
          ORDER BY (seq IS NULL AND event_type = 'session.closed'), seq NULLS LAST, partition, \"offset\"
          LIMIT $3",
    )
    .bind(tenant)
    .bind(id)
    .bind(EVENTS_READ)
    .fetch_all(read)
    .await
}
