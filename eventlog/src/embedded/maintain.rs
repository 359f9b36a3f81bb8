//! Keeps the file in bounds: drops what is too old, compacts, gives room back to the disk.

use std::time::Duration;

use super::catalog;
use super::compact;
use super::failure::Failure;
use super::layout::{chunk_id, first_offset};
use super::store::Store;
use crate::{Cleanup, LogError};

/// Chunks that one transaction drops.
const STEP: usize = 64;
/// Free room up to this much stays in the file for reuse.
const SPARE_BYTES: i64 = 8 << 20;
/// The write-ahead log is cut back when it is longer than this.
const LONG_WAL_BYTES: u64 = 128 << 20;

/// What one round of maintenance did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// Bytes of records dropped because of their age.
    pub expired_bytes: u64,
    /// Records that compaction has dropped.
    pub compacted_records: u64,
    /// Bytes given back to the disk.
    pub returned_bytes: u64,
}

/// Applies every topic's cleanup.
pub(super) async fn run(store: &Store, now_ms: i64) -> Result<Maintenance, LogError> {
    let mut done = Maintenance::default();
    for name in topic_names(store).await? {
        let topic = store.topic(&name).await?;
        let (retention, tombstones) = match topic.spec.cleanup {
            Cleanup::Delete { retention } => (retention, None),
            Cleanup::Compact { tombstones, retention } => (retention, Some(tombstones)),
        };
        for part in topic.parts.iter().copied() {
            if let Some(age) = retention {
                done.expired_bytes += expire(store, part, before(now_ms, age)).await?;
            }
            if let Some(age) = tombstones {
                let times = compact::Times { now_ms, tombstones_before: before(now_ms, age) };
                done.compacted_records += compact::run(store, part, times).await?;
            }
        }
    }
    done.returned_bytes = give_back(store).await?;
    cut_wal(store).await?;
    Ok(done)
}

fn before(now_ms: i64, age: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

async fn topic_names(store: &Store) -> Result<Vec<String>, LogError> {
    let mut connection = store.readers().acquire().await.map_err(|e| store.log_error(&e))?;
    catalog::names(&mut connection).await.map_err(|e| store.log_error(&e))
}

/// Drops a partition's chunks from the front, as long as all of a chunk is older than `cutoff_ms`.
async fn expire(store: &Store, part: i64, cutoff_ms: i64) -> Result<u64, LogError> {
    let mut dropped = 0;
    loop {
        let front: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT id, next, max_ts, length(payload) FROM chunk WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        )
        .bind(chunk_id(part, 0))
        .bind(chunk_id(part + 1, 0))
        .bind(i64::try_from(STEP).unwrap_or(i64::MAX))
        .fetch_all(store.readers())
        .await
        .map_err(|e| store.log_error(&e))?;
        let old = front.iter().take_while(|(_, _, max_ts, _)| *max_ts < cutoff_ms).count();
        let Some((last, next, _, _)) = old.checked_sub(1).and_then(|index| front.get(index)) else {
            return Ok(dropped);
        };
        // The next record still there; where none was seen, this step's end, from which the next goes on.
        let low = front.get(old).map_or(*next, |(id, ..)| first_offset(*id));
        drop_front(store, part, *last, low).await.map_err(Failure::into_log_error)?;
        dropped += front[..old].iter().map(|(.., bytes)| u64::try_from(*bytes).unwrap_or(0)).sum::<u64>();
        if old < front.len() {
            return Ok(dropped);
        }
    }
}

/// Drops a partition's chunks up to one of them, and moves its low end.
pub(super) async fn drop_front(store: &Store, part: i64, last: i64, low: i64) -> Result<(), Failure> {
    let mut tx = store.begin().await?;
    sqlx::query("DELETE FROM chunk WHERE id BETWEEN ? AND ?")
        .bind(chunk_id(part, 0))
        .bind(last)
        .execute(tx.connection())
        .await
        .map_err(|e| store.failure(&e))?;
    sqlx::query("UPDATE part SET low = max(low, ?), compacted = max(compacted, ?) WHERE id = ?")
        .bind(low)
        .bind(low)
        .bind(part)
        .execute(tx.connection())
        .await
        .map_err(|e| store.failure(&e))?;
    tx.commit().await
}

/// Gives free room beyond a spare back to the disk, a piece at a time.
async fn give_back(store: &Store) -> Result<u64, LogError> {
    let (page, mut free) = room(store).await?;
    let start = free;
    while free * page > SPARE_BYTES {
        store.pragma("PRAGMA incremental_vacuum(1024)").await.map_err(Failure::into_log_error)?;
        let (_, left) = room(store).await?;
        if left >= free {
            break;
        }
        free = left;
    }
    Ok(u64::try_from((start - free) * page).unwrap_or(0))
}

/// The size of a page and the number of free ones.
async fn room(store: &Store) -> Result<(i64, i64), LogError> {
    sqlx::query_as(
        "SELECT (SELECT page_size FROM pragma_page_size), (SELECT freelist_count FROM pragma_freelist_count)",
    )
    .fetch_one(store.readers())
    .await
    .map_err(|e| store.log_error(&e))
}

/// Cuts a long write-ahead log back, where readers let it.
async fn cut_wal(store: &Store) -> Result<(), LogError> {
    let mut wal = store.path.clone().into_os_string();
    wal.push("-wal");
    let long = tokio::fs::metadata(wal).await.is_ok_and(|found| found.len() > LONG_WAL_BYTES);
    if long {
        store.checkpoint().await.map_err(Failure::into_log_error)?;
    }
    Ok(())
}
