//! Groups: assignment, hand-over, commits, fencing.

use super::*;
use crate::{Commit, CommitError};

#[tokio::test]
async fn a_commit_moves_outputs_and_offsets_together() {
    let world = World::with_partitions(2).await;
    append(&world.log, vec![record(0, "a", "1", 1), record(0, "b", "2", 2)]).await;
    let mut member = join(&world.log, "one").await;
    assert_eq!(assigned(&mut member).await.len(), 2);
    let batch = next_batch(&mut member).await;
    assert_eq!(values(&batch.records), ["1", "2"]);
    let commit = Commit { outputs: vec![record(1, "out", "3", 3)], offsets: vec![(at(0), batch.next_offset)] };
    member.committer().commit(commit).await.unwrap();
    assert_eq!(world.log.committed("g", &[at(0), at(1)]).await.unwrap(), [Some(2), None]);
    assert_eq!(values(&read_all(&world.log, 1).await), ["3"]);
    member.leave().await.unwrap();
    let mut next = join(&world.log, "two").await;
    let assignments = assigned(&mut next).await;
    let committed: Vec<_> = assignments.iter().map(|a| (a.partition.partition, a.committed)).collect();
    assert_eq!(committed, [(0, Some(2)), (1, None)]);
}

#[tokio::test]
async fn being_caught_up_is_told_once_and_again_after_news() {
    let world = World::with_partitions(1).await;
    let mut member = join(&world.log, "one").await;
    assigned(&mut member).await;
    assert!(matches!(next(&mut member).await, GroupEvent::CaughtUp { position: 0, .. }));
    let quiet = tokio::time::timeout(Duration::from_millis(50), member.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    append(&world.log, vec![record(0, "a", "1", 1)]).await;
    assert!(matches!(next(&mut member).await, GroupEvent::Records(batch) if batch.next_offset == 1));
    assert!(matches!(next(&mut member).await, GroupEvent::CaughtUp { position: 1, .. }));
    member.fetch_from(&at(0), 0).unwrap();
    assert!(matches!(next(&mut member).await, GroupEvent::Records(batch) if batch.records.len() == 1));
}

#[tokio::test]
async fn a_newcomer_gets_its_share_only_after_it_was_let_go() {
    let world = World::with_partitions(4).await;
    let mut first = join(&world.log, "one").await;
    assert_eq!(assigned(&mut first).await.len(), 4);
    let mut second = join(&world.log, "two").await;
    let (given, release) = loop {
        if let GroupEvent::Revoked { partitions, lost, release } = next(&mut first).await {
            assert!(!lost);
            break (partitions, release);
        }
    };
    assert_eq!(given.len(), 2);
    assert!(matches!(next(&mut second).await, GroupEvent::Assigned(none) if none.is_empty()));
    let early = tokio::time::timeout(Duration::from_millis(100), second.next()).await;
    assert!(early.is_err(), "{early:?}");
    // Until it lets go, the first may still commit for them.
    let commit = Commit { outputs: vec![], offsets: vec![(given[0].clone(), 0)] };
    first.committer().commit(commit).await.unwrap();
    release.done();
    let taken: Vec<_> = assigned(&mut second).await.into_iter().map(|a| a.partition).collect();
    assert_eq!(taken, given);
    let late = Commit { outputs: vec![], offsets: vec![(given[0].clone(), 0)] };
    assert!(matches!(first.committer().commit(late).await, Err(CommitError::Aborted(_))));
    drop(second);
    assert_eq!(assigned(&mut first).await.len(), 2, "what a member had is free when it is gone");
}

#[tokio::test]
async fn a_second_member_of_the_same_name_fences_the_first() {
    let world = World::with_partitions(2).await;
    let mut old = join(&world.log, "one").await;
    assigned(&mut old).await;
    let mut new = join(&world.log, "one").await;
    assert_eq!(assigned(&mut new).await.len(), 2);
    assert!(matches!(old.next().await, Err(LogError::Invalid(_))));
    let commit = Commit { outputs: vec![record(0, "a", "1", 1)], offsets: vec![] };
    assert!(matches!(old.committer().commit(commit).await, Err(CommitError::Fenced(_))));
    assert_eq!(world.log.offsets(&at(0)).await.unwrap().high, 0);
}

#[tokio::test]
async fn an_owner_of_another_process_is_fenced_by_the_file_and_leaves_no_trace() {
    let world = World::with_partitions(1).await;
    let mut old = join(&world.log, "one").await;
    assigned(&mut old).await;
    let beside = world.beside().await;
    let mut new = join(&beside, "two").await;
    assigned(&mut new).await;
    let stale = Commit { outputs: vec![record(0, "stale", "x", 1)], offsets: vec![(at(0), 5)] };
    assert!(matches!(old.committer().commit(stale).await, Err(CommitError::Fenced(_))));
    let good = Commit { outputs: vec![record(0, "good", "y", 1)], offsets: vec![(at(0), 0)] };
    new.committer().commit(good).await.unwrap();
    assert_eq!(values(&read_all(&beside, 0).await), ["y"]);
    assert_eq!(world.log.committed("g", &[at(0)]).await.unwrap(), [Some(0)]);
}

#[tokio::test]
async fn a_refused_commit_does_not_take_its_neighbours_along() {
    let world = World::with_partitions(1).await;
    let mut old = join(&world.log, "one").await;
    assigned(&mut old).await;
    let stale = old.committer();
    let mut new = join(&world.log, "one").await;
    assigned(&mut new).await;
    let appender = world.log.appender(AppendOptions::default()).await.unwrap();
    let pending = appender.append(vec![record(0, "a", "1", 1)]).unwrap();
    let refused = stale.commit(Commit { outputs: vec![record(0, "b", "2", 1)], offsets: vec![] });
    let (kept, refused) = tokio::join!(pending.kept(), refused);
    assert_eq!(kept.unwrap(), [0]);
    assert!(matches!(refused, Err(CommitError::Fenced(_))));
    assert_eq!(values(&read_all(&world.log, 0).await), ["1"]);
}

#[tokio::test]
async fn a_member_that_does_not_let_go_loses_its_partitions() {
    let options = Options { revoke_patience: Duration::from_millis(200), ..Options::default() };
    let world = World::with_topic(spec("t", 2, Cleanup::Delete { retention: None }), options).await;
    let mut slow = join(&world.log, "slow").await;
    assigned(&mut slow).await;
    let mut second = join(&world.log, "second").await;
    assert_eq!(assigned(&mut second).await.len(), 1);
    let lost = loop {
        if let GroupEvent::Revoked { partitions, lost: true, .. } = next(&mut slow).await {
            break partitions;
        }
    };
    let late = Commit { outputs: vec![], offsets: vec![(lost[0].clone(), 0)] };
    assert!(matches!(slow.committer().commit(late).await, Err(CommitError::Aborted(_))));
}

#[tokio::test]
async fn members_that_come_and_go_own_every_partition_exactly_once() {
    let world = World::with_partitions(6).await;
    let mut tasks = Vec::new();
    for n in 0..4 {
        let log = world.log.clone();
        tasks.push(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20 * n)).await;
            let mut member = join(&log, &format!("m{n}")).await;
            let mut owned = std::collections::BTreeSet::new();
            let until = tokio::time::Instant::now() + Duration::from_millis(1_500);
            while let Ok(event) = tokio::time::timeout_at(until, member.next()).await {
                match event.unwrap() {
                    GroupEvent::Assigned(new) => owned.extend(new.into_iter().map(|a| a.partition)),
                    GroupEvent::Revoked { partitions, .. } => owned.retain(|p| !partitions.contains(p)),
                    _ => {}
                }
            }
            (member, owned)
        }));
    }
    let mut all = Vec::new();
    let mut members = Vec::new();
    for task in tasks {
        let (member, owned) = task.await.unwrap();
        assert!((1..=2).contains(&owned.len()), "{owned:?}");
        all.extend(owned);
        members.push(member);
    }
    all.sort();
    assert_eq!(all, (0..6).map(at).collect::<Vec<_>>());
}
