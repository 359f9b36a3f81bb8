//! Members that share partitions while others come and go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::{AbortCause, Commit, CommitError, GroupEvent, LogError, Membership, NewRecord, Release, TopicPartition};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::commit::commit;
use super::world::{World, eventually, numbered, numbers, occurrences, within};

const PARTITIONS: i32 = 6;

pub async fn members_come_and_go_and_each_record_counts_once(world: &World) {
    let (input, output) = (world.topic(PARTITIONS).await, world.topic(PARTITIONS).await);
    let group = world.name("group");
    let mut written = 0;
    let mut members: Vec<Copier> = Vec::new();
    // One comes, two more, one goes, its name comes back, all but one go.
    let started = Instant::now();
    for step in ["+a", "+b", "+c", "-a", "+a", "-b", "-c"] {
        let name = &step[1..];
        println!("{step} after {:?}", started.elapsed());
        if step.starts_with('+') {
            members.push(Copier::start(world, &group, name, &input, &output));
        } else {
            let leaving = members.iter().position(|copier| copier.name == name).unwrap();
            members.remove(leaving).stop().await;
        }
        for _ in 0..5 {
            for partition in 0..PARTITIONS {
                world.fill(&TopicPartition::new(input.as_str(), partition), written..written + 40).await;
                written += 40;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    println!("all written after {:?}", started.elapsed());
    eventually(60, "every record has been copied", || async {
        count(world, &output).await.len() == usize::try_from(written).unwrap()
    })
    .await;
    for copier in members {
        copier.stop().await;
    }
    let counted = count(world, &output).await;
    println!("all copied after {:?}", started.elapsed());
    let twice: Vec<_> = counted.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "copied more than once: {twice:?}");
    // Of each partition the order has been kept over all hand-overs.
    for partition in 0..PARTITIONS {
        let copied = numbers(&world.read_all(&TopicPartition::new(output.as_str(), partition)).await);
        assert!(copied.is_sorted(), "partition {partition}");
    }
}

pub async fn a_released_partition_can_no_longer_be_committed(world: &World) {
    let (input, output) = (world.topic(2).await, TopicPartition::new(world.topic(1).await, 0));
    let group = world.name("group");
    let (mut first, share) = world.join(World::member(&group, "a", &input)).await;
    assert_eq!(share.len(), 2);
    let committer = first.committer();
    let joining = join_aside(world, &group, &input);
    let (gone, release) = revocation(&mut *first).await;
    release.done();
    let (second, share) = within(60, joining).await.unwrap();
    assert_eq!(share, gone);
    commit(&second.committer(), vec![numbered(&output, 1)], &gone[0], 0).await.unwrap();

    let late = commit(&committer, vec![numbered(&output, 2)], &gone[0], 0).await;
    match late {
        Err(CommitError::Aborted(abort)) => assert_eq!(abort.cause, AbortCause::NotOwned, "{abort}"),
        Err(CommitError::Fatal(_) | CommitError::Fenced(_)) => {}
        late => panic!("{late:?}"),
    }
    assert_eq!(numbers(&world.read_all(&output).await), [1]);
}

pub async fn who_leaves_is_not_missed_first(world: &World) {
    let input = world.topic(2).await;
    let group = world.name("group");
    let (mut first, _) = world.join(World::member(&group, "a", &input)).await;
    let joining = join_aside(world, &group, &input);
    revocation(&mut *first).await.1.done();
    let (mut second, share) = within(60, joining).await.unwrap();
    assert_eq!(share.len(), 1);
    let started = Instant::now();
    within(20, first.leave()).await.unwrap();
    let event = within(20, second.next()).await.unwrap();
    assert!(matches!(&event, GroupEvent::Assigned(share) if share.len() == 1), "{event:?}");
    // A member that only falls silent is missed after 10 s.
    assert!(started.elapsed() < Duration::from_secs(7), "after {:?}", started.elapsed());
}

pub async fn what_is_committed_before_the_release_counts(world: &World) {
    let (input, output) = (world.topic(2).await, TopicPartition::new(world.topic(1).await, 0));
    for partition in 0..2 {
        world.fill(&TopicPartition::new(input.as_str(), partition), 0..10).await;
    }
    let group = world.name("group");
    let (mut first, _) = world.join(World::member(&group, "a", &input)).await;
    let committer = first.committer();
    let joining = join_aside(world, &group, &input);
    let (gone, release) = revocation(&mut *first).await;
    // The other member waits as long as this one holds on.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!joining.is_finished(), "the partition has gone before it was released");
    commit(&committer, vec![numbered(&output, 1)], &gone[0], 7).await.unwrap();
    drop(release);
    let (mut second, share) = within(60, joining).await.unwrap();
    assert_eq!(share, gone);
    assert_eq!(world.log.committed(&group, &gone).await.unwrap(), [Some(7)]);
    second.fetch_from(&gone[0], 7).unwrap();
    let event = within(30, second.next()).await.unwrap();
    let GroupEvent::Records(batch) = event else { panic!("{event:?}") };
    assert_eq!(numbers(&batch.records)[0], 7);
}

/// A second member joins while the first goes on.
pub fn join_aside(world: &World, group: &str, input: &str) -> JoinHandle<(Box<dyn Membership>, Vec<TopicPartition>)> {
    let (log, options) = (Arc::clone(&world.log), World::member(group, "b", input));
    tokio::spawn(async move {
        let mut member = log.join(options).await.unwrap();
        loop {
            if let GroupEvent::Assigned(share) = member.next().await.unwrap()
                && !share.is_empty()
            {
                return (member, share.into_iter().map(|assignment| assignment.partition).collect());
            }
        }
    })
}

pub async fn revocation(member: &mut dyn Membership) -> (Vec<TopicPartition>, Release) {
    within(60, async {
        loop {
            if let GroupEvent::Revoked { partitions, lost, release } = member.next().await.unwrap() {
                assert!(!lost);
                assert_eq!(partitions.len(), 1, "half of the two partitions");
                return (partitions, release);
            }
        }
    })
    .await
}

/// How often each number was copied.
async fn count(world: &World, output: &str) -> HashMap<u32, u32> {
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        all.extend(numbers(&world.read_all(&TopicPartition::new(output, partition)).await));
    }
    occurrences(all)
}

/// A member that copies records from one topic to another, as a worker would.
struct Copier {
    name: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Copier {
    fn start(world: &World, group: &str, name: &str, input: &str, output: &str) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let log = Arc::clone(&world.log);
        let options = World::member(group, name, input);
        let output: Arc<str> = output.into();
        let task = tokio::spawn(async move {
            loop {
                let member = log.join(options.clone()).await.unwrap();
                match copy(member, &output, &stopped).await {
                    Ok(()) => return,
                    // Dropped with all state; joins again.
                    Err(reason) => println!("a copier joins again: {reason}"),
                }
            }
        });
        Self { name: name.to_owned(), stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        within(60, self.task).await.unwrap();
    }
}

async fn copy(mut member: Box<dyn Membership>, output: &Arc<str>, stopped: &CancellationToken) -> Result<(), String> {
    let committer = member.committer();
    // Where each partition's last commit ended.
    let mut starts: HashMap<TopicPartition, i64> = HashMap::new();
    loop {
        let event = tokio::select! {
            biased;
            () = stopped.cancelled() => return member.leave().await.map_err(|e| e.to_string()),
            event = member.next() => event,
        };
        match event {
            Ok(GroupEvent::Assigned(share)) => {
                for assignment in share {
                    let start = assignment.committed.unwrap_or(0);
                    starts.insert(assignment.partition.clone(), start);
                    member.fetch_from(&assignment.partition, start).map_err(|e| e.to_string())?;
                }
            }
            Ok(GroupEvent::Revoked { partitions, release, .. }) => {
                starts.retain(|partition, _| !partitions.contains(partition));
                release.done();
            }
            Ok(GroupEvent::Records(batch)) => {
                let to = TopicPartition { topic: Arc::clone(output), partition: batch.partition.partition };
                let copied = |number| NewRecord { partition: to.clone(), ..numbered(&to, number) };
                let outputs = numbers(&batch.records).into_iter().map(copied).collect();
                let offsets = vec![(batch.partition.clone(), batch.next_offset)];
                match committer.commit(Commit { outputs, offsets }).await {
                    Ok(()) => drop(starts.insert(batch.partition, batch.next_offset)),
                    Err(CommitError::Aborted(_)) => {
                        for (partition, start) in &starts {
                            match member.fetch_from(partition, *start) {
                                // Revoked, and not told yet.
                                Ok(()) | Err(LogError::NotFound(_)) => {}
                                Err(error) => return Err(error.to_string()),
                            }
                        }
                    }
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(GroupEvent::CaughtUp { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
