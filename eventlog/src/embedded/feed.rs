//! Reads one partition from a position on.

use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::chunk::{self, Torn};
use super::failure::Failure;
use super::layout::{chunk_id, first_offset};
use super::store::Store;
use crate::{Batch, LogError, Record, TopicPartition};

/// A batch takes no further chunk once it has this many bytes or records.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_RECORDS: usize = 4096;

/// The chunk that holds the first offset wanted, and those after it. There is always a row, for the
/// partition's own ends, which belong to the same moment.
const SELECT: &str = "
SELECT part.low, part.next, chunk.id, chunk.next, chunk.sum, chunk.payload
FROM part LEFT JOIN chunk ON chunk.id < ?3 AND chunk.id >= coalesce(
    (SELECT id FROM chunk WHERE id BETWEEN ?4 AND ?2 ORDER BY id DESC LIMIT 1), ?2)
WHERE part.id = ?1 ORDER BY chunk.id";

/// A partition that is being read.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    /// Which partition.
    pub(super) partition: TopicPartition,
    /// Its row.
    pub(super) part: i64,
    /// The next offset to be read.
    pub(super) position: i64,
    /// One past the last offset to be read, if there is an end.
    pub(super) until: Option<i64>,
    /// The partition's end when it was last read; none before the first read.
    pub(super) end: Option<i64>,
}

impl Feed {
    /// Reads a partition from `position` on.
    pub(super) fn new(partition: TopicPartition, part: i64, position: i64, until: Option<i64>) -> Self {
        Self { partition, part, position, until, end: None }
    }

    /// Whether it has been read to the end asked for.
    pub(super) fn is_done(&self) -> bool {
        self.until.is_some_and(|until| self.position >= until)
    }

    /// Whether there may be something to read, as far as is known without looking into the file.
    pub(super) fn has_news(&self, store: &Store) -> bool {
        let known = self.end.map(|end| end.max(store.tails.end(self.part)));
        !self.is_done() && known != Some(self.position)
    }

    /// What comes next; none when there is nothing new. Cancel safe.
    pub(super) async fn pull(&mut self, store: &Store) -> Result<Option<Batch>, LogError> {
        if !self.has_news(store) {
            return Ok(None);
        }
        let (batch, end) = self.fetch(store).await?;
        self.end = Some(end);
        store.tails.advance([(self.part, end)]);
        if batch.next_offset == self.position {
            return Ok(None);
        }
        self.position = batch.next_offset;
        Ok(Some(batch))
    }

    /// A batch from the position on, and the partition's end at that moment.
    async fn fetch(&self, store: &Store) -> Result<(Batch, i64), LogError> {
        let (from, until) = (self.position, self.until.unwrap_or(i64::MAX));
        let last = self.until.map_or(chunk_id(self.part + 1, 0), |until| chunk_id(self.part, until));
        let mut rows = sqlx::query(SELECT)
            .bind(self.part)
            .bind(chunk_id(self.part, from))
            .bind(last)
            .bind(chunk_id(self.part, 0))
            .fetch(store.readers());
        let (mut records, mut bytes) = (Vec::new(), 0);
        // Neither a chunk nor an empty partition: the partition is gone.
        let mut ends = None;
        while let Some(row) = rows.try_next().await.map_err(|e| store.log_error(&e))? {
            let found = FoundRow::of(&row).map_err(|e| store.log_error(&e))?;
            self.check(&found)?;
            // Where no further chunk comes, what is left up to the end holds no record any more.
            ends = Some((found.high, found.high));
            let Some(chunk) = found.chunk else { continue };
            bytes += chunk.payload.len();
            chunk.unpack(from, until, &mut records).map_err(|Torn| self.damaged(first_offset(chunk.id), store))?;
            if bytes >= BATCH_BYTES || records.len() >= BATCH_RECORDS {
                ends = Some((chunk.next, found.high));
                break;
            }
        }
        let (read_to, high) = ends.ok_or_else(|| LogError::NotFound(self.partition.to_string()))?;
        Ok((self.batch(records, read_to.min(until)), high))
    }

    fn batch(&self, records: Vec<Record>, next_offset: i64) -> Batch {
        Batch { partition: self.partition.clone(), records, next_offset }
    }

    /// The position must lie within what the partition holds.
    fn check(&self, found: &FoundRow) -> Result<(), LogError> {
        if (found.low..=found.high).contains(&self.position) {
            return Ok(());
        }
        Err(LogError::OutOfRange {
            topic: self.partition.topic.to_string(),
            partition: self.partition.partition,
            wanted: self.position,
            low: found.low,
            high: found.high,
        })
    }

    fn damaged(&self, first: i64, store: &Store) -> LogError {
        let what = format!("the records of {} from offset {first} on do not match their checksum", self.partition);
        Failure::damaged(&what, &store.path).into_log_error()
    }
}

/// What one row of the query says.
struct FoundRow {
    low: i64,
    high: i64,
    chunk: Option<FoundChunk>,
}

/// A chunk as it lies in the file.
#[derive(Debug)]
pub(super) struct FoundChunk {
    /// Its row's id.
    pub(super) id: i64,
    /// One past the last offset that it covers.
    pub(super) next: i64,
    /// What its payload must hash to.
    pub(super) sum: i64,
    /// The packed records.
    pub(super) payload: Bytes,
}

impl FoundRow {
    fn of(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let chunk = match row.try_get::<Option<i64>, _>(2)? {
            Some(_) => Some(FoundChunk::at(row, 2)?),
            None => None,
        };
        Ok(Self { low: row.try_get(0)?, high: row.try_get(1)?, chunk })
    }
}

impl FoundChunk {
    /// From the columns id, next, sum, payload, which start at `column`.
    pub(super) fn at(row: &SqliteRow, column: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get(column)?,
            next: row.try_get(column + 1)?,
            sum: row.try_get(column + 2)?,
            payload: Bytes::from(row.try_get::<Vec<u8>, _>(column + 3)?),
        })
    }

    /// Its records with offsets in `from..until`.
    pub(super) fn unpack(&self, from: i64, until: i64, into: &mut Vec<Record>) -> Result<(), Torn> {
        if chunk::sum(&self.payload) != self.sum {
            return Err(Torn);
        }
        chunk::unpack(&self.payload, first_offset(self.id), from, until, into)
    }
}

/// The offset of a partition's first record with a timestamp at or after `timestamp_ms`.
///
/// A chunk's `top_ts` is the largest timestamp of the partition up to its end, so that it only
/// grows: the index leads to the first chunk that can hold such a record. Where compaction has
/// taken that record away, the search goes on to the next chunk that has one.
pub(super) async fn offset_at(
    store: &Store,
    partition: &TopicPartition,
    timestamp_ms: i64,
) -> Result<Option<i64>, LogError> {
    let part = store.part(partition).await?;
    let row = sqlx::query(
        "SELECT id, next, sum, payload FROM chunk
         WHERE id >= (SELECT id FROM chunk WHERE part = ?1 AND top_ts >= ?2 ORDER BY top_ts, id LIMIT 1)
           AND id < ?3 AND max_ts >= ?2
         ORDER BY id LIMIT 1",
    )
    .bind(part)
    .bind(timestamp_ms)
    .bind(chunk_id(part + 1, 0))
    .fetch_optional(store.readers())
    .await
    .map_err(|e| store.log_error(&e))?;
    let Some(row) = row else { return Ok(None) };
    let found = FoundChunk::at(&row, 0).map_err(|e| store.log_error(&e))?;
    let mut records = Vec::new();
    let feed = Feed::new(partition.clone(), part, 0, None);
    found.unpack(0, i64::MAX, &mut records).map_err(|Torn| feed.damaged(first_offset(found.id), store))?;
    Ok(records.iter().find(|record| record.timestamp_ms >= timestamp_ms).map(|record| record.offset))
}
