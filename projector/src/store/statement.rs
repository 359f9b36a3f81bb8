//! Builds the statements that write many rows at once, see [`super::rows`].

use sqlx::{AssertSqlSafe, PgConnection};

use super::rows::{Rows, Values};
use crate::error::StoreError;
use crate::project::SessionKey;

/// Rows a statement: enough to make its cost per row small, few enough to keep what it carries modest.
const ROWS: usize = 4_000;

/// What becomes of a row that is there already.
#[derive(Clone, Copy, Debug)]
pub(super) enum Conflict {
    /// The new one takes its place.
    Replace,
    /// The new one takes its place if it differs.
    Change,
    /// The old one stays.
    Keep,
    /// The values of this column are added up.
    Add(&'static str),
    /// The new one takes its place if this column's value is higher.
    Newer(&'static str),
}

/// Writes rows by a statement of [`insert`] on their table; answers how many came or changed.
pub(super) async fn write<T>(
    connection: &mut PgConnection,
    statement: &'static str,
    table: &'static str,
    rows: &[T],
    put: fn(&T, &mut Values<'_>),
) -> Result<u64, StoreError> {
    let mut written = 0;
    for rows in rows.chunks(ROWS) {
        let done = sqlx::query(statement).bind(Rows { table, all: rows, put }).execute(&mut *connection).await?;
        written += done.rows_affected();
    }
    Ok(written)
}

/// Removes the rows of these sessions from a table; answers how many went.
pub(super) async fn remove(
    connection: &mut PgConnection,
    table: &str,
    sessions: &[SessionKey<'_>],
) -> Result<u64, StoreError> {
    if sessions.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "DELETE FROM {table} t USING unnest($1::text[], $2::uuid[]) AS gone (tenant, session_id)
          WHERE t.tenant = gone.tenant AND t.session_id = gone.session_id"
    );
    let done = sqlx::query(AssertSqlSafe(sql))
        .bind(sessions.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
        .bind(sessions.iter().map(|(_, session)| *session).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// The statement that writes rows into `table`; `key` are the columns of its key, `rest` those that a new row brings
/// in place of an old one.
pub(super) fn insert(table: &str, key: &[&str], rest: &[&str], conflict: Conflict) -> String {
    let new = list(rest, "excluded.");
    let all = format!("UPDATE SET ({}) = ROW ({new})", list(rest, ""));
    let action = match conflict {
        Conflict::Keep => "NOTHING".to_owned(),
        Conflict::Add(name) => format!("UPDATE SET {name} = t.{name} + excluded.{name}"),
        Conflict::Replace => all,
        Conflict::Change => format!("{all} WHERE ({}) IS DISTINCT FROM ({new})", list(rest, "t.")),
        Conflict::Newer(name) => format!("{all} WHERE excluded.{name} > t.{name}"),
    };
    let key = list(key, "");
    format!("INSERT INTO {table} AS t SELECT r.* FROM unnest($1::{table}[]) AS r ON CONFLICT ({key}) DO {action}")
}

/// The statement that changes rows of `table` where their column `seen` still has the value in $2. Key and rest are all
/// of its columns, in its order.
pub(super) fn update(table: &str, key: &[&str], rest: &[&str], seen: &str) -> String {
    let same = |name: &&str| format!("t.\"{name}\" = r.\"{name}\"");
    let same = key.iter().map(same).collect::<Vec<_>>().join(" AND ");
    format!(
        "UPDATE {table} AS t SET ({}) = ROW ({}) FROM unnest($1::{table}[], $2::bigint[]) AS r ({}, {}, was) \
         WHERE {same} AND t.{seen} = r.was",
        list(rest, ""),
        list(rest, "r."),
        list(key, ""),
        list(rest, ""),
    )
}

/// The names, each behind a prefix; `offset` and `timestamp` are words of SQL.
fn list(names: &[&str], prefix: &str) -> String {
    names.iter().map(|name| format!("{prefix}\"{name}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_takes_one_array_of_rows() {
        assert_eq!(
            insert("x", &["tenant"], &["offset", "n"], Conflict::Replace),
            "INSERT INTO x AS t SELECT r.* FROM unnest($1::x[]) AS r ON CONFLICT (\"tenant\") \
             DO UPDATE SET (\"offset\", \"n\") = ROW (excluded.\"offset\", excluded.\"n\")"
        );
        let ends = |conflict, end: &str| assert!(insert("x", &["id"], &["n"], conflict).ends_with(end), "{end}");
        ends(Conflict::Keep, "ON CONFLICT (\"id\") DO NOTHING");
        ends(Conflict::Add("n"), "DO UPDATE SET n = t.n + excluded.n");
        ends(Conflict::Newer("n"), "SET (\"n\") = ROW (excluded.\"n\") WHERE excluded.n > t.n");
        ends(Conflict::Change, "SET (\"n\") = ROW (excluded.\"n\") WHERE (t.\"n\") IS DISTINCT FROM (excluded.\"n\")");
    }

    #[test]
    fn a_change_is_held_to_what_was_seen() {
        assert_eq!(
            update("x", &["tenant"], &["offset", "n"], "n"),
            "UPDATE x AS t SET (\"offset\", \"n\") = ROW (r.\"offset\", r.\"n\") FROM unnest($1::x[], $2::bigint[]) \
             AS r (\"tenant\", \"offset\", \"n\", was) WHERE t.\"tenant\" = r.\"tenant\" AND t.n = r.was"
        );
    }
}
