//! activity_by_minute, worker_outcomes, outcomes: counts by minute that are added up.

use std::sync::LazyLock;

use sqlx::PgConnection;

use super::rows::Values;
use super::statement::{self, Conflict, insert};
use crate::error::StoreError;
use crate::project::Count;

/// A table of counts by minute.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counted {
    Activity,
    WorkerOutcomes,
    Outcomes,
}

static ACTIVITY: LazyLock<String> = LazyLock::new(|| add("activity_by_minute", "event_type"));
static WORKER_OUTCOMES: LazyLock<String> = LazyLock::new(|| add("worker_outcomes", "outcome"));
static OUTCOMES: LazyLock<String> = LazyLock::new(|| add("outcomes", "outcome"));

fn add(table: &str, word: &str) -> String {
    insert(table, &["tenant", "game", "minute", word], &[], Conflict::Add("events"))
}

/// Adds these counts.
pub(super) async fn write(
    connection: &mut PgConnection,
    table: Counted,
    counts: &[Count<'_>],
) -> Result<u64, StoreError> {
    let (statement, table) = match table {
        Counted::Activity => (&ACTIVITY, "activity_by_minute"),
        Counted::WorkerOutcomes => (&WORKER_OUTCOMES, "worker_outcomes"),
        Counted::Outcomes => (&OUTCOMES, "outcomes"),
    };
    statement::write(connection, statement, table, counts, put).await
}

fn put(count: &Count<'_>, values: &mut Values<'_>) {
    values.put(count.tenant).put(count.game).put(count.minute).put(count.word.as_str()).put(count.events);
}
