//! A topic's id, which the safe wrapper does not tell.
#![expect(unsafe_code, reason = "calls into librdkafka that its safe wrapper does not offer")]

use std::ffi::{CString, c_char, c_int};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use uuid::Uuid;

use crate::LogError;

/// What the cluster says of a topic.
pub(super) struct Described {
    /// Its id, given when it was made.
    pub(super) id: Uuid,
    /// Number of partitions.
    pub(super) partitions: usize,
}

/// Asks the cluster for a topic's id; blocks at most so long.
pub(super) fn describe(client: *mut rd::rd_kafka_t, topic: &str, wait: Duration) -> Result<Described, LogError> {
    let name = CString::new(topic).map_err(|_| LogError::Invalid(format!("no topic can be called {topic:?}")))?;
    let millis = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
    let mut names: [*const c_char; 1] = [name.as_ptr()];
    // SAFETY: `client` is live. Queue, options, collection and event are made, used and destroyed here;
    // the request copies what it needs from options and collection before it returns.
    unsafe {
        let queue = rd::rd_kafka_queue_new(client);
        let options = rd::rd_kafka_AdminOptions_new(client, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        rd::rd_kafka_AdminOptions_set_request_timeout(options, millis, std::ptr::null_mut(), 0);
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        rd::rd_kafka_DescribeTopics(client, topics, options, queue);
        rd::rd_kafka_TopicCollection_destroy(topics);
        rd::rd_kafka_AdminOptions_destroy(options);
        let event = NonNull::new(rd::rd_kafka_queue_poll(queue, millis));
        let described = event.map_or_else(
            || Err(LogError::Unavailable(format!("no answer about topic {topic} within {wait:?}"))),
            |event| read(event, topic),
        );
        if let Some(event) = event {
            rd::rd_kafka_event_destroy(event.as_ptr());
        }
        rd::rd_kafka_queue_destroy(queue);
        described
    }
}

/// # Safety
/// The event is live.
unsafe fn read(event: NonNull<rd::rd_kafka_event_t>, topic: &str) -> Result<Described, LogError> {
    // SAFETY: the result and what hangs on it belong to the event and are only read while it lives.
    unsafe {
        let failed = RDKafkaErrorCode::from(rd::rd_kafka_event_error(event.as_ptr()));
        if failed != RDKafkaErrorCode::NoError {
            return Err(super::error::of_code(failed, topic));
        }
        let result = rd::rd_kafka_event_DescribeTopics_result(event.as_ptr());
        if result.is_null() {
            return Err(LogError::Unavailable(format!("the answer about topic {topic} is of another kind")));
        }
        let mut count = 0;
        let descriptions = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if count == 0 || descriptions.is_null() {
            return Err(LogError::NotFound(topic.to_owned()));
        }
        let description = *descriptions;
        let error = rd::rd_kafka_TopicDescription_error(description);
        if !error.is_null() {
            let code = RDKafkaErrorCode::from(rd::rd_kafka_error_code(error));
            if code != RDKafkaErrorCode::NoError {
                return Err(super::error::of_code(code, topic));
            }
        }
        let mut partitions = 0;
        rd::rd_kafka_TopicDescription_partitions(description, &raw mut partitions);
        let id = rd::rd_kafka_TopicDescription_topic_id(description);
        if id.is_null() {
            return Err(LogError::Invalid("the cluster gives its topics no ids; Kafka 2.8 or newer is needed".into()));
        }
        let high = rd::rd_kafka_Uuid_most_significant_bits(id).cast_unsigned();
        let low = rd::rd_kafka_Uuid_least_significant_bits(id).cast_unsigned();
        Ok(Described { id: Uuid::from_u64_pair(high, low), partitions })
    }
}
