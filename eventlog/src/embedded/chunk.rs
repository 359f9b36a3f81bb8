//! Records packed into one value: how many of them share a row of the file.
//!
//! Of each record: offset less the chunk's first (u32), timestamp (i64), lengths of key, value and
//! headers (u32 each, the value's all ones for a tombstone), then the three, big-endian. A read
//! copies the whole value once; the records then share it.

use bytes::{BufMut, Bytes};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Headers, NewRecord, Record};

/// A chunk is closed when its payload has reached this size.
const FULL_BYTES: usize = 64 << 10;
/// What stands before a record's key.
const HEAD_BYTES: usize = 24;
/// In place of a value's length: there is none.
const TOMBSTONE: u32 = u32::MAX;

/// A chunk being filled, or full.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Offset of its first record.
    pub(super) first: i64,
    /// One past the last offset that it covers.
    pub(super) next: i64,
    /// How many of its records have no value.
    pub(super) tombstones: i64,
    /// The largest timestamp in it.
    pub(super) max_ts: i64,
    /// The packed records.
    pub(super) payload: Vec<u8>,
}

/// A payload that is not of the packed form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Torn;

impl Chunk {
    /// An empty chunk that starts at `first`.
    pub(super) fn starting_at(first: i64) -> Self {
        Self { first, next: first, tombstones: 0, max_ts: i64::MIN, payload: Vec::new() }
    }

    /// Whether the next record belongs into another chunk.
    pub(super) fn is_full(&self) -> bool {
        self.payload.len() >= FULL_BYTES
    }

    /// Adds a new record at the chunk's end.
    pub(super) fn push_new(&mut self, record: &NewRecord) {
        let body = (&*record.key, record.value.as_deref(), &**record.headers.packed());
        self.push(self.next, record.timestamp_ms, body);
    }

    /// Adds a record that was read before; offsets between it and the last stay empty.
    pub(super) fn push_kept(&mut self, record: &Record) {
        let body = (&*record.key, record.value.as_deref(), &**record.headers.packed());
        self.push(record.offset, record.timestamp_ms, body);
    }

    /// What the payload must hash to when it is read.
    pub(super) fn sum(&self) -> i64 {
        sum(&self.payload)
    }

    fn push(&mut self, offset: i64, timestamp_ms: i64, (key, value, headers): (&[u8], Option<&[u8]>, &[u8])) {
        self.payload.reserve(HEAD_BYTES + key.len() + value.map_or(0, <[u8]>::len) + headers.len());
        self.payload.put_u32(length(usize::try_from(offset - self.first).unwrap_or(usize::MAX)));
        self.payload.put_i64(timestamp_ms);
        self.payload.put_u32(length(key.len()));
        self.payload.put_u32(value.map_or(TOMBSTONE, |value| length(value.len())));
        self.payload.put_u32(length(headers.len()));
        self.payload.put_slice(key);
        self.payload.put_slice(value.unwrap_or_default());
        self.payload.put_slice(headers);
        self.tombstones += i64::from(value.is_none());
        self.max_ts = self.max_ts.max(timestamp_ms);
        self.next = offset + 1;
    }
}

/// The bytes that a record counts against its topic's largest.
pub(super) fn size(record: &NewRecord) -> usize {
    record.key.len() + record.value.as_ref().map_or(0, Bytes::len) + record.headers.packed().len()
}

/// What a payload hashes to.
pub(super) fn sum(payload: &[u8]) -> i64 {
    xxh3_64(payload).cast_signed()
}

/// Unpacks the records with offsets in `from..until` of the chunk that starts at `first`.
pub(super) fn unpack(payload: &Bytes, first: i64, from: i64, until: i64, into: &mut Vec<Record>) -> Result<(), Torn> {
    let mut at = 0;
    while at < payload.len() {
        let head = payload.get(at..at + HEAD_BYTES).ok_or(Torn)?;
        let offset = first + i64::from(u32_at(head, 0)?);
        let [key, value, headers] = [u32_at(head, 12)?, u32_at(head, 16)?, u32_at(head, 20)?];
        let key_at = at + HEAD_BYTES;
        let value_at = key_at + key as usize;
        let headers_at = value_at + if value == TOMBSTONE { 0 } else { value as usize };
        let end = headers_at + headers as usize;
        if end > payload.len() {
            return Err(Torn);
        }
        if offset >= until {
            return Ok(());
        }
        if offset >= from {
            into.push(Record {
                offset,
                timestamp_ms: i64_at(head, 4)?,
                key: payload.slice(key_at..value_at),
                value: (value != TOMBSTONE).then(|| payload.slice(value_at..headers_at)),
                headers: Headers::from_packed(payload.slice(headers_at..end)).ok_or(Torn)?,
            });
        }
        at = end;
    }
    Ok(())
}

/// A length as it is stored; a topic's largest record keeps it far below four GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(TOMBSTONE - 1)
}

fn u32_at(head: &[u8], at: usize) -> Result<u32, Torn> {
    head.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_be_bytes(*bytes)).ok_or(Torn)
}

fn i64_at(head: &[u8], at: usize) -> Result<i64, Torn> {
    head.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| i64::from_be_bytes(*bytes)).ok_or(Torn)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::TopicPartition;

    fn record(key: Vec<u8>, value: Option<Vec<u8>>, timestamp_ms: i64) -> NewRecord {
        NewRecord {
            partition: TopicPartition::new("t", 0),
            key: key.into(),
            value: value.map(Bytes::from),
            headers: Headers::from_pairs([("name", b"value".as_slice())]),
            timestamp_ms,
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back_and_a_stretch_is_exact(
            records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..9),
                prop::option::of(prop::collection::vec(any::<u8>(), 0..99)), any::<i64>()), 1..40),
            first in 0_i64..1_000_000, from in 0_i64..50, until in 0_i64..50,
        ) {
            let mut chunk = Chunk::starting_at(first);
            for (key, value, at) in &records {
                chunk.push_new(&record(key.clone(), value.clone(), *at));
            }
            prop_assert_eq!(chunk.next, first + i64::try_from(records.len()).unwrap());
            let mut read = Vec::new();
            unpack(&chunk.payload.into(), first, first + from, first + until, &mut read).unwrap();
            let wanted: Vec<_> = (first..).zip(&records).filter(|(o, _)| (from..until).contains(&(o - first))).collect();
            prop_assert_eq!(read.len(), wanted.len());
            for (read, (offset, (key, value, at))) in read.iter().zip(wanted) {
                prop_assert_eq!((read.offset, read.timestamp_ms), (offset, *at));
                prop_assert_eq!((&*read.key, read.value.as_deref()), (&**key, value.as_deref()));
                prop_assert_eq!(read.headers.get("name"), Some(b"value".as_slice()));
            }
        }

        #[test]
        fn any_bytes_unpack_or_are_torn_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes.into(), 5, 0, i64::MAX, &mut Vec::new());
        }
    }

    #[test]
    fn a_cut_payload_is_torn() {
        let mut chunk = Chunk::starting_at(0);
        chunk.push_new(&record(b"k".to_vec(), Some(b"v".to_vec()), 1));
        let cut = Bytes::from(chunk.payload).slice(..=HEAD_BYTES);
        assert_eq!(unpack(&cut, 0, 0, 9, &mut Vec::new()), Err(Torn));
    }
}
