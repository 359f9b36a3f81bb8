//! Rows by which a generation is told from another, whatever columns its tables have.

use anyhow::Context as _;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, FromRow};

/// Whose rows the marks are.
pub(super) const MARK: &str = "mark";

#[derive(FromRow)]
struct Table {
    name: String,
    /// The column that says whose a row is.
    owner: String,
    /// Whether its rows are sessions'.
    by_session: bool,
    /// Numbers in a key that does not say whose a row is.
    places: Vec<String>,
}

const TABLES: &str = "
    WITH columns AS (
        SELECT c.oid, c.relname::text AS name, a.attname::text AS column, format_type(a.atttypid, NULL) AS type,
               EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS key
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    )
    SELECT name, max(\"column\") FILTER (WHERE \"column\" IN ('tenant', 'projection')) AS owner,
           bool_or(\"column\" = 'session_id') AS by_session,
           CASE WHEN bool_or(key AND \"column\" IN ('tenant', 'projection')) THEN '{}'
                ELSE coalesce(array_agg(\"column\") FILTER (WHERE key AND type = 'bigint'), '{}') END AS places
      FROM columns
     GROUP BY name
    HAVING bool_or(\"column\" IN ('tenant', 'projection'))
     ORDER BY name";

/// Copies a row of each table that has one, as somebody else's.
pub(super) async fn mark(pool: &PgPool, data: &str) -> anyhow::Result<()> {
    let sessions = "SELECT t.session_id::text FROM play.session_tasks t JOIN play.skill_evidence e USING (tenant, session_id) LIMIT 1";
    let session: String =
        sqlx::query_scalar(sessions).fetch_one(pool).await.context("a session with tasks and evidence")?;
    let tables: Vec<Table> = sqlx::query_as(TABLES).bind(data).fetch_all(pool).await?;
    for Table { name, owner, by_session, places } in tables {
        let mut other = serde_json::Map::from_iter([(owner, MARK.into())]);
        other.extend(places.into_iter().map(|place| (place, 987_654_321.into())));
        let order = if by_session { format!("ORDER BY session_id = '{session}' DESC") } else { String::new() };
        let sql = format!(
            "INSERT INTO {data}.{name} SELECT (jsonb_populate_record(t, '{}')).* FROM {data}.{name} t {order} LIMIT 1",
            serde_json::Value::from(other)
        );
        sqlx::query(AssertSqlSafe(sql)).execute(pool).await.with_context(|| format!("marking {name}"))?;
    }
    Ok(())
}

/// Takes the marks away.
pub(super) async fn unmark(pool: &PgPool, data: &str) -> anyhow::Result<()> {
    let tables: Vec<Table> = sqlx::query_as(TABLES).bind(data).fetch_all(pool).await?;
    for Table { name, owner, .. } in tables {
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {data}.{name} WHERE {owner} = '{MARK}'"))).execute(pool).await?;
    }
    Ok(())
}

/// All views, each with the column that says whose a row is.
pub(super) async fn views(pool: &PgPool) -> anyhow::Result<Vec<(String, Option<String>)>> {
    let sql = "SELECT c.relname::text, max(a.attname::text) FILTER (WHERE a.attname IN ('tenant', 'projection'))
                 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE c.relnamespace = to_regnamespace('play') AND c.relkind = 'v' GROUP BY 1 ORDER BY 1";
    Ok(sqlx::query_as(sql).fetch_all(pool).await?)
}

/// The conditions by which views show that they are those of the marked generation, one a view.
pub(super) async fn marked_views(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let mut marked = Vec::new();
    for (view, owner) in views(pool).await? {
        let Some(owner) = owner else { continue };
        let condition = format!("EXISTS (SELECT FROM play.{view} WHERE {owner} = '{MARK}')");
        if sqlx::query_scalar(AssertSqlSafe(format!("SELECT {condition}"))).fetch_one(pool).await? {
            marked.push(condition);
        }
    }
    Ok(marked)
}
