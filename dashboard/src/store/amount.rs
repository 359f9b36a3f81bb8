//! How many rows there are: counted while that is cheap, else as the database's planner holds.

use serde_json::Value;
use sqlx::PgConnection;

use crate::store::Scope;

/// Up to about so many rows are counted; a count of more would be too much for a page that is read
/// every second.
const COUNTED: i64 = 100_000;

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Counted.
    Exactly(i64),
    /// Estimated from the table's size and statistics.
    About(i64),
}

impl Default for Amount {
    fn default() -> Self {
        Self::Exactly(0)
    }
}

/// Closed play sessions and the players of them.
///
/// The players' rows hold the counts of their sessions, so that both come of one reading of the
/// smaller table.
pub(super) async fn sessions_and_players(
    read: &mut PgConnection,
    scope: &Scope,
) -> Result<(Amount, Amount), sqlx::Error> {
    let players = estimated(read, PLAYERS, scope).await?;
    if players > COUNTED {
        return Ok((Amount::About(estimated(read, SESSIONS, scope).await?), Amount::About(players)));
    }
    let (sessions, players) = sqlx::query_as(
        "SELECT coalesce(sum(sessions), 0)::bigint, count(*) FROM players WHERE $1::text IS NULL OR tenant = $1",
    )
    .bind(scope.tenant())
    .fetch_one(read)
    .await?;
    Ok((Amount::Exactly(sessions), Amount::Exactly(players)))
}

const PLAYERS: &str = "EXPLAIN (FORMAT JSON) SELECT FROM players WHERE $1::text IS NULL OR tenant = $1";
const SESSIONS: &str =
    "EXPLAIN (FORMAT JSON) SELECT FROM sessions WHERE kind = 'play' AND ($1::text IS NULL OR tenant = $1)";

/// How many rows the planner expects: it reads a few pages of its own and none of the table. Asked
/// through the view, it needs no name of what lies under it, and heeds what the reader may see.
async fn estimated(read: &mut PgConnection, plan: &'static str, scope: &Scope) -> Result<i64, sqlx::Error> {
    let plan: Value = sqlx::query_scalar(plan).bind(scope.tenant()).fetch_one(read).await?;
    plan.pointer("/0/Plan/Plan Rows")
        .and_then(Value::as_f64)
        .map(whole)
        .ok_or_else(|| sqlx::Error::Protocol("the plan tells no number of rows".to_owned()))
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and no table holds more rows")]
fn whole(rows: f64) -> i64 {
    rows as i64
}
