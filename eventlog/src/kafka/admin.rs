//! Topics: made as specified, or compared with what is specified.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::asked;
use super::error;
use super::observer::{CALL, Observer};
use crate::{Cleanup, LogError, TopicCheck, TopicSpec, TopicState};

/// Retention works on whole segments: a quarter of it makes a segment, but never less than this.
const SHORTEST_SEGMENT: Duration = Duration::from_mins(1);
/// How long a segment stays open by Kafka's default.
const KAFKAS_SEGMENT: Duration = Duration::from_hours(7 * 24);
/// Age and size of a compacted topic's segments.
const COMPACTED_SEGMENT: Duration = Duration::from_hours(6);
const COMPACTED_SEGMENT_BYTES: usize = 64 << 20;

/// Makes the topics that are missing.
pub(super) async fn ensure(observer: &Arc<Observer>, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
    let mut checks = check(observer, specs).await?;
    for (spec, check) in specs.iter().zip(&mut checks) {
        if check.state == TopicState::Missing {
            check.state = create(observer, spec).await?;
        }
    }
    Ok(checks)
}

/// Compares topics with their specs.
pub(super) async fn check(observer: &Arc<Observer>, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
    let mut checks = Vec::with_capacity(specs.len());
    for spec in specs {
        let state = check_one(observer, spec).await?;
        checks.push(TopicCheck { name: spec.name.clone(), state });
    }
    Ok(checks)
}

async fn check_one(observer: &Arc<Observer>, spec: &TopicSpec) -> Result<TopicState, LogError> {
    let name = spec.name.clone();
    let found = asked(observer, move |observer| Ok((observer.topic(&name)?, observer.replication(&name)?))).await;
    let (info, replication) = match found {
        Ok(found) => found,
        Err(LogError::NotFound(_)) => return Ok(TopicState::Missing),
        Err(error) => return Err(error),
    };
    let mut differences = Vec::new();
    let mut compare = |what: &str, is: &str, should: &str| {
        if is != should {
            differences.push(format!("{what} is {is} and should be {should}"));
        }
    };
    compare("the number of partitions", &info.partitions.to_string(), &spec.partitions.to_string());
    compare("the replication factor", &replication.to_string(), &spec.replication.to_string());
    let config = settings(observer, &spec.name).await?;
    for (name, should) in settings_of(spec) {
        let is = config.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or("unset");
        compare(name, is, &should);
    }
    Ok(if differences.is_empty() { TopicState::Matches } else { TopicState::Differs(differences) })
}

async fn settings(observer: &Observer, topic: &str) -> Result<ConfigResource, LogError> {
    let options = AdminOptions::new().request_timeout(Some(CALL));
    let described = observer.admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options).await;
    match described.map_err(|failed| error::of_call(&failed, topic))?.pop() {
        Some(Ok(config)) => Ok(config),
        Some(Err(code)) => Err(error::of_code(code, topic)),
        None => Err(LogError::Unavailable(format!("no answer about the settings of topic {topic}"))),
    }
}

async fn create(observer: &Arc<Observer>, spec: &TopicSpec) -> Result<TopicState, LogError> {
    let settings = settings_of(spec);
    let segments = segments_of(spec);
    let mut topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(spec.replication));
    for (name, value) in &settings {
        topic = topic.set(name, value);
    }
    for (name, value) in &segments {
        topic = topic.set(name, value);
    }
    let options = AdminOptions::new().request_timeout(Some(CALL)).operation_timeout(Some(CALL));
    let made = observer.admin.create_topics([&topic], &options).await;
    match made.map_err(|failed| error::of_call(&failed, &spec.name))?.pop() {
        Some(Ok(_)) => {}
        // Another process was quicker: it is as it made it.
        Some(Err((_, Code::TopicAlreadyExists))) => return check_one(observer, spec).await,
        Some(Err((name, code))) => return Err(not_made(&name, code, spec)),
        None => return Err(LogError::Unavailable(format!("no answer to the making of topic {}", spec.name))),
    }
    settled(observer, &spec.name).await?;
    Ok(TopicState::Created)
}

/// A topic is known to the brokers a moment after it has been made.
async fn settled(observer: &Arc<Observer>, topic: &str) -> Result<(), LogError> {
    let mut tries = 0;
    loop {
        let name = topic.to_owned();
        let found = asked(observer, move |observer| {
            let info = observer.topic(&name)?;
            (0..info.partitions).try_for_each(|partition| {
                observer.range(&crate::TopicPartition::new(name.as_str(), partition), CALL).map(drop)
            })
        });
        match found.await {
            Ok(()) => return Ok(()),
            Err(error) if tries >= 100 => return Err(error),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn not_made(name: &str, code: Code, spec: &TopicSpec) -> LogError {
    match code {
        Code::InvalidReplicationFactor => LogError::Invalid(format!(
            "topic {name} cannot have {} copies: the cluster has fewer brokers; lower the replication factor",
            spec.replication
        )),
        code => error::of_code(code, &format!("topic {name}")),
    }
}

/// A topic's settings by Kafka's names.
fn settings_of(spec: &TopicSpec) -> Vec<(&'static str, String)> {
    let millis = |age: Option<Duration>| age.map_or_else(|| "-1".to_owned(), |age| age.as_millis().to_string());
    // An acknowledgement means all in-sync replicas: with three copies, two must be in sync.
    let in_sync = if spec.replication >= 3 { 2 } else { 1 };
    let mut settings = vec![
        ("max.message.bytes", spec.max_message_bytes.to_string()),
        ("min.insync.replicas", in_sync.to_string()),
        ("message.timestamp.type", "CreateTime".to_owned()),
    ];
    match spec.cleanup {
        Cleanup::Delete { retention } => {
            settings.push(("cleanup.policy", "delete".into()));
            settings.push(("retention.ms", millis(retention)));
        }
        Cleanup::Compact { tombstones, retention } => {
            let policy = if retention.is_some() { "compact,delete" } else { "compact" };
            settings.push(("cleanup.policy", policy.into()));
            settings.push(("delete.retention.ms", tombstones.as_millis().to_string()));
            if retention.is_some() {
                settings.push(("retention.ms", millis(retention)));
            }
        }
    }
    settings
}

/// When a new segment is begun, by Kafka's names: nothing is dropped or compacted before its segment has
/// been closed, and Kafka's own week and gigabyte are too much for what a restore has to read.
fn segments_of(spec: &TopicSpec) -> Vec<(&'static str, String)> {
    let (age, bytes) = match spec.cleanup {
        Cleanup::Delete { retention } => (retention.map(|retention| retention / 4), None),
        Cleanup::Compact { retention, .. } => {
            let quarter = retention.map_or(COMPACTED_SEGMENT, |retention| retention / 4);
            (Some(quarter.min(COMPACTED_SEGMENT)), Some(COMPACTED_SEGMENT_BYTES))
        }
    };
    let age = age.map(|age| age.max(SHORTEST_SEGMENT)).filter(|age| *age < KAFKAS_SEGMENT);
    let age = age.map(|age| ("segment.ms", age.as_millis().to_string()));
    age.into_iter().chain(bytes.map(|bytes| ("segment.bytes", bytes.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(cleanup: Cleanup, replication: i32) -> TopicSpec {
        TopicSpec { name: "t".into(), partitions: 1, replication, cleanup, max_message_bytes: 1 }
    }

    #[test]
    fn three_copies_ask_for_two_in_sync() {
        let keep = Cleanup::Delete { retention: None };
        assert!(settings_of(&spec(keep, 3)).contains(&("min.insync.replicas", "2".into())));
        assert!(settings_of(&spec(keep, 1)).contains(&("min.insync.replicas", "1".into())));
    }

    #[test]
    fn a_day_of_retention_closes_segments_every_six_hours() {
        let day = Cleanup::Delete { retention: Some(Duration::from_hours(24)) };
        assert_eq!(segments_of(&spec(day, 1)), [("segment.ms", "21600000".into())]);
        assert_eq!(segments_of(&spec(Cleanup::Delete { retention: None }, 1)), []);
        let compacted = Cleanup::Compact { tombstones: Duration::from_mins(1), retention: None };
        let segments = [("segment.ms", "21600000".into()), ("segment.bytes", "67108864".into())];
        assert_eq!(segments_of(&spec(compacted, 1)), segments);
    }

    #[test]
    fn a_compacted_topic_without_retention_keeps_for_ever() {
        let compacted = Cleanup::Compact { tombstones: Duration::from_mins(1), retention: None };
        let settings = settings_of(&spec(compacted, 1));
        assert!(settings.contains(&("cleanup.policy", "compact".into())));
        assert!(settings.contains(&("delete.retention.ms", "60000".into())));
    }
}
