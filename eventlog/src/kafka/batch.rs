//! Gathers the records of one partition into a batch with one buffer.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::message::Message;
use crate::record::pack;
use crate::{Batch, Headers, Record, TopicPartition};

/// A batch is handed over at the latest when it holds so many bytes …
const FULL_BYTES: usize = 512 << 10;
/// … or so many records.
const FULL_RECORDS: usize = 1_000;

/// Copies records as they come; each byte once, into a buffer that all records of the batch share.
///
/// Whoever keeps one record's key or value keeps the whole batch's buffer: copy what is to stay.
#[derive(Default)]
pub(super) struct BatchBuilder {
    buffer: BytesMut,
    records: Vec<Layout>,
    /// So much the last batch took: a guess for the next, so that the buffer seldom grows.
    last_bytes: usize,
}

/// Where a record's parts lie in the buffer.
struct Layout {
    offset: i64,
    timestamp_ms: i64,
    key: Range<usize>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
}

impl BatchBuilder {
    /// Adds a record, its headers too where they are wanted.
    pub(super) fn push(&mut self, message: &Message<'_>, with_headers: bool) {
        if self.records.is_empty() {
            self.buffer.reserve(self.last_bytes);
        }
        let key = self.copy(message.key());
        let value = message.value().map(|value| self.copy(value));
        let headers_start = self.buffer.len();
        if with_headers {
            message.each_header(|name, value| pack_header(&mut self.buffer, name, value));
        }
        self.records.push(Layout {
            offset: message.offset(),
            timestamp_ms: message.timestamp_ms(),
            key,
            value,
            headers: headers_start..self.buffer.len(),
        });
    }

    /// Whether the batch should be handed over before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= FULL_RECORDS || self.buffer.len() >= FULL_BYTES
    }

    /// Whether it holds no record.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Forgets what was added.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.records.clear();
    }

    /// The batch of what was added; the builder starts anew.
    pub(super) fn take(&mut self, partition: TopicPartition, next_offset: i64) -> Batch {
        self.last_bytes = self.buffer.len();
        let buffer = self.buffer.split().freeze();
        let records = self.records.drain(..).map(|layout| layout.into_record(&buffer)).collect();
        Batch { partition, records, next_offset }
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.buffer.len();
        self.buffer.put_slice(bytes);
        start..self.buffer.len()
    }
}

impl Layout {
    fn into_record(self, buffer: &Bytes) -> Record {
        let part = |range: Range<usize>| if range.is_empty() { Bytes::new() } else { buffer.slice(range) };
        Record {
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: part(self.key),
            value: self.value.map(part),
            headers: Headers::packed_here(part(self.headers)),
        }
    }
}

/// Adds a header. A foreign writer's name need not be UTF-8; ours must.
fn pack_header(buffer: &mut BytesMut, name: &[u8], value: &[u8]) {
    match std::str::from_utf8(name) {
        Ok(name) => pack(buffer, name.as_bytes(), value),
        Err(_) => pack(buffer, String::from_utf8_lossy(name).as_bytes(), value),
    }
}
