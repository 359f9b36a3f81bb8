//! sessions: what is known of them, and the rows of their newest reports.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, NaiveDate, Utc};
use schemas::Timestamp;
use schemas::games::Games;
use schemas::report::{Flag, Kind, Report, Status};
use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::{Json, Rows, Values};
use super::session_tasks;
use super::statement::{self, Conflict, insert, update};
use crate::error::StoreError;
use crate::jsonb::plain;
use crate::project::{Known, KnownSession, SessionKey, SessionRow, Share, bigint};

const KEY: [&str; 2] = ["tenant", "session_id"];
const REST: [&str; 28] = [
    "game",
    "player_id",
    "kind",
    "revision",
    "status",
    "close_reason",
    "started_at",
    "ended_at",
    "event_count",
    "active_ms",
    "complete",
    "anomalous",
    "flags",
    "platform",
    "locale",
    "device",
    "app_version",
    "facts_sha256",
    "partition",
    "first_offset",
    "last_offset",
    "repeats",
    "clock_offset_ms",
    "client_started_at",
    "client_ended_at",
    "worker",
    "reported_at",
    "day",
];

static ADD: LazyLock<String> = LazyLock::new(|| insert("sessions", &KEY, &[], Conflict::Keep));
static REVISE: LazyLock<String> = LazyLock::new(|| update("sessions", &KEY, &REST, "revision"));

const KNOWN: &str = "
    SELECT s.tenant, s.session_id, s.game, s.player_id, s.day, s.revision, s.partition, s.first_offset, s.kind, s.started_at, s.ended_at,
           s.event_count, s.active_ms
      FROM unnest($1::text[], $2::uuid[]) AS wanted (tenant, session_id)
      JOIN sessions s USING (tenant, session_id)";

#[derive(sqlx::FromRow)]
struct Row {
    tenant: String,
    session_id: Uuid,
    game: String,
    player_id: String,
    day: Option<NaiveDate>,
    revision: i64,
    partition: i64,
    first_offset: i64,
    kind: String,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    event_count: i64,
    active_ms: i64,
}

/// What the tables hold of these sessions.
pub(super) async fn known(
    connection: &mut PgConnection,
    wanted: &BTreeSet<SessionKey<'_>>,
    games: &Arc<Games>,
) -> Result<Known, StoreError> {
    let mut known = Known::new(Arc::clone(games));
    if wanted.is_empty() {
        return Ok(known);
    }
    let rows: Vec<Row> = sqlx::query_as(KNOWN)
        .bind(wanted.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, session)| *session).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    let keys: (Vec<&str>, Vec<Uuid>) = rows.iter().map(|row| (row.tenant.as_str(), row.session_id)).unzip();
    let tasks = if rows.is_empty() { Vec::new() } else { session_tasks::known(connection, (&keys.0, &keys.1)).await? };
    for row in rows {
        let share = (row.kind == kind(Kind::Play)).then(|| Share {
            started_at: Timestamp::from_ms(row.started_at.timestamp_millis()),
            ended_at: Timestamp::from_ms(row.ended_at.timestamp_millis()),
            events: row.event_count,
            active_ms: row.active_ms,
        });
        let session = KnownSession {
            game: row.game,
            day: row.day,
            player_id: row.player_id,
            revision: row.revision,
            partition: row.partition,
            first_offset: row.first_offset,
            share,
            tasks: Vec::new(),
        };
        known.insert(row.tenant, row.session_id, session);
    }
    for (tenant, session, task) in tasks {
        known.insert_task(&tenant, session, task);
    }
    Ok(known)
}

/// Writes the rows of these reports; an older one of the same session is replaced.
///
/// # Errors
/// [`StoreError::Fenced`] when another projector wrote one of the sessions since it was looked for: to be looked at
/// anew, for the report may begin a second life, and what it replaces is another by now.
pub(super) async fn write(connection: &mut PgConnection, sessions: &[SessionRow<'_>]) -> Result<u64, StoreError> {
    let (revised, new): (Vec<SessionRow<'_>>, Vec<_>) = sessions.iter().copied().partition(|row| row.revises.is_some());
    let added = statement::write(connection, &ADD, "sessions", &new, put).await?;
    let changed = revise(connection, &revised).await?;
    if usize::try_from(added + changed) == Ok(sessions.len()) { Ok(added + changed) } else { Err(StoreError::Fenced) }
}

async fn revise(connection: &mut PgConnection, revised: &[SessionRow<'_>]) -> Result<u64, StoreError> {
    if revised.is_empty() {
        return Ok(0);
    }
    let done = sqlx::query(REVISE.as_str())
        .bind(Rows { table: "sessions", all: revised, put })
        .bind(revised.iter().filter_map(|row| row.revises).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

fn put(row: &SessionRow<'_>, values: &mut Values<'_>) {
    let Report { facts, provenance, .. } = row.report;
    values
        .put(row.report.tenant.as_str())
        .put(row.report.session)
        .put(row.report.game.as_str())
        .put(row.report.player.as_str())
        .put(kind(row.report.kind))
        .put(bigint(row.report.revision))
        .put(status(row.report.status))
        .put(facts.close_reason.as_str())
        .put(provenance.started_at)
        .put(provenance.ended_at)
        .put(bigint(facts.metrics.event_count))
        .put(facts.metrics.active_ms)
        .put_or_null(facts.complete)
        .put(facts.metrics.anomalous)
        .put(Json(flags(&facts.flags)))
        .put_or_null(facts.platform.as_deref().map(plain))
        .put_or_null(facts.locale.as_deref().map(plain))
        .put_or_null(facts.device.as_deref().map(plain))
        .put_or_null(provenance.app_version.as_deref().map(plain))
        .put(plain(&row.report.facts_sha256))
        .put(i64::from(provenance.partition))
        .put(provenance.first_offset)
        .put(provenance.last_offset)
        .put(bigint(provenance.repeats))
        .put_or_null(provenance.clock_offset_ms)
        .put(facts.started)
        .put(facts.ended)
        .put(plain(&provenance.worker))
        .put(provenance.reported_at)
        .put_or_null(row.day);
}

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Play => "play",
        Kind::Evidence => "evidence",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Provisional => "provisional",
        Status::Final => "final",
    }
}

/// A JSON list of the flags' words.
fn flags(flags: &[Flag]) -> Cow<'static, str> {
    let word = |flag: &Flag| match flag {
        Flag::GapSkipped => "\"gap_skipped\"",
        Flag::Truncated => "\"truncated\"",
    };
    match flags {
        [] => Cow::Borrowed("[]"),
        flags => Cow::Owned(format!("[{}]", flags.iter().map(word).collect::<Vec<_>>().join(","))),
    }
}
