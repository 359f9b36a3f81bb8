//! session_tasks: what each session did on each task.

use std::sync::LazyLock;

use schemas::report::TaskFigures;
use sqlx::PgConnection;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::rows::Values;
use super::statement::{self, Conflict, insert};
use crate::error::StoreError;
use crate::jsonb::plain;
use crate::project::{KnownTask, SessionKey, TaskRow, bigint};

const KEY: [&str; 3] = ["tenant", "session_id", "ordinal"];
const REST: [&str; 11] = [
    "game",
    "player_id",
    "task_id",
    "starts",
    "completions",
    "abandons",
    "attempts",
    "successes",
    "hints",
    "spent_ms",
    "first_try",
];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("session_tasks", &KEY, &REST, Conflict::Replace));

static KNOWN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT t.{} FROM unnest($1::text[], $2::uuid[]) AS wanted (tenant, session_id)
           JOIN session_tasks t USING (tenant, session_id)",
        [&KEY[..], &REST].concat().join(", t.")
    )
});

const REMOVE: &str = "
    DELETE FROM session_tasks t
     USING unnest($1::text[], $2::uuid[], $3::bigint[]) AS gone (tenant, session_id, ordinal)
     WHERE t.tenant = gone.tenant AND t.session_id = gone.session_id AND t.ordinal = gone.ordinal";

/// What the tables hold of the tasks of these sessions: tenant, session and task.
pub(super) async fn known(
    connection: &mut PgConnection,
    (tenants, sessions): (&[&str], &[Uuid]),
) -> Result<Vec<(String, Uuid, KnownTask)>, StoreError> {
    let rows = sqlx::query(KNOWN.as_str()).bind(tenants).bind(sessions).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, task(row)?))).collect()
}

fn task(row: &PgRow) -> Result<KnownTask, StoreError> {
    // The column holds what was a count.
    let count = |at: usize| row.try_get::<i64, _>(at).map(|count| u64::try_from(count).unwrap_or_default());
    Ok(KnownTask {
        ordinal: row.try_get(2)?,
        game: row.try_get(3)?,
        player_id: row.try_get(4)?,
        figures: TaskFigures {
            task_id: row.try_get(5)?,
            starts: count(6)?,
            completions: count(7)?,
            abandons: count(8)?,
            attempts: count(9)?,
            successes: count(10)?,
            hints: count(11)?,
            spent_ms: row.try_get(12)?,
            first_try: row.try_get(13)?,
        },
    })
}

/// Writes these tasks' rows.
pub(super) async fn write(connection: &mut PgConnection, tasks: &[TaskRow<'_>]) -> Result<u64, StoreError> {
    statement::write(connection, &WRITE, "session_tasks", tasks, put).await
}

fn put(row: &TaskRow<'_>, values: &mut Values<'_>) {
    let TaskRow { report, ordinal, task } = *row;
    values.put(report.tenant.as_str()).put(report.session).put(ordinal);
    values.put(report.game.as_str()).put(report.player.as_str()).put(plain(&task.task_id));
    for count in [task.starts, task.completions, task.abandons, task.attempts, task.successes, task.hints] {
        values.put(bigint(count));
    }
    values.put_or_null(task.spent_ms).put_or_null(task.first_try);
}

/// Removes rows, by session and ordinal.
pub(super) async fn remove(connection: &mut PgConnection, gone: &[(SessionKey<'_>, i64)]) -> Result<(), StoreError> {
    if !gone.is_empty() {
        sqlx::query(REMOVE)
            .bind(gone.iter().map(|((tenant, _), _)| *tenant).collect::<Vec<_>>())
            .bind(gone.iter().map(|((_, session), _)| *session).collect::<Vec<_>>())
            .bind(gone.iter().map(|(_, ordinal)| *ordinal).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(())
}
