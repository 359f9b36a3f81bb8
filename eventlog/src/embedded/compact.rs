//! Compaction of a partition: of each key only the newest record stays, at its own offset.
//!
//! The part up to `compacted` holds each key once already. A round learns the newest offset of each
//! key after that, as far as a bounded memory reaches, then rewrites the chunks before that point
//! without the records that are superseded. A tombstone goes a while after the round that first met
//! it, so that a reader under way still sees it; by then nothing older of its key is left.

use std::collections::HashMap;

use sqlx::Row;

use super::chunk::{Chunk, Torn};
use super::failure::Failure;
use super::feed::{Feed, FoundChunk};
use super::layout::{chunk_id, first_offset};
use super::store::Store;
use crate::{LogError, Record, TopicPartition};

/// The keys of one round may take this much memory, with this much beside each.
const KEYS_BYTES: usize = 32 << 20;
const KEY_OVERHEAD_BYTES: usize = 64;
/// Chunks that one transaction rewrites.
const STEP: usize = 16;
/// A partition with less than this is compacted whenever anything has come; a larger one when a
/// quarter of it is new.
const SMALL_BYTES: i64 = 1 << 20;

/// The times of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Now, in milliseconds since the epoch.
    pub(super) now_ms: i64,
    /// A tombstone that a round met before this may go.
    pub(super) tombstones_before: i64,
}

/// What a rewrite makes of a chunk.
enum Change {
    /// Nothing of it is left.
    Remove,
    /// What is left, and when its tombstones were first met.
    Replace(Chunk, Option<i64>),
}

/// A chunk with what compaction needs besides.
struct Old {
    found: FoundChunk,
    tombstones: i64,
    cleaned_ms: Option<i64>,
}

/// Compacts a partition where that is worth it; says how many records went.
pub(super) async fn run(store: &Store, part: i64, times: Times) -> Result<u64, LogError> {
    let mut dropped = 0;
    let mut first = true;
    loop {
        let (low, compacted, next) = bounds(store, part).await?;
        if first && !is_worth_it(store, part, compacted, times).await? || !first && compacted >= next {
            return Ok(dropped);
        }
        first = false;
        let (newest, horizon) = newest_offsets(store, part, compacted.max(low), next).await?;
        let Some(superseded) = rewrite(store, part, horizon, &newest, times).await? else {
            // Another process compacts it too; what is left over is seen to the next time.
            return Ok(dropped);
        };
        dropped += superseded;
        let mut tx = store.begin().await.map_err(Failure::into_log_error)?;
        sqlx::query("UPDATE part SET compacted = max(compacted, ?) WHERE id = ?")
            .bind(horizon)
            .bind(part)
            .execute(tx.connection())
            .await
            .map_err(|e| store.log_error(&e))?;
        tx.commit().await.map_err(Failure::into_log_error)?;
    }
}

async fn bounds(store: &Store, part: i64) -> Result<(i64, i64, i64), LogError> {
    sqlx::query_as("SELECT low, compacted, next FROM part WHERE id = ?")
        .bind(part)
        .fetch_one(store.readers())
        .await
        .map_err(|e| store.log_error(&e))
}

/// Whether enough is new, or tombstones are due.
async fn is_worth_it(store: &Store, part: i64, compacted: i64, times: Times) -> Result<bool, LogError> {
    let (dirty, clean, due): (i64, i64, bool) = sqlx::query_as(
        "SELECT coalesce(sum(iif(id >= ?3, length(payload), 0)), 0), coalesce(sum(iif(id < ?3, length(payload), 0)), 0),
                coalesce(max(tombstones > 0 AND cleaned_ms <= ?4), 0)
         FROM chunk WHERE id >= ?1 AND id < ?2",
    )
    .bind(chunk_id(part, 0))
    .bind(chunk_id(part + 1, 0))
    .bind(chunk_id(part, compacted))
    .bind(times.tombstones_before)
    .fetch_one(store.readers())
    .await
    .map_err(|e| store.log_error(&e))?;
    Ok(due || dirty > 0 && (clean < SMALL_BYTES || dirty >= clean / 4))
}

/// The newest offset of each key from `from` on, and how far the memory for keys reached: the end
/// of a chunk.
async fn newest_offsets(
    store: &Store,
    part: i64,
    from: i64,
    end: i64,
) -> Result<(HashMap<Box<[u8]>, i64>, i64), LogError> {
    let mut feed = Feed::new(TopicPartition::new("compaction", 0), part, from, Some(end));
    let mut newest: HashMap<Box<[u8]>, i64> = HashMap::new();
    let mut bytes = 0;
    while bytes < KEYS_BYTES {
        let Some(batch) = feed.pull(store).await? else { break };
        for record in batch.records {
            if let Some(offset) = newest.get_mut(&*record.key) {
                *offset = record.offset;
            } else {
                bytes += record.key.len() + KEY_OVERHEAD_BYTES;
                newest.insert(Box::from(&*record.key), record.offset);
            }
        }
    }
    Ok((newest, feed.position))
}

/// Rewrites the chunks that end at or before `horizon`; says how many records went, or nothing when
/// somebody else changed one of these chunks meanwhile.
async fn rewrite(
    store: &Store,
    part: i64,
    horizon: i64,
    newest: &HashMap<Box<[u8]>, i64>,
    times: Times,
) -> Result<Option<u64>, LogError> {
    let mut dropped = 0;
    let mut from = chunk_id(part, 0);
    loop {
        let olds = chunks(store, from, chunk_id(part, horizon)).await?;
        let Some(last) = olds.last() else { return Ok(Some(dropped)) };
        from = last.found.id + 1;
        let mut changes = Vec::new();
        for old in &olds {
            let mut records = Vec::new();
            let damaged = |Torn| Failure::damaged("records to be compacted do not match their checksum", &store.path);
            old.found.unpack(0, i64::MAX, &mut records).map_err(|e| damaged(e).into_log_error())?;
            let before = records.len();
            records.retain(|record| stays(record, old, newest, times));
            dropped += u64::try_from(before - records.len()).unwrap_or(0);
            if records.len() < before || old.tombstones > 0 && old.cleaned_ms.is_none() {
                changes.push((old, change(old, &records, times)));
            }
        }
        if !changes.is_empty() && !apply(store, changes).await.map_err(Failure::into_log_error)? {
            return Ok(None);
        }
    }
}

fn stays(record: &Record, old: &Old, newest: &HashMap<Box<[u8]>, i64>, times: Times) -> bool {
    let superseded = newest.get(&*record.key).is_some_and(|offset| *offset > record.offset);
    let due = old.cleaned_ms.is_some_and(|met| met <= times.tombstones_before);
    !(superseded || record.value.is_none() && due)
}

fn change(old: &Old, records: &[Record], times: Times) -> Change {
    if records.is_empty() {
        return Change::Remove;
    }
    let mut chunk = Chunk::starting_at(first_offset(old.found.id));
    for record in records {
        chunk.push_kept(record);
    }
    let met = (chunk.tombstones > 0).then(|| old.cleaned_ms.unwrap_or(times.now_ms));
    Change::Replace(chunk, met)
}

/// The next chunks from `from` on that start before `until`.
async fn chunks(store: &Store, from: i64, until: i64) -> Result<Vec<Old>, LogError> {
    let rows = sqlx::query(
        "SELECT id, next, sum, payload, tombstones, cleaned_ms FROM chunk WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
    )
    .bind(from)
    .bind(until)
    .bind(i64::try_from(STEP).unwrap_or(i64::MAX))
    .fetch_all(store.readers())
    .await
    .map_err(|e| store.log_error(&e))?;
    let old = |row| {
        let found = FoundChunk::at(row, 0)?;
        Ok(Old { found, tombstones: row.try_get(4)?, cleaned_ms: row.try_get(5)? })
    };
    rows.iter().map(old).collect::<Result<_, sqlx::Error>>().map_err(|e| store.log_error(&e))
}

/// Puts changed chunks in place of the old ones; false, and nothing is changed, when one of them is
/// not what it was.
async fn apply(store: &Store, changes: Vec<(&Old, Change)>) -> Result<bool, Failure> {
    let mut tx = store.begin().await?;
    for (old, change) in changes {
        let (id, sum) = (old.found.id, old.found.sum);
        let query = match change {
            Change::Remove => sqlx::query("DELETE FROM chunk WHERE id = ? AND sum = ?").bind(id).bind(sum),
            Change::Replace(chunk, met) => sqlx::query(
                "UPDATE chunk SET tombstones = ?3, cleaned_ms = ?4, max_ts = ?5, sum = ?6, payload = ?7
                 WHERE id = ?1 AND sum = ?2",
            )
            .bind(id)
            .bind(sum)
            .bind(chunk.tombstones)
            .bind(met)
            .bind(chunk.max_ts)
            .bind(chunk.sum())
            .bind(chunk.payload),
        };
        let done = query.execute(tx.connection()).await.map_err(|e| store.failure(&e))?;
        if done.rows_affected() != 1 {
            tx.rollback().await;
            return Ok(false);
        }
    }
    tx.commit().await.map(|()| true)
}
