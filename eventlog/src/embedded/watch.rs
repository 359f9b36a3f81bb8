//! Notices what other processes append to the file, and topics that they delete.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{ConnectOptions, SqliteConnection};

use super::failure::Failure;
use super::layout;
use super::store::Store;

/// How long one look may wait for a lock.
const BUSY: Duration = Duration::from_secs(1);

/// Looks at the file's version every few milliseconds and takes in what has changed.
///
/// The version is a counter in memory shared by all processes: an idle look reads no page.
pub(super) async fn run(store: Arc<Store>) {
    let mut seen = None;
    let mut connection = None;
    let mut complained = false;
    loop {
        tokio::select! {
            () = store.closing.cancelled() => break,
            () = tokio::time::sleep(store.options.watch_interval) => {}
        }
        match look(&store, &mut connection, &mut seen).await {
            Ok(()) => complained = false,
            Err(failure) => {
                connection = None;
                if !complained {
                    tracing::warn!(error = failure.sentence(), "cannot see what other processes append");
                    complained = true;
                }
            }
        }
    }
    if let Some(connection) = connection {
        layout::close(connection).await;
    }
}

async fn look(store: &Store, slot: &mut Option<SqliteConnection>, seen: &mut Option<i64>) -> Result<(), Failure> {
    let failed = |e| store.failure(&e);
    let connection = if let Some(connection) = slot {
        connection
    } else {
        *seen = None;
        slot.insert(layout::reading(&store.path, BUSY).connect().await.map_err(failed)?)
    };
    let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *connection).await.map_err(failed)?;
    if *seen == Some(version) {
        return Ok(());
    }
    let ends: Vec<(i64, i64)> =
        sqlx::query_as("SELECT id, next FROM part").fetch_all(&mut *connection).await.map_err(failed)?;
    store.tails.advance(ends);
    let topics: Vec<(String, String)> =
        sqlx::query_as("SELECT name, uuid FROM topic").fetch_all(connection).await.map_err(failed)?;
    store.forget_all_but(&topics.into_iter().collect());
    *seen = Some(version);
    Ok(())
}
