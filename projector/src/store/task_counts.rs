//! task_counts: what all sessions together did on each task, corrected by what a load brings and takes back.

use std::sync::LazyLock;

use sqlx::PgConnection;

use crate::error::StoreError;
use crate::project::{SUMS, TaskGrowth};

static CORRECT: LazyLock<String> = LazyLock::new(|| {
    let names = SUMS.join(", ");
    let arrays = (4..).zip(SUMS).map(|(at, _)| format!("${at}::bigint[]")).collect::<Vec<_>>().join(", ");
    let set = SUMS.map(|name| format!("{name} = c.{name} + excluded.{name}")).join(", ");
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

/// Lets the sums grow, all in one statement and in the order of their keys, so that projectors which share a
/// task do not wait for each other in a circle. To be called as late as may be.
pub(super) async fn write(connection: &mut PgConnection, growth: &TaskGrowth<'_>) -> Result<u64, StoreError> {
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
