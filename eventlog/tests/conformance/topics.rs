//! Topics and what becomes of old records.

use std::time::Duration;

use bytes::Bytes;
use eventlog::{Cleanup, LogError, NewRecord, ReadRequest, Stretch, TopicPartition, TopicState};

use super::world::{World, eventually, now_ms, numbered, numbers, spec, within};

const KEEP: Cleanup = Cleanup::Delete { retention: None };

pub async fn missing_topics_are_made_and_differences_are_told(world: &World) {
    let kept = spec(&world.name("kept"), 3, Cleanup::Delete { retention: Some(Duration::from_hours(24)) });
    let compacted = Cleanup::Compact { tombstones: Duration::from_hours(1), retention: None };
    let compacted = spec(&world.name("compacted"), 2, compacted);
    let specs = [kept.clone(), compacted];
    let states = |checks: Vec<eventlog::TopicCheck>| checks.into_iter().map(|check| check.state).collect::<Vec<_>>();

    assert!(matches!(world.log.topic(&kept.name).await, Err(LogError::NotFound(_))));
    assert_eq!(states(world.log.check_topics(&specs).await.unwrap()), [TopicState::Missing, TopicState::Missing]);
    assert_eq!(states(world.log.ensure_topics(&specs).await.unwrap()), [TopicState::Created, TopicState::Created]);
    assert_eq!(states(world.log.ensure_topics(&specs).await.unwrap()), [TopicState::Matches, TopicState::Matches]);
    assert_eq!(world.log.topic(&kept.name).await.unwrap().partitions, 3);

    let other = eventlog::TopicSpec {
        partitions: 4,
        cleanup: Cleanup::Delete { retention: Some(Duration::from_hours(48)) },
        max_message_bytes: 5 << 20,
        ..kept.clone()
    };
    let states = states(world.log.ensure_topics(&[other]).await.unwrap());
    let [TopicState::Differs(differences)] = &states[..] else { panic!("{states:?}") };
    assert_eq!(differences.len(), 3, "{differences:?}");
    let partitions = differences.iter().find(|difference| difference.contains("partitions")).unwrap();
    assert!(partitions.contains('3') && partitions.contains('4'), "{partitions}");
    assert_eq!(world.log.topic(&kept.name).await.unwrap().partitions, 3, "an existing topic is never changed");
}

pub async fn a_topic_made_again_has_another_identity(world: &World) {
    let spec = spec(&world.name("topic"), 1, KEEP);
    world.log.ensure_topics(std::slice::from_ref(&spec)).await.unwrap();
    let first = world.log.topic(&spec.name).await.unwrap();
    assert_eq!(world.log.topic(&spec.name).await.unwrap(), first);
    let log = world.subject.without(&spec.name).await;
    eventually(30, "the topic has gone", || async {
        matches!(log.topic(&spec.name).await, Err(LogError::NotFound(_)))
    })
    .await;
    log.ensure_topics(std::slice::from_ref(&spec)).await.unwrap();
    let second = log.topic(&spec.name).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(log.offsets(&TopicPartition::new(spec.name.as_str(), 0)).await.unwrap().high, 0);
}

pub async fn old_records_go_when_retention_is_over(world: &World) {
    let partition = cleaned(world).await;
    assert_eq!(numbers(&world.read_all(&partition).await), (10..20).collect::<Vec<_>>());
    assert_eq!(world.log.offsets(&partition).await.unwrap().high, 20, "offsets are never given out twice");
    world.fill(&partition, 20..21).await;
    assert_eq!(world.read_all(&partition).await.last().unwrap().offset, 20);
}

pub async fn what_was_cleaned_away_is_out_of_range(world: &World) {
    let partition = cleaned(world).await;
    for wanted in [0, 9, 21] {
        let stretches = vec![Stretch { partition: partition.clone(), from: wanted, until: None }];
        // It may be told at once or by the first batch.
        let outcome = match world.log.read(ReadRequest { stretches, read_committed: true }).await {
            Ok(mut reader) => within(30, reader.next()).await.map(drop),
            Err(error) => Err(error),
        };
        match outcome {
            Err(LogError::OutOfRange { wanted: told, low: 10, high: 20, .. }) => assert_eq!(told, wanted),
            other => panic!("{wanted}: {other:?}"),
        }
    }
    let (mut member, _) = world.join(World::member(&world.name("group"), "a", &partition.topic)).await;
    member.fetch_from(&partition, 9).unwrap();
    let told = within(30, member.next()).await;
    assert!(matches!(told, Err(LogError::OutOfRange { wanted: 9, low: 10, high: 20, .. })), "{told:?}");
}

/// A partition that had twenty records and of which the first ten are gone, being too old.
async fn cleaned(world: &World) -> TopicPartition {
    let spec = spec(&world.name("topic"), 1, Cleanup::Delete { retention: Some(Duration::from_hours(1)) });
    world.log.ensure_topics(std::slice::from_ref(&spec)).await.unwrap();
    let partition = TopicPartition::new(spec.name.as_str(), 0);
    let appender = world.appender().await;
    let aged = |number, age_ms| NewRecord { timestamp_ms: now_ms() - age_ms, ..numbered(&partition, number) };
    let old = (0..10).map(|n| aged(n, 7_200_000)).collect();
    within(30, appender.append(old).unwrap().kept()).await.unwrap();
    world.subject.hasten(&spec.name).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let young = (10..20).map(|n| aged(n, 60_000)).collect();
    within(30, appender.append(young).unwrap().kept()).await.unwrap();
    eventually(60, "the old records have gone", || async {
        world.subject.hasten(&spec.name).await;
        world.log.offsets(&partition).await.unwrap().low == 10
    })
    .await;
    partition
}

pub async fn compaction_keeps_the_newest_of_each_key(world: &World) {
    let cleanup = Cleanup::Compact { tombstones: Duration::from_hours(1), retention: None };
    let spec = spec(&world.name("topic"), 1, cleanup);
    world.log.ensure_topics(std::slice::from_ref(&spec)).await.unwrap();
    world.subject.hasten(&spec.name).await;
    let partition = TopicPartition::new(spec.name.as_str(), 0);
    let appender = world.appender().await;
    let keyed = |key: &str, number| NewRecord { key: Bytes::from(key.to_owned()), ..numbered(&partition, number) };
    for round in 0..5 {
        let mut records: Vec<_> = ["a", "b", "c"].iter().map(|key| keyed(key, round)).collect();
        if round == 3 {
            records.push(NewRecord { value: None, ..keyed("gone", round) });
        } else if round < 3 {
            records.push(keyed("gone", round));
        }
        within(30, appender.append(records).unwrap().kept()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // What was written last may stay as it is.
    within(30, appender.append(vec![keyed("last", 9)]).unwrap().kept()).await.unwrap();
    eventually(90, "only the newest of each key is left", || async {
        world.subject.hasten(&spec.name).await;
        let left = world.read_all(&partition).await;
        left.iter().filter(|record| record.value.is_some() && *record.key != *b"last").count() == 3
    })
    .await;
    let left = world.read_all(&partition).await;
    for record in &left {
        match &*record.key {
            b"gone" => assert_eq!(record.value, None, "the tombstone is still readable"),
            b"last" => assert_eq!(record.value.as_deref(), Some(b"9".as_slice())),
            _ => assert_eq!(record.value.as_deref(), Some(b"4".as_slice())),
        }
    }
    assert!(left.iter().any(|record| *record.key == *b"gone"), "a tombstone stays for its time");
}
