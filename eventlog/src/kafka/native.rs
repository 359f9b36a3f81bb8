//! The few calls into librdkafka that the safe wrapper leaves out.
//!
//! The wrapper's poll tells of a partition's end without its topic and its offset, and it makes a
//! reference count for each message. Both matter here: an end's offset is the only way to know that
//! markers and aborted records have been passed. So this module takes events from a consumer's queue
//! itself. All unsafe code of this crate is here, in [`super::message`], in [`super::sender`] and in
//! [`super::topic_id`].
#![expect(unsafe_code, reason = "calls into librdkafka that its safe wrapper does not offer")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;

use super::message::Message;
use crate::TopicPartition;

/// The queue on which a consumer receives all its events.
///
/// Must not outlive its client: whoever makes one keeps the client beside it.
pub(super) struct EventQueue(NonNull<rd::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues are guarded by a mutex of their own.
unsafe impl Send for EventQueue {}
// SAFETY: as above.
unsafe impl Sync for EventQueue {}

impl EventQueue {
    /// The queue of a consumer that has a `group.id`.
    pub(super) fn of_consumer(client: *mut rd::rd_kafka_t) -> Option<Self> {
        // SAFETY: `client` comes from a live client; the call returns a reference of our own or null.
        NonNull::new(unsafe { rd::rd_kafka_queue_get_consumer(client) }).map(Self)
    }

    /// The queue on which any other client receives its own.
    pub(super) fn of_client(client: *mut rd::rd_kafka_t) -> Option<Self> {
        // SAFETY: as in `of_consumer`.
        NonNull::new(unsafe { rd::rd_kafka_queue_get_main(client) }).map(Self)
    }

    /// The next event, waiting at most so long.
    pub(super) fn poll(&self, wait: Duration) -> Option<RawEvent> {
        let millis = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the queue is live; the event returned is ours to destroy.
        NonNull::new(unsafe { rd::rd_kafka_queue_poll(self.0.as_ptr(), millis) }).map(RawEvent)
    }

    /// Commits offsets for the group; the outcome comes as an event. The wrapper's own asynchronous
    /// commit tells nobody of it.
    pub(super) fn commit(&self, client: *mut rd::rd_kafka_t, offsets: &TopicPartitionList) -> RDKafkaErrorCode {
        // SAFETY: client, list and queue are live; the list is copied; without a callback there is
        // nothing that its opaque pointer could be needed for.
        RDKafkaErrorCode::from(unsafe {
            rd::rd_kafka_commit_queue(client, offsets.ptr(), self.0.as_ptr(), None, ptr::null_mut())
        })
    }

    /// Makes a poll under way, or the next one, return at once.
    pub(super) fn wake(&self) {
        // SAFETY: the queue is live.
        unsafe { rd::rd_kafka_queue_yield(self.0.as_ptr()) }
    }
}

impl Drop for EventQueue {
    fn drop(&mut self) {
        // SAFETY: gives back the reference taken in `of_consumer` or `of_client`.
        unsafe { rd::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// An event, owned; [`RawEvent::read`] says what it is.
pub(super) struct RawEvent(NonNull<rd::rd_kafka_event_t>);

impl Drop for RawEvent {
    fn drop(&mut self) {
        // SAFETY: we own the event and nothing read from it outlives it.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// What an event says.
pub(super) enum Event<'a> {
    /// A record.
    Message(Message<'a>),
    /// Everything visible of a partition up to this offset has been delivered.
    End { partition: TopicPartition, offset: i64 },
    /// A group's share: new partitions.
    Assign(Vec<TopicPartition>),
    /// A group's share: partitions that go.
    Revoke(Vec<TopicPartition>),
    /// Something failed; of one partition at an offset, or of the whole client.
    Error { code: RDKafkaErrorCode, fatal: bool, text: String, partition: Option<(TopicPartition, i64)> },
    /// Records that were sent have their outcomes.
    Delivered(Reports<'a>),
    /// Offsets were committed, or not.
    Committed(Result<(), RDKafkaErrorCode>),
    /// A line for the log, with its syslog level.
    Log { level: i32, facility: String, text: String },
    /// Something that nobody asked for.
    Other,
}

impl RawEvent {
    /// What it says; to be called once, since reading a message takes it off the event.
    pub(super) fn read(&self) -> Event<'_> {
        let event = self.0.as_ptr();
        // SAFETY: the event is live for all calls below, and each accessor is the one for its type.
        match unsafe { rd::rd_kafka_event_type(event) } {
            rd::RD_KAFKA_EVENT_FETCH => NonNull::new(unsafe { rd::rd_kafka_event_message_next(event) }.cast_mut())
                .map_or(Event::Other, |raw| Event::Message(Message::of_event(raw))),
            rd::RD_KAFKA_EVENT_DR => Event::Delivered(Reports(self)),
            rd::RD_KAFKA_EVENT_ERROR => self.read_error(),
            rd::RD_KAFKA_EVENT_REBALANCE => {
                let partitions = self.partition_list();
                match unsafe { rd::rd_kafka_event_error(event) } {
                    rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Event::Assign(partitions),
                    _ => Event::Revoke(partitions),
                }
            }
            rd::RD_KAFKA_EVENT_OFFSET_COMMIT => {
                let code = RDKafkaErrorCode::from(unsafe { rd::rd_kafka_event_error(event) });
                Event::Committed(if code == RDKafkaErrorCode::NoError { Ok(()) } else { Err(code) })
            }
            rd::RD_KAFKA_EVENT_LOG => self.read_log(),
            _ => Event::Other,
        }
    }

    fn read_error(&self) -> Event<'_> {
        let event = self.0.as_ptr();
        // SAFETY: the event is live and of type ERROR.
        let code = RDKafkaErrorCode::from(unsafe { rd::rd_kafka_event_error(event) });
        let fatal = unsafe { rd::rd_kafka_event_error_is_fatal(event) } != 0;
        let text = text(unsafe { rd::rd_kafka_event_error_string(event) });
        // SAFETY: returns null or a copy that is ours to destroy.
        let raw = unsafe { rd::rd_kafka_event_topic_partition(event) };
        let partition = NonNull::new(raw).map(|raw| {
            // SAFETY: a live, filled element; read before it is destroyed.
            let read = unsafe { (read_partition(raw.as_ref()), raw.as_ref().offset) };
            unsafe { rd::rd_kafka_topic_partition_destroy(raw.as_ptr()) };
            read
        });
        match (code, partition) {
            (RDKafkaErrorCode::PartitionEOF, Some((partition, offset))) => Event::End { partition, offset },
            (code, partition) => Event::Error { code, fatal, text, partition },
        }
    }

    fn partition_list(&self) -> Vec<TopicPartition> {
        // SAFETY: of type REBALANCE; the list belongs to the event and is only read.
        let list = unsafe { rd::rd_kafka_event_topic_partition_list(self.0.as_ptr()) };
        // SAFETY: null or a live list.
        let Some(list) = (unsafe { list.as_ref() }) else { return Vec::new() };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        if count == 0 || list.elems.is_null() {
            return Vec::new();
        }
        // SAFETY: `elems` holds `cnt` elements.
        let elements = unsafe { slice::from_raw_parts(list.elems, count) };
        elements.iter().map(|element| unsafe { read_partition(element) }).collect()
    }

    fn read_log(&self) -> Event<'_> {
        let (mut facility, mut line): (*const c_char, *const c_char) = (ptr::null(), ptr::null());
        let mut level = 0;
        // SAFETY: of type LOG; fills the three out-parameters, which live as long as the event.
        if unsafe { rd::rd_kafka_event_log(self.0.as_ptr(), &raw mut facility, &raw mut line, &raw mut level) } != 0 {
            return Event::Other;
        }
        Event::Log { level, facility: text(facility), text: text(line) }
    }
}

/// The delivery reports of one event.
pub(super) struct Reports<'a>(&'a RawEvent);

impl<'a> Iterator for Reports<'a> {
    type Item = Report<'a>;

    fn next(&mut self) -> Option<Report<'a>> {
        // SAFETY: the event is live and of type DR; its messages live as long as it does.
        let raw = unsafe { rd::rd_kafka_event_message_next(self.0.0.as_ptr()) };
        // SAFETY: null or a message of the event.
        unsafe { raw.as_ref() }.map(Report)
    }
}

/// What became of one record.
pub(super) struct Report<'a>(&'a rd::rd_kafka_message_t);

impl Report<'_> {
    /// Its offset, or why it was not acknowledged.
    pub(super) fn outcome(&self) -> Result<i64, RDKafkaErrorCode> {
        match RDKafkaErrorCode::from(self.0.err) {
            RDKafkaErrorCode::NoError => Ok(self.0.offset),
            code => Err(code),
        }
    }

    /// Whether a record that was not acknowledged may have been written all the same.
    pub(super) fn possibly_written(&self) -> bool {
        // SAFETY: the message is live.
        let status = unsafe { rd::rd_kafka_message_status(self.0) };
        status != rd::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
    }

    /// What went out with it.
    pub(super) fn opaque(&self) -> *mut c_void {
        self.0._private
    }
}

/// The generation in which a consumer is a member of its group; negative when it is none.
pub(super) fn generation(client: *mut rd::rd_kafka_t) -> i32 {
    // SAFETY: `client` is a live consumer; the metadata is ours to destroy.
    unsafe {
        let metadata = rd::rd_kafka_consumer_group_metadata(client);
        if metadata.is_null() {
            return -1;
        }
        let generation = rd::rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd::rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    }
}

/// Whether a consumer is known to its group at all.
pub(super) fn is_member(client: *mut rd::rd_kafka_t) -> bool {
    // SAFETY: `client` is a live consumer; the metadata is ours to destroy and the id part of it.
    unsafe {
        let metadata = rd::rd_kafka_consumer_group_metadata(client);
        if metadata.is_null() {
            return false;
        }
        let id = rd::rd_kafka_consumer_group_metadata_member_id(metadata);
        let known = !id.is_null() && *id != 0;
        rd::rd_kafka_consumer_group_metadata_destroy(metadata);
        known
    }
}

/// # Safety
/// The element's topic is a live C string.
unsafe fn read_partition(element: &rd::rd_kafka_topic_partition_t) -> TopicPartition {
    TopicPartition::new(text(element.topic), element.partition)
}

/// A copy of one of librdkafka's strings.
pub(super) fn text(raw: *const c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka's strings end with a zero and live as long as what they were read from.
    unsafe { CStr::from_ptr(raw) }.to_string_lossy().into_owned()
}
