//! sessions: what is known of them, and the rows of their newest reports.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, NaiveDate, Utc};
use schemas::Timestamp;
use schemas::games::Games;
use schemas::report::{Flag, Kind, Status};
use sqlx::PgConnection;
use uuid::Uuid;

use super::statement::{Column, Conflict, ROWS, Wire, column, insert};
use crate::error::StoreError;
use crate::jsonb::plain;
use crate::project::{Known, KnownSession, SessionKey, SessionRow, Share};

const COLUMNS: [Column; 30] = [
    column("tenant", Wire::Text),
    column("session_id", Wire::Uuid),
    column("game", Wire::Text),
    column("player_id", Wire::Text),
    column("kind", Wire::Text),
    column("revision", Wire::Bigint),
    column("status", Wire::Text),
    column("close_reason", Wire::Text),
    column("started_at", Wire::Time),
    column("ended_at", Wire::Time),
    column("event_count", Wire::Bigint),
    column("active_ms", Wire::Bigint),
    column("complete", Wire::Boolean),
    column("anomalous", Wire::Boolean),
    column("flags", Wire::Json),
    column("platform", Wire::Text),
    column("locale", Wire::Text),
    column("device", Wire::Text),
    column("app_version", Wire::Text),
    column("facts_sha256", Wire::Text),
    column("partition", Wire::Bigint),
    column("first_offset", Wire::Bigint),
    column("last_offset", Wire::Bigint),
    column("repeats", Wire::Bigint),
    column("clock_offset_ms", Wire::Bigint),
    column("client_started_at", Wire::Time),
    column("client_ended_at", Wire::Time),
    column("worker", Wire::Text),
    column("reported_at", Wire::Time),
    column("day", Wire::Date),
];

static ADD: LazyLock<String> = LazyLock::new(|| insert("sessions", &COLUMNS, 2, Conflict::Keep));
static REVISE: LazyLock<String> = LazyLock::new(|| insert("sessions", &COLUMNS, 2, Conflict::Replace));

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
        .fetch_all(connection)
        .await?;
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
        };
        known.insert(row.tenant, row.session_id, session);
    }
    Ok(known)
}

/// Writes the rows of these reports; an older one of the same session is replaced.
///
/// # Errors
/// [`StoreError::Fenced`] when another projector gave a session its first row since it was looked for: to
/// be looked at anew, for its report may begin a second life.
pub(super) async fn write(connection: &mut PgConnection, sessions: &[SessionRow<'_>]) -> Result<u64, StoreError> {
    let (revised, new): (Vec<_>, Vec<_>) = sessions.iter().partition(|row| row.revised);
    for rows in new.chunks(ROWS) {
        if usize::try_from(write_some(connection, &ADD, rows).await?) != Ok(rows.len()) {
            return Err(StoreError::Fenced);
        }
    }
    for rows in revised.chunks(ROWS) {
        write_some(connection, &REVISE, rows).await?;
    }
    Ok(sessions.len() as u64)
}

async fn write_some(
    connection: &mut PgConnection,
    statement: &'static str,
    rows: &[&SessionRow<'_>],
) -> Result<u64, StoreError> {
    macro_rules! each {
        ($row:ident => $value:expr) => {
            rows.iter().map(|row| row.report).map(|$row| $value).collect::<Vec<_>>()
        };
    }
    let done = sqlx::query(statement)
        .bind(each!(r => r.tenant.as_str()))
        .bind(each!(r => r.session))
        .bind(each!(r => r.game.as_str()))
        .bind(each!(r => r.player.as_str()))
        .bind(each!(r => kind(r.kind)))
        .bind(each!(r => bigint(r.revision)))
        .bind(each!(r => status(r.status)))
        .bind(each!(r => r.facts.close_reason.as_str()))
        .bind(each!(r => r.provenance.started_at.to_chrono()))
        .bind(each!(r => r.provenance.ended_at.to_chrono()))
        .bind(each!(r => bigint(r.facts.metrics.event_count)))
        .bind(each!(r => r.facts.metrics.active_ms))
        .bind(each!(r => r.facts.complete))
        .bind(each!(r => r.facts.metrics.anomalous))
        .bind(each!(r => flags(&r.facts.flags)))
        .bind(each!(r => r.facts.platform.as_deref().map(plain)))
        .bind(each!(r => r.facts.locale.as_deref().map(plain)))
        .bind(each!(r => r.facts.device.as_deref().map(plain)))
        .bind(each!(r => r.provenance.app_version.as_deref().map(plain)))
        .bind(each!(r => plain(&r.facts_sha256)))
        .bind(each!(r => i64::from(r.provenance.partition)))
        .bind(each!(r => r.provenance.first_offset))
        .bind(each!(r => r.provenance.last_offset))
        .bind(each!(r => bigint(r.provenance.repeats)))
        .bind(each!(r => r.provenance.clock_offset_ms))
        .bind(each!(r => r.facts.started.to_chrono()))
        .bind(each!(r => r.facts.ended.to_chrono()))
        .bind(each!(r => plain(&r.provenance.worker)))
        .bind(each!(r => r.provenance.reported_at.to_chrono()))
        .bind(rows.iter().map(|row| row.day).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
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
fn flags(flags: &[Flag]) -> String {
    let word = |flag: &Flag| match flag {
        Flag::GapSkipped => "\"gap_skipped\"",
        Flag::Truncated => "\"truncated\"",
    };
    format!("[{}]", flags.iter().map(word).collect::<Vec<_>>().join(","))
}

/// A count that was judged to fit when the report was read.
pub(super) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
