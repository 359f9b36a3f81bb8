//! Lays out the tables of a generation and the views over it.
//!
//! `migrations/` makes the data of one generation: its SQL names no schema and runs with search_path
//! set to `SCHEMA_gN`, where sqlx keeps its list of applied migrations too. `views.sql` makes what
//! readers see, in `SCHEMA`, and is applied again whenever its text or the generation has changed.
//! A change of `views.sql` comes with a migration, so that an older projector, which the list of
//! migrations refuses, never puts older views back.
//!
//! A projector that runs meanwhile is kept from writing to tables that it does not know: whoever lays them out
//! anew moves the epochs first, so that no load of it is taken any more, and holds the lock which a claim asks for
//! until the list of migrations says so.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::connections::{CONNECT, connect, within};
use super::{ANSWER, access};
use crate::config::SchemaName;
use crate::error::StoreError;

/// The text that makes the views; the words in `:"…"`, `:'…'` and `:generation` are filled in.
const VIEWS: &str = include_str!("../../views.sql");
/// The oldest Postgres that has views which act with their reader's rights.
const OLDEST_SERVER: i32 = 150_000;
/// The generation that a new database begins with.
const FIRST_GENERATION: i64 = 1;

/// The lock of a schema's layout, by the schema's name.
const LOCK: &str = "hashtextextended('playledger/' || $1, 0)";
/// How often the lock is asked for while another has it.
const AGAIN: Duration = Duration::from_millis(200);
/// How often a claim asks for it before that is worth a line: a start takes it for a moment.
const QUIETLY: u32 = 25;

/// The changes of layout that this release knows.
fn migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    // The lock of `prepare` covers the views too; sqlx's own would be one for the whole database.
    migrator.set_locking(false);
    migrator
}

/// Number of the newest of them.
pub(super) fn newest() -> i64 {
    migrations().iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Whether a generation is the one that the views show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is: projectors fill it.
    Shown,
    /// It is not: a rebuild fills it.
    Beside,
}

/// How long a lock of the layout is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// Until it is let go, or its connection ends.
    Session,
    /// To the end of the transaction.
    Transaction,
}

/// What the views show now.
struct Shown {
    generation: i64,
    views_digest: String,
}

/// Brings schema, tables and views to this release and answers with the generation that is shown.
///
/// One projector does so at a time, under an advisory lock.
///
/// # Errors
/// [`StoreError::Fatal`] when the server is too old, the tables are newer than this projector, or the
/// role may not make them.
pub async fn prepare(options: &PgConnectOptions, schema: &SchemaName) -> Result<i64, StoreError> {
    // A connection of its own: closing it lets the lock go, whatever happened.
    let mut connection = within(CONNECT, "a connection", connect(options)).await?;
    let generation = prepare_locked(&mut connection, schema).await?;
    // Said, since a server may notice some time later that a connection is closed.
    let sql = format!("SELECT pg_advisory_unlock({LOCK})");
    sqlx::query(AssertSqlSafe(sql)).bind(schema.as_str()).execute(&mut connection).await?;
    connection.close().await?;
    Ok(generation)
}

async fn prepare_locked(connection: &mut PgConnection, schema: &SchemaName) -> Result<i64, StoreError> {
    within(ANSWER, "the first question", check_server(connection)).await?;
    lock(connection, schema, Lasts::Session).await?;
    let shown = shown(connection, schema).await?;
    let generation = shown.as_ref().map_or(FIRST_GENERATION, |shown| shown.generation);
    let data = schema.data(generation);
    if !access::owns(connection, &data).await? {
        access::check(connection, &data, &migrations()).await?;
        return Ok(generation);
    }
    create_schema(
        connection,
        &data,
        "Data behind the views of the schema of the same first name: one generation of it.",
    )
    .await?;
    create_schema(connection, schema.as_str(), "What readers use: views and functions over the newest data.").await?;
    migrate(connection, &data).await?;
    let digest = digest(connection).await?;
    if shown.is_none_or(|shown| shown.views_digest != digest) {
        let mut transaction = connection.begin().await?;
        show(&mut transaction, schema, generation, &digest).await?;
        transaction.commit().await?;
    }
    access::extend(connection, schema, &data, &data).await?;
    Ok(generation)
}

/// Makes the tables of a generation beside the one that is shown, or brings them to this release.
pub(super) async fn lay_beside(
    connection: &mut PgConnection,
    schema: &SchemaName,
    generation: i64,
) -> Result<(), StoreError> {
    let data = schema.data(generation);
    create_schema(connection, &data, "Data that the views do not show: filled by a rebuild, or kept from before one.")
        .await?;
    migrate(connection, &data).await
}

/// What tells whether the views are of this release.
pub(super) async fn digest(connection: &mut PgConnection) -> Result<String, StoreError> {
    let digest = "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')";
    Ok(sqlx::query_scalar(digest).bind(VIEWS).fetch_one(connection).await?)
}

/// Takes the lock, once whoever has it lets it go. Asked for again and again: a server that vanished is noticed.
pub(super) async fn lock(connection: &mut PgConnection, schema: &SchemaName, lasts: Lasts) -> Result<(), StoreError> {
    let sql = match lasts {
        Lasts::Session => format!("SELECT pg_try_advisory_lock({LOCK})"),
        Lasts::Transaction => format!("SELECT pg_try_advisory_xact_lock({LOCK})"),
    };
    let mut told = false;
    loop {
        let ask = sqlx::query_scalar(AssertSqlSafe(sql.as_str())).bind(schema.as_str()).fetch_one(&mut *connection);
        if within(ANSWER, "the lock of the layout", async { Ok(ask.await?) }).await? {
            return Ok(());
        }
        if !std::mem::replace(&mut told, true) {
            tracing::info!(%schema, "another projector looks after the layout of the tables; waiting for it");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Sees to it, for as long as the transaction on this connection lasts, that the tables are as this projector opened
/// them.
///
/// # Errors
/// [`StoreError::Outdated`] when they are not, [`StoreError::Away`] while they are being laid out.
pub(super) async fn check(
    connection: &mut PgConnection,
    schema: &SchemaName,
    generation: i64,
    place: Place,
) -> Result<(), StoreError> {
    let sql = format!("SELECT pg_try_advisory_xact_lock_shared({LOCK})");
    let mut asked = 0;
    loop {
        let ask = sqlx::query_scalar(AssertSqlSafe(sql.as_str())).bind(schema.as_str());
        if ask.fetch_one(&mut *connection).await? {
            break;
        }
        asked += 1;
        if asked == QUIETLY {
            return Err(StoreError::away(
                ErrorKind::ResourceBusy,
                "the tables are being laid out by another projector",
            ));
        }
        tokio::time::sleep(AGAIN).await;
    }
    let sql = format!("SELECT generation, (SELECT max(version) FROM _sqlx_migrations) FROM {schema}.layout()");
    let (shown, newest): (i64, i64) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(connection).await?;
    let known = self::newest();
    if newest > known {
        return Err(StoreError::Outdated(format!("the tables have been laid out anew, by migration {newest}")));
    }
    match place {
        Place::Shown if shown != generation => {
            Err(StoreError::Outdated(format!("the views show generation {shown} now, not {generation}")))
        }
        Place::Beside if shown == generation => {
            Err(StoreError::Outdated(format!("the views show generation {generation} by now: it is the projectors'")))
        }
        Place::Shown | Place::Beside => Ok(()),
    }
}

async fn check_server(connection: &mut PgConnection) -> Result<(), StoreError> {
    let version: i32 =
        sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&mut *connection).await?;
    if version < OLDEST_SERVER {
        return Err(StoreError::Fatal(format!(
            "the server is Postgres {}: the read models need {} or newer",
            version / 10_000,
            OLDEST_SERVER / 10_000
        )));
    }
    Ok(())
}

/// What the views show now; none where there are none yet.
async fn shown(connection: &mut PgConnection, schema: &SchemaName) -> Result<Option<Shown>, StoreError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regprocedure($1 || '.layout()') IS NOT NULL")
        .bind(schema.as_str())
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(None);
    }
    let (generation, views_digest) =
        sqlx::query_as(AssertSqlSafe(format!("SELECT generation, views_digest FROM {schema}.layout()")))
            .fetch_one(&mut *connection)
            .await?;
    Ok(Some(Shown { generation, views_digest }))
}

/// The generation that the views show; none where there are none yet.
pub(super) async fn shown_generation(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<Option<i64>, StoreError> {
    Ok(shown(connection, schema).await?.map(|shown| shown.generation))
}

/// Makes a schema where there is none. Asked first: a role that may not make one may still use it.
async fn create_schema(connection: &mut PgConnection, name: &str, comment: &str) -> Result<(), StoreError> {
    let exists: bool =
        sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(name).fetch_one(&mut *connection).await?;
    if !exists {
        let sql = format!("CREATE SCHEMA {name}; COMMENT ON SCHEMA {name} IS '{comment}'");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn migrate(connection: &mut PgConnection, data: &str) -> Result<(), StoreError> {
    sqlx::query("SELECT set_config('search_path', $1, false)").bind(data).execute(&mut *connection).await?;
    let migrator = migrations();
    fence(connection, &migrator).await?;
    // What `run` does of a connection of its own; the compiler cannot prove that `run` itself is Send.
    migrator.run_direct(None, &mut *connection, false).await?;
    sqlx::raw_sql(
        "COMMENT ON TABLE _sqlx_migrations IS 'Which changes of layout have been applied; kept by sqlx.';
         COMMENT ON COLUMN _sqlx_migrations.version IS 'Number of the change.';
         COMMENT ON COLUMN _sqlx_migrations.description IS 'Its name.';
         COMMENT ON COLUMN _sqlx_migrations.installed_on IS 'When it was applied.';
         COMMENT ON COLUMN _sqlx_migrations.success IS 'Whether it went through. Unit: yes/no.';
         COMMENT ON COLUMN _sqlx_migrations.checksum IS 'SHA-384 of its text.';
         COMMENT ON COLUMN _sqlx_migrations.execution_time IS 'How long it took. Unit: ns.'",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes every claim away where the tables are about to change. Waits for loads under way.
async fn fence(connection: &mut PgConnection, migrator: &Migrator) -> Result<(), StoreError> {
    let laid_out: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL AND to_regclass('offsets') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
    if !laid_out {
        return Ok(());
    }
    let applied: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations").fetch_all(&mut *connection).await?;
    if migrator.iter().any(|migration| !applied.contains(&migration.version)) {
        let fenced = sqlx::query("UPDATE offsets SET epoch = epoch + 1").execute(connection).await?;
        tracing::info!(claims = fenced.rows_affected(), "the tables change: every projector has to claim anew");
    }
    Ok(())
}

/// Points the views at a generation; all at once, by the transaction on this connection.
pub(super) async fn show(
    connection: &mut PgConnection,
    schema: &SchemaName,
    generation: i64,
    digest: &str,
) -> Result<(), StoreError> {
    let data = schema.data(generation);
    let sql = VIEWS
        .replace(":\"views\"", schema.as_str())
        .replace(":\"data\"", &data)
        .replace(":'views'", &format!("'{schema}'"))
        .replace(":generation", &generation.to_string())
        .replace(":'digest'", &format!("'{digest}'"));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    let comments: Vec<String> =
        sqlx::query_scalar(COPIED_COMMENTS).bind(schema.as_str()).bind(&data).fetch_all(&mut *connection).await?;
    sqlx::raw_sql(AssertSqlSafe(comments.join(";\n"))).execute(connection).await?;
    Ok(())
}

/// One COMMENT statement for each view that shows a table under its own name, and for its columns.
const COPIED_COMMENTS: &str = "
    WITH pairs AS (
        SELECT t.oid, t.relname
          FROM pg_class t
          JOIN pg_class v ON v.relname = t.relname AND v.relkind = 'v' AND v.relnamespace = to_regnamespace($1)
         WHERE t.relnamespace = to_regnamespace($2) AND t.relkind IN ('r', 'p')
    )
    SELECT format('COMMENT ON VIEW %I.%I IS %L', $1, relname, obj_description(oid, 'pg_class')) FROM pairs
    UNION ALL
    SELECT format('COMMENT ON COLUMN %I.%I.%I IS %L', $1, relname, attname, col_description(oid, attnum))
      FROM pairs
      JOIN pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped";
