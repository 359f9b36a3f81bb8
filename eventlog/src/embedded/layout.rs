//! The file's layout: its tables, its version, and how a connection to it is set up.
//!
//! Records lie packed in chunks (see [`super::chunk`]): one row holds many records of one
//! partition. A chunk's row id is made of its partition and its first offset, so that a partition
//! is one contiguous range of the table's tree and no second index is needed to read it.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::failure::Failure;
use crate::LogError;

/// Marks the file as ours ("PLLG"), so that another program's file is never written to.
const APPLICATION_ID: i64 = 0x504C_4C47;
/// The layout that this build writes and reads.
const VERSION: i64 = 1;
/// Bits of a chunk's id that hold its first offset; the partition stands above them.
const OFFSET_BITS: u32 = 43;
/// One past the largest offset that a chunk's id can hold.
pub(super) const OFFSET_LIMIT: i64 = 1 << OFFSET_BITS;

/// `part` is a row a partition, whose id is never given out twice and fits above a chunk's offset; `claim` is who owns a partition for a group and how far it got;
/// `member` is the newest membership under an instance's name.
const TABLES: &str = "
CREATE TABLE topic (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    uuid TEXT NOT NULL,
    partitions INTEGER NOT NULL,
    compact INTEGER NOT NULL,
    retention_ms INTEGER,
    tombstones_ms INTEGER NOT NULL,
    max_message_bytes INTEGER NOT NULL
);
CREATE TABLE part (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 1048576),
    topic INTEGER NOT NULL REFERENCES topic,
    number INTEGER NOT NULL,
    low INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL DEFAULT 0,
    top_ts INTEGER NOT NULL DEFAULT (-9223372036854775807),
    compacted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, number)
);
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    part INTEGER NOT NULL,
    next INTEGER NOT NULL,
    tombstones INTEGER NOT NULL,
    cleaned_ms INTEGER,
    max_ts INTEGER NOT NULL,
    top_ts INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX chunk_by_time ON chunk (part, top_ts);
CREATE TABLE member (
    grp TEXT NOT NULL,
    instance TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (grp, instance)
) WITHOUT ROWID;
CREATE TABLE claim (
    grp TEXT NOT NULL,
    part INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    committed INTEGER,
    PRIMARY KEY (grp, part)
) WITHOUT ROWID;
";

/// The id of the chunk of partition row `part` that starts at `offset`.
pub(super) fn chunk_id(part: i64, offset: i64) -> i64 {
    (part << OFFSET_BITS) | offset.clamp(0, OFFSET_LIMIT - 1)
}

/// The first offset of the chunk with this id.
pub(super) fn first_offset(chunk_id: i64) -> i64 {
    chunk_id & (OFFSET_LIMIT - 1)
}

/// How a connection that writes is set up.
pub(super) fn writing(path: &Path, busy: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .pragma("cache_size", "-16384")
        .pragma("temp_store", "MEMORY")
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .thread_name(|_| "eventlog-write".to_owned())
        .disable_statement_logging()
}

/// How a connection that only reads is set up.
///
/// Few rows are buffered ahead of the reader, so that large records do not pile up in memory.
pub(super) fn reading(path: &Path, busy: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy)
        .foreign_keys(false)
        .pragma("query_only", "ON")
        .pragma("cache_size", "-4096")
        .row_buffer_size(16)
        .thread_name(|_| "eventlog-read".to_owned())
        .disable_statement_logging()
}

/// Opens the file for writing, making or checking its layout; nothing is changed in a file that
/// is not ours or is of a newer layout.
pub(super) async fn open(path: &Path, busy: Duration) -> Result<SqliteConnection, LogError> {
    let failed = |e| Failure::of(&e, path).into_log_error();
    let mut connection = writing(path, busy).create_if_missing(true).connect().await.map_err(failed)?;
    if is_ours(&mut connection, path).await? {
        return Ok(connection);
    }
    // Both have to be said before the first table is made; afterwards they have no effect.
    sqlx::query("PRAGMA auto_vacuum = INCREMENTAL").execute(&mut connection).await.map_err(failed)?;
    use_wal(&mut connection, path).await?;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.map_err(failed)?;
    // Another process may have made the layout in the meantime.
    if !is_ours(&mut connection, path).await? {
        let script = format!("{TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};");
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut connection).await.map_err(failed)?;
    }
    sqlx::query("COMMIT").execute(&mut connection).await.map_err(failed)?;
    Ok(connection)
}

/// Whether the file holds our layout; not so when it is empty.
async fn is_ours(connection: &mut SqliteConnection, path: &Path) -> Result<bool, LogError> {
    let seen: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(connection)
    .await
    .map_err(|e| Failure::of(&e, path).into_log_error())?;
    let path = path.display();
    match seen {
        (0, 0, 0) => Ok(false),
        (APPLICATION_ID, VERSION, _) => Ok(true),
        (APPLICATION_ID, version, _) if version > VERSION => Err(LogError::Invalid(format!(
            "{path} was written by a newer build (layout {version}, this build knows up to {VERSION}): \
             run that build, or choose another data folder"
        ))),
        (APPLICATION_ID, version, _) => Err(LogError::Invalid(format!(
            "{path} has layout {version}, which no build ever wrote: it is damaged; restore it from a backup"
        ))),
        _ => Err(LogError::Invalid(format!(
            "{path} is a SQLite file of another program: choose another path for the log"
        ))),
    }
}

/// Turns write-ahead logging on, for good; the switch itself cannot wait for a lock, so it is tried again.
async fn use_wal(connection: &mut SqliteConnection, path: &Path) -> Result<(), LogError> {
    let mut tries = 0;
    loop {
        let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await;
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(LogError::Invalid(format!(
                    "{} cannot use write-ahead logging (it stays at '{mode}'): put it on a local disk",
                    path.display()
                )));
            }
            Err(error) => {
                let failure = Failure::of(&error, path);
                if !failure.is_busy() || tries == 100 {
                    return Err(failure.into_log_error());
                }
            }
        }
        tries += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Closes a connection, which also folds the write-ahead log in if it was the last.
pub(super) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection to the log's file did not close cleanly");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_partition_then_offset_and_give_the_offset_back() {
        assert!(chunk_id(1, OFFSET_LIMIT - 1) < chunk_id(2, 0));
        assert!(chunk_id(2, 0) < chunk_id(2, 1));
        assert_eq!(first_offset(chunk_id(7, 123_456_789)), 123_456_789);
    }
}
