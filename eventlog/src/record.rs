//! Records as they go in and come out.

use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's whole name.
    pub topic: Arc<str>,
    /// Its number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// A record to append. The partition is always chosen by the writer, so that every log keys alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Where it goes.
    pub partition: TopicPartition,
    /// Its key.
    pub key: Bytes,
    /// Its value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
    /// Its time, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset within its partition.
    pub offset: i64,
    /// Its time, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Bytes,
    /// Its value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

/// Records of one partition, in order.
///
/// They may share one buffer: whoever keeps a key or a value for long copies it, or keeps them all.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Whose records these are.
    pub partition: TopicPartition,
    /// The records; may be empty where only markers were passed.
    pub records: Vec<Record>,
    /// The position after them: the next offset to be read.
    pub next_offset: i64,
}

/// A record's headers, packed into one buffer: name length (u16), name, value length (u32), value,
/// in order, big-endian.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Bytes);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Headers of these names and values, in this order.
    ///
    /// A name longer than 65,535 bytes or a value longer than 4 GiB is cut off there; no caller
    /// has such.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self::split_off(&mut BytesMut::new(), pairs)
    }

    /// As [`Headers::from_pairs`], written to the end of a buffer, which goes on behind them: many records'
    /// parts in one buffer cost less than many buffers. What stood there before is cut off with them.
    pub fn split_off<'a>(buffer: &mut BytesMut, pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        for (name, value) in pairs {
            pack(buffer, name.as_bytes(), value);
        }
        Self(buffer.split().freeze())
    }

    /// Headers that [`pack`] has written.
    pub(crate) fn packed_here(packed: Bytes) -> Self {
        Self(packed)
    }

    /// Headers from their packed form.
    ///
    /// None when the buffer is not of that form.
    pub fn from_packed(packed: Bytes) -> Option<Self> {
        let headers = Self(packed);
        let mut rest: &[u8] = &headers.0;
        while !rest.is_empty() {
            (_, _, rest) = split(rest)?;
        }
        Some(headers)
    }

    /// The packed form.
    pub fn packed(&self) -> &Bytes {
        &self.0
    }

    /// The value of the first header of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The first header of this name as text; none if absent or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let (name, value, after) = split(rest)?;
            rest = after;
            Some((name, value))
        })
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value)))).finish()
    }
}

/// Writes a header, its name in UTF-8, in the form of [`Headers`]; a name or value too long for it is cut.
pub(crate) fn pack(buffer: &mut BytesMut, name: &[u8], value: &[u8]) {
    let name_len = u16::try_from(name.len()).unwrap_or(u16::MAX);
    let value_len = u32::try_from(value.len()).unwrap_or(u32::MAX);
    buffer.put_u16(name_len);
    buffer.put_slice(&name[..usize::from(name_len)]);
    buffer.put_u32(value_len);
    buffer.put_slice(&value[..value_len as usize]);
}

/// The first header of a packed buffer, and what follows it.
fn split(packed: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (name_len, rest) = packed.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*name_len)))?;
    let (value_len, rest) = rest.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*value_len) as usize)?;
    Some((std::str::from_utf8(name).ok()?, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_headers_come_back_in_order() {
        let headers = Headers::from_pairs([("event_id", b"a".as_slice()), ("empty", b""), ("event_id", b"b")]);
        assert_eq!(headers.get("event_id"), Some(b"a".as_slice()));
        assert_eq!(headers.text("empty"), Some(""));
        assert_eq!(headers.iter().count(), 3);
        assert_eq!(Headers::from_packed(headers.packed().clone()), Some(headers));
    }

    #[test]
    fn a_torn_buffer_is_no_headers() {
        let headers = Headers::from_pairs([("name", b"value".as_slice())]);
        let torn = headers.packed().slice(..headers.packed().len() - 1);
        assert_eq!(Headers::from_packed(torn), None);
    }
}
