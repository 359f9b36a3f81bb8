//! Who may do what with the tables: their owner lays them out, a role that was granted so writes rows.
//!
//! A projector that does not own the data writes into what an owner has laid out, if that is of this very
//! release. Roles that may use the sessions may use whatever table or view comes later.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;

use crate::config::SchemaName;
use crate::error::StoreError;

/// Whether the role owns the data, or there is none yet.
pub(super) async fn owns(connection: &mut PgConnection, data: &str) -> Result<bool, StoreError> {
    let owns = "SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = $1";
    let owns: Option<bool> = sqlx::query_scalar(owns).bind(data).fetch_optional(connection).await?;
    Ok(owns.unwrap_or(true))
}

/// Sees to it that an owner has brought the tables to this very release.
pub(super) async fn check(connection: &mut PgConnection, data: &str, known: &Migrator) -> Result<(), StoreError> {
    let applied = AssertSqlSafe(format!("SELECT version FROM {data}._sqlx_migrations WHERE success"));
    let applied: BTreeSet<i64> = sqlx::query_scalar(applied).fetch_all(connection).await?.into_iter().collect();
    let known: BTreeSet<i64> = known.iter().map(|migration| migration.version).collect();
    if let Some(newer) = applied.difference(&known).next() {
        return Err(MigrateError::VersionMissing(*newer).into());
    }
    if let Some(missing) = known.difference(&applied).next() {
        return Err(StoreError::Fatal(format!(
            "the tables in {data} are of an older release (migration {missing} is missing), and this role does not own \
             them: start a projector of this release as their owner first"
        )));
    }
    Ok(())
}

/// Gives the roles that may use the sessions of the data in `source` the same rights to all tables of `data`, and to
/// all views.
pub(super) async fn extend(
    connection: &mut PgConnection,
    schema: &SchemaName,
    source: &str,
    data: &str,
) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(format!("SELECT {data}.extend_access($1::regnamespace, $2::regnamespace)")))
        .bind(source)
        .bind(schema.as_str())
        .execute(connection)
        .await?;
    Ok(())
}
