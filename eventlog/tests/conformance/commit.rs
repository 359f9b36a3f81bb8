//! Commits of outputs and offsets.

use std::sync::Arc;

use bytes::Bytes;
use eventlog::{Commit, CommitError, Committer, GroupOptions, LogError, TopicPartition};

use super::world::{World, numbered, numbers, within};

pub async fn outputs_and_offsets_are_committed_together(world: &World) {
    let (input, output) = (TopicPartition::new(world.topic(1).await, 0), TopicPartition::new(world.topic(2).await, 1));
    world.fill(&input, 0..10).await;
    let group = world.name("group");
    let (mut member, share) = world.join(World::member(&group, "a", &input.topic)).await;
    assert_eq!(share.len(), 1);
    assert_eq!(share[0].committed, None, "nothing has been committed yet");

    let committer = member.committer();
    for round in 0..5_u32 {
        let outputs = (0..3).map(|i| numbered(&output, round * 3 + i)).collect();
        let next = i64::from(round) * 2 + 2;
        commit(&committer, outputs, &input, next).await.unwrap();
        let told = world.log.committed(&group, std::slice::from_ref(&input)).await.unwrap();
        assert_eq!(told, [Some(next)]);
        let seen = numbers(&world.read_all(&output).await);
        assert_eq!(seen, (0..(round + 1) * 3).collect::<Vec<_>>());
    }
    member.fetch_from(&input, 0).unwrap();
    within(20, member.leave()).await.unwrap();

    let (_member, share) = world.join(World::member(&group, "b", &input.topic)).await;
    assert_eq!(share[0].committed, Some(10), "the next member goes on where the first one ended");
}

pub async fn what_was_aborted_is_never_seen(world: &World) {
    let (input, output) = (TopicPartition::new(world.topic(1).await, 0), TopicPartition::new(world.topic(1).await, 0));
    world.fill(&input, 0..10).await;
    let group = world.name("group");
    let (member, _) = world.join(World::member(&group, "a", &input.topic)).await;
    let committer = member.committer();
    let foreign = TopicPartition::new(world.topic(1).await, 0);

    commit(&committer, vec![numbered(&output, 1)], &input, 1).await.unwrap();
    // Of a partition that is not its own a member may commit nothing.
    let refused = commit(&committer, vec![numbered(&output, 2), numbered(&output, 3)], &foreign, 5).await;
    assert!(matches!(refused, Err(CommitError::Aborted(_))), "{refused:?}");
    commit(&committer, vec![numbered(&output, 4)], &input, 2).await.unwrap();

    assert_eq!(numbers(&world.read_all(&output).await), [1, 4]);
    let offsets = world.log.committed(&group, &[input, foreign]).await.unwrap();
    assert_eq!(offsets, [Some(2), None]);

    // However a reader cuts the partition: the ends are exact and the aborted is not there.
    let high = world.log.offsets(&output).await.unwrap().high;
    let mut seen = Vec::new();
    for from in 0..high {
        seen.extend(numbers(&world.read(&output, from, from + 1).await));
    }
    assert_eq!(seen, [1, 4]);
}

pub async fn a_refused_commit_leaves_no_trace(world: &World) {
    let (input, output) = (TopicPartition::new(world.topic(1).await, 0), TopicPartition::new(world.topic(1).await, 0));
    let group = world.name("group");
    let (member, _) = world.join(World::member(&group, "a", &input.topic)).await;
    let committer = member.committer();
    let mut large = numbered(&output, 2);
    // Every byte differs from the last, so that it stays too large when compressed.
    large.value =
        Some((0..3_000_000_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()).collect::<Bytes>());
    let refused = commit(&committer, vec![numbered(&output, 1), large], &input, 0).await;
    assert!(matches!(refused, Err(CommitError::Refused(_))), "{refused:?}");
    let stranger = TopicPartition { partition: 9, ..output.clone() };
    let refused = commit(&committer, vec![numbered(&output, 3), numbered(&stranger, 4)], &input, 0).await;
    assert!(matches!(refused, Err(CommitError::Refused(_))), "{refused:?}");
    commit(&committer, vec![numbered(&output, 5)], &input, 0).await.unwrap();
    assert_eq!(numbers(&world.read_all(&output).await), [5]);
}

pub async fn an_earlier_holder_of_a_name_is_refused(world: &World) {
    let (input, output) = (TopicPartition::new(world.topic(1).await, 0), TopicPartition::new(world.topic(1).await, 0));
    world.fill(&input, 0..4).await;
    let group = world.name("group");
    let (mut old, _) = world.join(World::member(&group, "same", &input.topic)).await;
    let stale = old.committer();
    commit(&stale, vec![numbered(&output, 1)], &input, 1).await.unwrap();

    let (new, share) = world.join(World::member(&group, "same", &input.topic)).await;
    assert_eq!(share[0].committed, Some(1));
    let refused = commit(&stale, vec![numbered(&output, 2)], &input, 2).await;
    assert!(matches!(refused, Err(CommitError::Fenced(_))), "{refused:?}");
    let again = commit(&stale, vec![numbered(&output, 3)], &input, 3).await;
    assert!(again.as_ref().is_err_and(CommitError::ends_membership), "{again:?}");
    commit(&new.committer(), vec![numbered(&output, 4)], &input, 4).await.unwrap();
    // It is told why, and not to try again: the two would throw each other out in turns.
    let told = within(60, async {
        loop {
            if let Err(told) = old.next().await {
                return told;
            }
        }
    });
    let told = told.await;
    assert!(matches!(told, LogError::Invalid(_)), "{told:?}");
    assert!(told.to_string().contains("same"), "{told}");

    assert_eq!(numbers(&world.read_all(&output).await), [1, 4]);
    assert_eq!(world.log.committed(&group, &[input]).await.unwrap(), [Some(4)]);
}

pub async fn a_member_that_is_not_transactional_commits_offsets(world: &World) {
    let input = TopicPartition::new(world.topic(1).await, 0);
    world.fill(&input, 0..4).await;
    let group = world.name("group");
    let options = GroupOptions { transactional: false, ..World::member(&group, "a", &input.topic) };
    let (member, _) = world.join(options).await;
    let committer = member.committer();
    commit(&committer, Vec::new(), &input, 3).await.unwrap();
    assert_eq!(world.log.committed(&group, std::slice::from_ref(&input)).await.unwrap(), [Some(3)]);
    let refused = commit(&committer, vec![numbered(&input, 9)], &input, 4).await;
    assert!(refused.is_err(), "it has no transactions to put outputs into");
    assert_eq!(world.read_all(&input).await.len(), 4);
}

/// Commits these outputs and the next offset of one input partition.
pub async fn commit(
    committer: &Arc<dyn Committer>,
    outputs: Vec<eventlog::NewRecord>,
    input: &TopicPartition,
    next: i64,
) -> Result<(), CommitError> {
    within(60, committer.commit(Commit { outputs, offsets: vec![(input.clone(), next)] })).await
}
