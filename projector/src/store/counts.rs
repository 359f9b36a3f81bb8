//! activity_by_minute, worker_outcomes, outcomes: counts by minute that are added up.

use std::sync::LazyLock;

use sqlx::PgConnection;

use super::statement::{Conflict, ROWS, Wire, column, insert};
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

fn add(table: &str, word: &'static str) -> String {
    let columns = [
        column("tenant", Wire::Text),
        column("game", Wire::Text),
        column("minute", Wire::Time),
        column(word, Wire::Text),
        column("events", Wire::Bigint),
    ];
    insert(table, &columns, 4, Conflict::Add("events"))
}

/// Adds these counts.
pub(super) async fn write(
    connection: &mut PgConnection,
    table: Counted,
    counts: &[Count<'_>],
) -> Result<u64, StoreError> {
    let statement = match table {
        Counted::Activity => &ACTIVITY,
        Counted::WorkerOutcomes => &WORKER_OUTCOMES,
        Counted::Outcomes => &OUTCOMES,
    };
    let mut written = 0;
    for rows in counts.chunks(ROWS) {
        let done = sqlx::query(statement.as_str())
            .bind(rows.iter().map(|row| row.tenant).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.game).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.minute.to_chrono()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.word.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.events).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        written += done.rows_affected();
    }
    Ok(written)
}
