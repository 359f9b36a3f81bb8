//! Removing what nobody wants any more: a partition's older records, a topic.

use super::chunk::{Chunk, Torn};
use super::failure::Failure;
use super::feed::FoundChunk;
use super::layout::{chunk_id, first_offset};
use super::maintain::drop_front;
use super::store::{Store, WriteTx};
use crate::{LogError, TopicPartition};

/// Chunks that one transaction removes.
const STEP: i64 = 64;

/// Drops all records of a partition below an offset.
pub(super) async fn truncate(store: &Store, partition: &TopicPartition, below: i64) -> Result<(), LogError> {
    let range = store.range(partition).await?;
    if below > range.high {
        return Err(LogError::OutOfRange {
            topic: partition.topic.to_string(),
            partition: partition.partition,
            wanted: below,
            low: range.low,
            high: range.high,
        });
    }
    let part = store.part(partition).await?;
    drop_whole_chunks(store, part, below).await?;
    let mut tx = store.begin().await.map_err(Failure::into_log_error)?;
    trim(store, &mut tx, part, below).await.map_err(Failure::into_log_error)?;
    set_low(&mut tx, part, below).await.map_err(|e| store.log_error(&e))?;
    tx.commit().await.map_err(Failure::into_log_error)
}

/// Deletes a topic with its records and what groups have committed of it. One made again under its
/// name has another identity.
pub(super) async fn delete_topic(store: &Store, name: &str) -> Result<(), LogError> {
    let topic = store.topic(name).await?;
    for part in &topic.parts {
        drop_whole_chunks(store, *part, i64::MAX).await?;
    }
    let mut tx = store.begin().await.map_err(Failure::into_log_error)?;
    for statement in [
        "DELETE FROM claim WHERE part IN (SELECT id FROM part WHERE topic = (SELECT id FROM topic WHERE uuid = ?))",
        // What was appended since.
        "DELETE FROM chunk WHERE part IN (SELECT id FROM part WHERE topic = (SELECT id FROM topic WHERE uuid = ?))",
        "DELETE FROM part WHERE topic = (SELECT id FROM topic WHERE uuid = ?)",
        "DELETE FROM topic WHERE uuid = ?",
    ] {
        sqlx::query(statement).bind(&topic.uuid).execute(tx.connection()).await.map_err(|e| store.log_error(&e))?;
    }
    tx.commit().await.map_err(Failure::into_log_error)?;
    store.forget(name);
    Ok(())
}

/// Drops the chunks that end at or below an offset, some in each transaction.
async fn drop_whole_chunks(store: &Store, part: i64, below: i64) -> Result<(), LogError> {
    loop {
        let last: Option<(i64, i64)> = sqlx::query_as(
            "SELECT id, next FROM (SELECT id, next FROM chunk WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?4)
             WHERE next <= ?3 ORDER BY id DESC LIMIT 1",
        )
        .bind(chunk_id(part, 0))
        .bind(chunk_id(part + 1, 0))
        .bind(below)
        .bind(STEP)
        .fetch_optional(store.readers())
        .await
        .map_err(|e| store.log_error(&e))?;
        let Some((last, next)) = last else { return Ok(()) };
        drop_front(store, part, last, next).await.map_err(Failure::into_log_error)?;
    }
}

/// Rewrites the chunk that an offset lies within, without the records below it.
async fn trim(store: &Store, tx: &mut WriteTx<'_>, part: i64, below: i64) -> Result<(), Failure> {
    let row = sqlx::query(
        "SELECT id, next, sum, payload FROM chunk WHERE id >= ? AND id < ? AND next > ? ORDER BY id LIMIT 1",
    )
    .bind(chunk_id(part, 0))
    .bind(chunk_id(part, below))
    .bind(below)
    .fetch_optional(tx.connection())
    .await
    .map_err(|e| store.failure(&e))?;
    let Some(row) = row else { return Ok(()) };
    let found = FoundChunk::at(&row, 0).map_err(|e| store.failure(&e))?;
    let mut records = Vec::new();
    let damaged = |Torn| Failure::damaged("records to be dropped do not match their checksum", &store.path);
    found.unpack(below, i64::MAX, &mut records).map_err(damaged)?;
    let mut chunk = Chunk::starting_at(first_offset(found.id));
    for record in &records {
        chunk.push_kept(record);
    }
    let query = if records.is_empty() {
        sqlx::query("DELETE FROM chunk WHERE id = ?").bind(found.id)
    } else {
        sqlx::query("UPDATE chunk SET tombstones = ?2, max_ts = ?3, sum = ?4, payload = ?5 WHERE id = ?1")
            .bind(found.id)
            .bind(chunk.tombstones)
            .bind(chunk.max_ts)
            .bind(chunk.sum())
            .bind(chunk.payload)
    };
    query.execute(tx.connection()).await.map_err(|e| store.failure(&e))?;
    Ok(())
}

async fn set_low(tx: &mut WriteTx<'_>, part: i64, low: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE part SET low = max(low, ?1), compacted = max(compacted, ?1) WHERE id = ?2")
        .bind(low)
        .bind(part)
        .execute(tx.connection())
        .await?;
    Ok(())
}
