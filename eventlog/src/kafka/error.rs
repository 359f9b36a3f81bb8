//! What librdkafka's errors mean to the caller.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::{AbortCause, AppendError, LogError, OffsetRange, TopicPartition};

/// What to do about an error within a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same call may be made again.
    Retry,
    /// Abort the transaction; the producer lives on.
    Abort,
    /// The producer is done for: fenced, or nobody knows what happened.
    Fatal,
}

/// Judges an error of `send_offsets`, `commit` or `abort`.
///
/// A time-out is fatal: the request may yet take effect, on the transaction that comes after.
pub(super) fn judge(error: &KafkaError) -> Verdict {
    match error {
        KafkaError::Transaction(error) if error.is_fatal() || is_time_out(error.code()) => Verdict::Fatal,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Verdict::Abort,
        KafkaError::Transaction(error) if error.is_retriable() => Verdict::Retry,
        _ => Verdict::Fatal,
    }
}

/// What kind of thing aborts a transaction with this code.
pub(super) fn cause(code: Option<Code>) -> AbortCause {
    match code {
        Some(
            Code::IllegalGeneration
            | Code::RebalanceInProgress
            | Code::UnknownMemberId
            | Code::MemberIdRequired
            | Code::AssignmentLost,
        ) => AbortCause::Rebalance,
        Some(code) if is_time_out(code) => AbortCause::Delivery,
        _ => AbortCause::Other,
    }
}

/// Whether a call failed only because the cluster does not answer now.
pub(super) fn is_retriable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => !error.is_fatal() && (error.is_retriable() || is_time_out(error.code())),
        error => error.rdkafka_error_code().is_some_and(is_passing),
    }
}

/// What a failed look at the log means; `what` names the topic or partition that was looked at.
pub(super) fn of_call(error: &KafkaError, what: &str) -> LogError {
    match error {
        KafkaError::ClientConfig(_, reason, key, value) => {
            LogError::Invalid(format!("the Kafka setting {key}={value} is refused: {reason}"))
        }
        KafkaError::ClientCreation(reason) => LogError::Invalid(format!("the Kafka client cannot be made: {reason}")),
        error => match error.rdkafka_error_code() {
            Some(code) => of_code(code, what),
            None => LogError::Unavailable(format!("{what}: {error}")),
        },
    }
}

/// What an error code means for a look at `what`.
pub(super) fn of_code(code: Code, what: &str) -> LogError {
    match code {
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            LogError::NotFound(what.to_owned())
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => {
            LogError::Invalid(format!("the credentials do not allow this on {what}: {code}; grant it with kafka-acls"))
        }
        Code::Authentication | Code::SaslAuthenticationFailed => {
            LogError::Invalid(format!("the cluster refuses the credentials: {code}"))
        }
        Code::InvalidTopic | Code::InvalidPartitions | Code::InvalidReplicationFactor | Code::InvalidConfig => {
            LogError::Invalid(format!("{what}: {code}"))
        }
        code => LogError::Unavailable(format!("{what}: {code}")),
    }
}

/// What it means that a record was not acknowledged.
pub(super) fn of_delivery(error: &KafkaError, possibly_written: bool) -> AppendError {
    let code = error.rdkafka_error_code();
    if code.is_some_and(is_refusal) {
        AppendError::Refused(error.to_string())
    } else if possibly_written {
        AppendError::Unknown(error.to_string())
    } else {
        AppendError::Unavailable(error.to_string())
    }
}

/// Whether the log will never take the record, however often it is sent.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::UnknownPartition
            | Code::UnknownTopic
            | Code::InvalidTopic
            | Code::TopicAuthorizationFailed
            | Code::InvalidArgument
    )
}

/// Whether another broker, or the same one a moment later, may know better: news of a topic and of its
/// leaders take their time.
pub(super) fn is_hearsay(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::LeaderNotAvailable
    )
}

/// Whether the group no longer knows this member under its name and generation, for good.
pub(super) fn is_fenced(code: Code) -> bool {
    matches!(code, Code::FencedInstanceId | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::Fenced)
}

/// So long after a member's session was lost, commits of offsets may still arrive that it sent before.
const AWAKE: Duration = Duration::from_secs(30);

/// Who holds the name of a member that the group no longer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The member itself, which has joined anew since: what it had said before only arrives now.
    Itself,
    /// Another process.
    Another,
}

/// Who fenced a member, by librdkafka's words and the time since its session was lost; none where nobody did.
pub(super) fn fenced_by(code: Code, text: &str, since_lost: Option<Duration>) -> Option<Holder> {
    let woke_up = since_lost.is_some_and(|since| since < AWAKE);
    // Joining and syncing fail by other words.
    let late_commit = woke_up && text.contains("OffsetCommit");
    is_fenced(code).then_some(if late_commit { Holder::Itself } else { Holder::Another })
}

/// A partition does not hold the offset that was asked for.
pub(super) fn out_of_range(partition: &TopicPartition, range: OffsetRange, wanted: i64) -> LogError {
    LogError::OutOfRange {
        topic: partition.topic.to_string(),
        partition: partition.partition,
        wanted,
        low: range.low,
        high: range.high,
    }
}

/// What a caller may be told when time is up.
pub(super) fn late(what: &str, waited: Duration) -> LogError {
    LogError::Unavailable(format!("{what}: no answer within {waited:?}"))
}

fn is_time_out(code: Code) -> bool {
    matches!(code, Code::OperationTimedOut | Code::RequestTimedOut | Code::TimedOutQueue | Code::MessageTimedOut)
}

fn is_passing(code: Code) -> bool {
    is_time_out(code)
        || matches!(
            code,
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::WaitingForCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::UnstableOffsetCommit
                | Code::RebalanceInProgress
                | Code::WaitCache
                | Code::InProgress
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As librdkafka says it of an offset commit, and of a heartbeat or a join.
    const COMMIT: &str = "OffsetCommit failed: Broker: Static consumer fenced by other consumer with \
                          same group.instance.id";
    const JOIN: &str =
        "Fatal consumer error: Broker: Static consumer fenced by other consumer with same group.instance.id";

    #[test]
    fn a_member_that_woke_up_is_not_taken_for_another_by_what_it_committed_before() {
        let soon = Some(Duration::from_secs(2));
        assert_eq!(fenced_by(Code::FencedInstanceId, COMMIT, soon), Some(Holder::Itself));
        for (text, since_lost) in [(COMMIT, None), (COMMIT, Some(AWAKE)), (JOIN, soon), (JOIN, None)] {
            assert_eq!(fenced_by(Code::FencedInstanceId, text, since_lost), Some(Holder::Another), "{text}");
        }
        assert_eq!(fenced_by(Code::IllegalGeneration, COMMIT, soon), None);
    }
}
