//! Members of a group and what they read.

use std::time::Duration;

use eventlog::{Commit, GroupEvent, LogError, Membership, TopicPartition};
use futures_util::FutureExt as _;

use super::world::{World, numbered, numbers, within};

pub async fn nothing_is_read_before_its_start_is_named(world: &World) {
    let topic = world.topic(2).await;
    let (first, second) = (TopicPartition::new(topic.as_str(), 0), TopicPartition::new(topic.as_str(), 1));
    world.fill(&first, 0..100).await;
    world.fill(&second, 100..200).await;
    let (mut member, share) = world.join(World::member(&world.name("group"), "a", &topic)).await;
    assert_eq!(share.len(), 2);
    let early = tokio::time::timeout(Duration::from_secs(1), member.next()).await;
    assert!(early.is_err(), "{early:?}");

    member.fetch_from(&second, 50).unwrap();
    let (read, position) = until_caught_up(&mut *member, &second).await;
    assert_eq!(read, (150..200).collect::<Vec<_>>());
    assert_eq!(position, 100);

    let stranger = TopicPartition { partition: 2, ..second };
    assert!(matches!(member.fetch_from(&stranger, 0), Err(LogError::NotFound(_))), "it is not this member's");
}

pub async fn a_move_drops_what_was_read_before(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    world.fill(&partition, 0..20_000).await;
    let (mut member, _) = world.join(World::member(&world.name("group"), "a", &partition.topic)).await;
    for start in [0_u32, 15_000, 3, 19_990, 10_000, 0] {
        member.fetch_from(&partition, i64::from(start)).unwrap();
        // Let some be read and wait, then take one batch only.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let event = within(30, member.next()).await.unwrap();
        let GroupEvent::Records(batch) = event else { panic!("{event:?}") };
        assert_eq!(numbers(&batch.records)[0], start);
        assert_eq!(batch.records[0].offset, i64::from(start));
    }
    member.fetch_from(&partition, 7).unwrap();
    let (read, _) = until_caught_up(&mut *member, &partition).await;
    assert_eq!(read, (7..20_000).collect::<Vec<_>>());
}

pub async fn caught_up_is_told_on_an_empty_partition_and_again(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let (mut member, _) = world.join(World::member(&world.name("group"), "a", &partition.topic)).await;
    member.fetch_from(&partition, 0).unwrap();
    assert_eq!(until_caught_up(&mut *member, &partition).await, (vec![], 0));
    for round in 0..3 {
        world.fill(&partition, round * 10..round * 10 + 10).await;
        let (read, position) = until_caught_up_at(&mut *member, &partition, i64::from(round + 1) * 10).await;
        assert_eq!(read, (round * 10..round * 10 + 10).collect::<Vec<_>>());
        assert_eq!(position, i64::from(round + 1) * 10);
    }
}

pub async fn many_empty_partitions_are_told_without_a_pause_between_them(world: &World) {
    const PARTITIONS: i32 = 40;
    let topic = world.topic(PARTITIONS).await;
    let (mut member, share) = world.join(World::member(&world.name("group"), "a", &topic)).await;
    for assignment in &share {
        member.fetch_from(&assignment.partition, 0).unwrap();
    }
    let mut told = std::collections::BTreeSet::new();
    within(20, async {
        while told.len() < share.len() {
            match member.next().await.unwrap() {
                GroupEvent::CaughtUp { partition, position: 0 } => drop(told.insert(partition)),
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

pub async fn caught_up_lies_behind_markers(world: &World) {
    let (input, output) = (TopicPartition::new(world.topic(1).await, 0), TopicPartition::new(world.topic(1).await, 0));
    let (writer, _) = world.join(World::member(&world.name("group"), "a", &input.topic)).await;
    let commit = async |outputs| {
        within(30, writer.committer().commit(Commit { outputs, offsets: vec![] })).await.unwrap();
    };
    for round in 0..5 {
        commit(vec![numbered(&output, round)]).await;
    }
    // A commit is told once it is decided; its markers may come a moment later. A further one can begin
    // only when they stand.
    commit(vec![numbered(&input, 0)]).await;
    let high = world.log.offsets(&output).await.unwrap().high;
    let (mut member, _) = world.join(World::member(&world.name("group"), "a", &output.topic)).await;
    member.fetch_from(&output, 0).unwrap();
    let (read, position) = until_caught_up_at(&mut *member, &output, high).await;
    assert_eq!(read, [0, 1, 2, 3, 4]);
    assert_eq!(position, high, "the last marker has been passed");
}

pub async fn a_member_without_a_share_learns_that_it_has_joined(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let group = world.name("group");
    let (_owner, share) = world.join(World::member(&group, "a", &partition.topic)).await;
    assert_eq!(share.len(), 1);
    let (_spare, share) = world.join(World::member(&group, "b", &partition.topic)).await;
    assert_eq!(share, []);
}

pub async fn a_slow_member_stays_and_misses_nothing(world: &World) {
    const COUNT: u32 = 30_000;
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let appender = world.appender().await;
    // 60 MB: more than waits for a member at any time.
    for chunk in 0..COUNT / 1_000 {
        let large = |n| {
            let mut record = numbered(&partition, n);
            record.headers = eventlog::Headers::from_pairs([("padding", [b'x'; 2_000].as_slice())]);
            record
        };
        let request = (chunk * 1_000..(chunk + 1) * 1_000).map(large).collect();
        within(60, appender.append(request).unwrap().kept()).await.unwrap();
    }
    let group = world.name("group");
    let (mut member, _) = world.join(World::member(&group, "a", &partition.topic)).await;
    member.fetch_from(&partition, 0).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Not taking what was read does not hinder a commit.
    let commit = Commit { outputs: vec![], offsets: vec![(partition.clone(), 0)] };
    within(10, member.committer().commit(commit)).await.unwrap();
    let (read, _) = until_caught_up(&mut *member, &partition).await;
    assert_eq!(read, (0..COUNT).collect::<Vec<_>>());
}

pub async fn who_asks_in_snatches_gets_on_and_misses_nothing(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    world.fill(&partition, 0..5_000).await;
    let options = World::member(&world.name("group"), "a", &partition.topic);
    let mut member = within(30, world.log.join(options)).await.unwrap();
    let (mut read, mut joined) = (Vec::new(), false);
    within(60, async {
        while read.len() < 5_000 {
            match member.next().now_or_never().map(Result::unwrap) {
                None => tokio::time::sleep(Duration::from_millis(1)).await,
                Some(GroupEvent::Assigned(share)) if share.is_empty() => {}
                Some(GroupEvent::Assigned(_)) => {
                    assert!(!std::mem::replace(&mut joined, true), "it gets its share once");
                    member.fetch_from(&partition, 0).unwrap();
                }
                Some(GroupEvent::Records(batch)) => read.extend(numbers(&batch.records)),
                Some(GroupEvent::CaughtUp { .. }) => {}
                Some(other) => panic!("{other:?}"),
            }
        }
    })
    .await;
    assert_eq!(read, (0..5_000).collect::<Vec<_>>());
}

pub async fn a_start_beyond_the_end_is_out_of_range(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    world.fill(&partition, 0..10).await;
    let (mut member, _) = world.join(World::member(&world.name("group"), "a", &partition.topic)).await;
    member.fetch_from(&partition, 11).unwrap();
    match within(30, member.next()).await {
        Err(LogError::OutOfRange { wanted: 11, low: 0, high: 10, .. }) => {}
        other => panic!("{other:?}"),
    }
    // It is no end of the membership: another start will do.
    member.fetch_from(&partition, 9).unwrap();
    assert_eq!(until_caught_up(&mut *member, &partition).await, (vec![9], 10));
}

/// What a member reads of a partition until it has caught up, and where that is.
pub async fn until_caught_up(member: &mut dyn Membership, of: &TopicPartition) -> (Vec<u32>, i64) {
    until_caught_up_at(member, of, 0).await
}

/// The same, where the partition's end may be told on the way: until it lies at `at_least`.
async fn until_caught_up_at(member: &mut dyn Membership, of: &TopicPartition, at_least: i64) -> (Vec<u32>, i64) {
    within(60, async {
        let mut read = Vec::new();
        loop {
            match member.next().await.unwrap() {
                GroupEvent::Records(batch) => {
                    assert_eq!(batch.partition, *of);
                    assert!(batch.records.last().is_none_or(|last| last.offset < batch.next_offset));
                    read.extend(numbers(&batch.records));
                }
                GroupEvent::CaughtUp { partition, position } if position >= at_least => {
                    assert_eq!(partition, *of);
                    return (read, position);
                }
                GroupEvent::CaughtUp { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await
}
