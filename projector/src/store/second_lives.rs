//! second_lives: sessions that were told again after all memory of them had gone, and refused.

use std::sync::LazyLock;

use sqlx::PgConnection;

use super::sessions::{bigint, kind};
use super::statement::{Column, Conflict, Wire, column, insert};
use crate::error::StoreError;
use crate::project::SecondLife;

const COLUMNS: [Column; 16] = [
    column("tenant", Wire::Text),
    column("session_id", Wire::Uuid),
    column("partition", Wire::Bigint),
    column("first_offset", Wire::Bigint),
    column("game", Wire::Text),
    column("player_id", Wire::Text),
    column("kind", Wire::Text),
    column("revision", Wire::Bigint),
    column("started_at", Wire::Time),
    column("ended_at", Wire::Time),
    column("event_count", Wire::Bigint),
    column("kept_partition", Wire::Bigint),
    column("kept_first_offset", Wire::Bigint),
    column("report_partition", Wire::Bigint),
    column("report_offset", Wire::Bigint),
    column("reported_at", Wire::Time),
];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("second_lives", &COLUMNS, 4, Conflict::Newer("revision")));

/// Lists these lives, each once.
pub(super) async fn write(connection: &mut PgConnection, lives: &[SecondLife<'_>]) -> Result<u64, StoreError> {
    if lives.is_empty() {
        return Ok(0);
    }
    macro_rules! each {
        ($life:ident => $value:expr) => {
            lives.iter().map(|$life| $value).collect::<Vec<_>>()
        };
    }
    let done = sqlx::query(WRITE.as_str())
        .bind(each!(life => life.report.tenant.as_str()))
        .bind(each!(life => life.report.session))
        .bind(each!(life => i64::from(life.report.provenance.partition)))
        .bind(each!(life => life.report.provenance.first_offset))
        .bind(each!(life => life.report.game.as_str()))
        .bind(each!(life => life.report.player.as_str()))
        .bind(each!(life => kind(life.report.kind)))
        .bind(each!(life => bigint(life.report.revision)))
        .bind(each!(life => life.report.provenance.started_at.to_chrono()))
        .bind(each!(life => life.report.provenance.ended_at.to_chrono()))
        .bind(each!(life => bigint(life.report.facts.metrics.event_count)))
        .bind(each!(life => life.kept.0))
        .bind(each!(life => life.kept.1))
        .bind(each!(life => life.partition))
        .bind(each!(life => life.offset))
        .bind(each!(life => life.report.provenance.reported_at.to_chrono()))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
