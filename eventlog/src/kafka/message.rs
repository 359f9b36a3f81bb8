//! A record as librdkafka holds it.
#![expect(unsafe_code, reason = "reads librdkafka's messages without the safe wrapper's reference count for each")]

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;

use rdkafka::bindings as rd;

use super::native::{RawEvent, text};

/// A record in librdkafka's memory; lives as long as its event.
pub(super) struct Message<'a> {
    raw: NonNull<rd::rd_kafka_message_t>,
    event: PhantomData<&'a RawEvent>,
}

impl Message<'_> {
    /// The message of an event; the caller binds it to the event's life.
    pub(super) fn of_event(raw: NonNull<rd::rd_kafka_message_t>) -> Self {
        Self { raw, event: PhantomData }
    }

    fn raw(&self) -> &rd::rd_kafka_message_t {
        // SAFETY: the message belongs to the event, which outlives `self`.
        unsafe { self.raw.as_ref() }
    }

    /// Stands for its topic: equal for equal topics as long as one of its partitions is assigned.
    pub(super) fn topic_handle(&self) -> usize {
        self.raw().rkt as usize
    }

    /// Its topic's name.
    pub(super) fn topic(&self) -> String {
        // SAFETY: the topic handle is live as long as the message.
        text(unsafe { rd::rd_kafka_topic_name(self.raw().rkt) })
    }

    /// Its partition.
    pub(super) fn partition(&self) -> i32 {
        self.raw().partition
    }

    /// Its offset.
    pub(super) fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// Its timestamp in milliseconds; −1 when it has none.
    pub(super) fn timestamp_ms(&self) -> i64 {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is live.
        unsafe { rd::rd_kafka_message_timestamp(self.raw.as_ptr(), &raw mut kind) }
    }

    /// Its key; empty when it has none.
    pub(super) fn key(&self) -> &[u8] {
        bytes_of(self.raw().key, self.raw().key_len).unwrap_or_default()
    }

    /// Its value; none is a tombstone.
    pub(super) fn value(&self) -> Option<&[u8]> {
        bytes_of(self.raw().payload, self.raw().len)
    }

    /// Calls `each` with every header's name and value, in order.
    pub(super) fn each_header(&self, mut each: impl FnMut(&[u8], &[u8])) {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is live; the headers stay its own.
        let found = unsafe { rd::rd_kafka_message_headers(self.raw.as_ptr(), &raw mut headers) };
        if found != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            // SAFETY: `headers` is live; past its end the call answers with an error.
            let found =
                unsafe { rd::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut size) };
            if found != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            // SAFETY: a name is a C string that lives as long as the message.
            each(unsafe { CStr::from_ptr(name) }.to_bytes(), bytes_of(value.cast_mut(), size).unwrap_or_default());
        }
    }
}

fn bytes_of<'a>(start: *mut c_void, length: usize) -> Option<&'a [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: librdkafka gives pointer and length of one buffer; callers bind the lifetime to its owner.
    Some(unsafe { slice::from_raw_parts(start.cast::<u8>(), length) })
}
