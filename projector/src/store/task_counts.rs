//! task_counts: what all sessions together did on each task, corrected by what a load brings and takes back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemas::report::TaskFigures;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::sessions::bigint;
use crate::error::StoreError;
use crate::jsonb::plain;
use crate::project::{SessionKey, TaskRow};

/// The sums of a task, each with what one row of session_tasks gives to it.
const SUMS: [(&str, &str); 10] = [
    ("sessions", "1"),
    ("sessions_started", "(starts > 0)::int"),
    ("sessions_abandoned", "(starts > 0 AND abandons > 0 AND completions = 0)::int"),
    ("sessions_timed", "(spent_ms IS NOT NULL)::int"),
    ("starts", "starts"),
    ("completions", "completions"),
    ("abandons", "abandons"),
    ("attempts", "attempts"),
    ("successes", "successes"),
    ("hints", "hints"),
];

/// Tenant, game and task → by how much each of [`SUMS`] grows.
type Growth<'a> = BTreeMap<(Cow<'a, str>, Cow<'a, str>, Cow<'a, str>), [i64; SUMS.len()]>;

static GIVEN: LazyLock<String> = LazyLock::new(|| {
    let sums = SUMS.map(|(_, share)| format!("sum({share})::bigint")).join(", ");
    format!(
        "SELECT t.tenant, t.game, t.task_id, {sums}
           FROM unnest($1::text[], $2::uuid[]) AS revised (tenant, session_id)
           JOIN session_tasks t USING (tenant, session_id)
          GROUP BY t.tenant, t.game, t.task_id"
    )
});

static CORRECT: LazyLock<String> = LazyLock::new(|| {
    let names = SUMS.map(|(name, _)| name).join(", ");
    let arrays = (4..).zip(SUMS).map(|(at, _)| format!("${at}::bigint[]")).collect::<Vec<_>>().join(", ");
    let set = SUMS.map(|(name, _)| format!("{name} = c.{name} + excluded.{name}")).join(", ");
    format!(
        "INSERT INTO task_counts AS c (tenant, game, task_id, {names})
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], {arrays})
         ON CONFLICT (tenant, game, task_id) DO UPDATE SET {set}
         RETURNING tenant, game, task_id, sessions"
    )
});

/// Tasks that no session touches any more.
const FORGET: &str = "
    DELETE FROM task_counts c
     USING unnest($1::text[], $2::text[], $3::text[]) AS empty (tenant, game, task_id)
     WHERE c.tenant = empty.tenant AND c.game = empty.game AND c.task_id = empty.task_id";

/// By how much the sums grow when these tasks come in place of what the revised sessions gave so far. To
/// be called before the rows of session_tasks are replaced.
pub(super) async fn growth<'a>(
    connection: &mut PgConnection,
    revised: &[(SessionKey<'_>, i64)],
    tasks: &[TaskRow<'a>],
) -> Result<Growth<'a>, StoreError> {
    let mut growth = Growth::new();
    if !revised.is_empty() {
        let given: Vec<PgRow> = sqlx::query(GIVEN.as_str())
            .bind(revised.iter().map(|((tenant, _), _)| *tenant).collect::<Vec<_>>())
            .bind(revised.iter().map(|((_, session), _)| *session).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
        for row in given {
            let name = |at| row.try_get(at).map(Cow::<str>::Owned);
            let sums = growth.entry((name(0)?, name(1)?, name(2)?)).or_default();
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum -= row.try_get::<i64, _>(3 + at)?;
            }
        }
    }
    for row in tasks {
        let (tenant, game) = (row.report.tenant.as_str().into(), row.report.game.as_str().into());
        let sums = growth.entry((tenant, game, plain(&row.task.task_id))).or_default();
        for (sum, share) in sums.iter_mut().zip(shares(row.task)) {
            *sum = sum.saturating_add(share);
        }
    }
    // Most revisions change nothing here, and a task's row is everybody's.
    growth.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
    Ok(growth)
}

/// What a task of a session gives to each of [`SUMS`].
fn shares(task: &TaskFigures) -> [i64; SUMS.len()] {
    let abandoned = task.starts > 0 && task.abandons > 0 && task.completions == 0;
    [
        1,
        i64::from(task.starts > 0),
        i64::from(abandoned),
        i64::from(task.spent_ms.is_some()),
        bigint(task.starts),
        bigint(task.completions),
        bigint(task.abandons),
        bigint(task.attempts),
        bigint(task.successes),
        bigint(task.hints),
    ]
}

/// Lets the sums grow, all in one statement and in the order of their keys, so that projectors which share a
/// task do not wait for each other in a circle. To be called as late as may be.
pub(super) async fn write(connection: &mut PgConnection, growth: &Growth<'_>) -> Result<u64, StoreError> {
    if growth.is_empty() {
        return Ok(0);
    }
    let mut query = sqlx::query_as(CORRECT.as_str())
        .bind(growth.keys().map(|(tenant, ..)| &**tenant).collect::<Vec<_>>())
        .bind(growth.keys().map(|(_, game, _)| &**game).collect::<Vec<_>>())
        .bind(growth.keys().map(|(.., task)| &**task).collect::<Vec<_>>());
    for at in 0..SUMS.len() {
        query = query.bind(growth.values().map(|sums| sums[at]).collect::<Vec<_>>());
    }
    let left: Vec<(String, String, String, i64)> = query.fetch_all(&mut *connection).await?;
    let empty: Vec<_> = left.iter().filter(|(.., sessions)| *sessions == 0).collect();
    if !empty.is_empty() {
        sqlx::query(FORGET)
            .bind(empty.iter().map(|(tenant, ..)| tenant.as_str()).collect::<Vec<_>>())
            .bind(empty.iter().map(|(_, game, ..)| game.as_str()).collect::<Vec<_>>())
            .bind(empty.iter().map(|(_, _, task, _)| task.as_str()).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(left.len() as u64)
}
