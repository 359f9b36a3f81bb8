//! second_lives: sessions that were told again after all memory of them had gone, and refused.

use std::sync::LazyLock;

use schemas::report::Report;
use sqlx::PgConnection;

use super::rows::Values;
use super::sessions::kind;
use super::statement::{self, Conflict, insert};
use crate::error::StoreError;
use crate::project::{SecondLife, bigint};

const KEY: [&str; 4] = ["tenant", "session_id", "partition", "first_offset"];
const REST: [&str; 12] = [
    "game",
    "player_id",
    "kind",
    "revision",
    "started_at",
    "ended_at",
    "event_count",
    "kept_partition",
    "kept_first_offset",
    "report_partition",
    "report_offset",
    "reported_at",
];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("second_lives", &KEY, &REST, Conflict::Newer("revision")));

/// Lists these lives, each once.
pub(super) async fn write(connection: &mut PgConnection, lives: &[SecondLife<'_>]) -> Result<u64, StoreError> {
    statement::write(connection, &WRITE, "second_lives", lives, put).await
}

fn put(life: &SecondLife<'_>, values: &mut Values<'_>) {
    let Report { provenance, facts, .. } = life.report;
    values
        .put(life.report.tenant.as_str())
        .put(life.report.session)
        .put(i64::from(provenance.partition))
        .put(provenance.first_offset)
        .put(life.report.game.as_str())
        .put(life.report.player.as_str())
        .put(kind(life.report.kind))
        .put(bigint(life.report.revision))
        .put(provenance.started_at)
        .put(provenance.ended_at)
        .put(bigint(facts.metrics.event_count))
        .put(life.kept.0)
        .put(life.kept.1)
        .put(life.partition)
        .put(life.offset)
        .put(provenance.reported_at);
}
