//! What librdkafka's clients tell of themselves: log lines, errors, rebalances while closing.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

/// Passes log lines on.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // What matters of it comes back from the call that failed, too.
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ConsumerContext for LogContext {}

/// A member's context. While the member lives its thread takes rebalances from the queue itself;
/// this is for the last one, which comes while the consumer is being closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemberContext;

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let done = match RDKafkaErrorCode::from(kind) {
            RDKafkaErrorCode::AssignPartitions => consumer.incremental_assign(partitions),
            _ => consumer.incremental_unassign(partitions),
        };
        if let Err(error) = done {
            tracing::warn!(%error, "a rebalance failed while the consumer was closing");
        }
    }
}

/// Writes what a consumer complains of and gets over by itself. A broker that does not answer is told by
/// librdkafka's own lines, which leave out what repeats; this would come with every attempt to connect.
pub(super) fn complaint(code: RDKafkaErrorCode, text: &str) {
    match code {
        RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve => {
            tracing::debug!(target: "librdkafka", %code, "{text}");
        }
        _ => tracing::warn!(target: "librdkafka", %code, "{text}"),
    }
}

/// Writes one of librdkafka's log lines; `level` is syslog's.
pub(super) fn log(level: i32, facility: &str, line: &str) {
    match level {
        ..=3 => tracing::error!(target: "librdkafka", facility, "{line}"),
        4 => tracing::warn!(target: "librdkafka", facility, "{line}"),
        5 | 6 => tracing::info!(target: "librdkafka", facility, "{line}"),
        _ => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}
