//! A record as librdkafka's producers take it.

use bytes::Bytes;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::util::IntoOpaque;

use crate::NewRecord;

/// A record on its way; `receipt` comes back with its delivery report.
pub(super) fn outgoing<D: IntoOpaque>(record: &NewRecord, receipt: D) -> BaseRecord<'_, [u8], [u8], D> {
    let mut outgoing = BaseRecord::with_opaque_to(&record.partition.topic, receipt)
        .partition(record.partition.partition)
        .key(&*record.key)
        .timestamp(record.timestamp_ms);
    outgoing.payload = record.value.as_deref();
    let count = record.headers.iter().count();
    if count > 0 {
        outgoing.headers =
            Some(record.headers.iter().fold(OwnedHeaders::new_with_capacity(count), |headers, (key, value)| {
                headers.insert(Header { key, value: Some(value) })
            }));
    }
    outgoing
}

/// About how many bytes a record takes in a queue.
pub(super) fn size(record: &NewRecord) -> usize {
    record.key.len() + record.value.as_ref().map_or(0, Bytes::len) + record.headers.packed().len()
}
