//! What a member goes on with while the group is shared out anew, while it holds partitions, and when it ends.

use std::time::Duration;

use eventlog::{AbortCause, Commit, CommitError, GroupEvent, GroupOptions, LogError, Membership, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::commit::commit;
use super::group::until_caught_up;
use super::handover::{join_aside, revocation};
use super::kafka::KafkaBroker;
use super::subject::kafka_options;
use super::world::{World, numbered, numbers, within};

pub async fn a_held_partition_waits_and_the_others_go_on(world: &World) {
    let topic = world.topic(2).await;
    let (held, other) = (TopicPartition::new(topic.as_str(), 0), TopicPartition::new(topic.as_str(), 1));
    let (mut member, _) = world.join(World::member(&world.name("group"), "a", &topic)).await;
    world.fill(&held, 0..10_000).await;
    member.fetch_from(&held, 0).unwrap();
    // Some has been read already, and waits.
    let mut read = numbers(&records_of(&mut *member, &held).await);
    for round in 0..3 {
        member.hold(&held, true).unwrap();
        world.fill(&held, 10_000 + round * 10_000..20_000 + round * 10_000).await;
        world.fill(&other, round * 100..round * 100 + 100).await;
        member.fetch_from(&other, i64::from(round) * 100).unwrap();
        // All of it comes, and nothing of the held one.
        let (seen, _) = until_caught_up(&mut *member, &other).await;
        assert_eq!(seen, (round * 100..round * 100 + 100).collect::<Vec<_>>());
        member.hold(&held, false).unwrap();
        while read.len() < 10_000 + round as usize * 10_000 {
            read.extend(numbers(&records_of(&mut *member, &held).await));
        }
    }
    while read.len() < 40_000 {
        read.extend(numbers(&records_of(&mut *member, &held).await));
    }
    assert_eq!(read, (0..40_000).collect::<Vec<_>>());
    // A start that is named while it is held is where it goes on.
    member.hold(&held, true).unwrap();
    member.fetch_from(&held, 7).unwrap();
    member.hold(&held, false).unwrap();
    assert_eq!(numbers(&records_of(&mut *member, &held).await)[0], 7);

    let stranger = TopicPartition { partition: 2, ..held };
    assert!(matches!(member.hold(&stranger, true), Err(LogError::NotFound(_))), "it is not this member's");
}

pub async fn more_than_there_is_room_for_waits_in_the_log_while_it_is_held(world: &World) {
    const COUNT: u32 = 30_000;
    let topic = world.topic(2).await;
    let (held, other) = (TopicPartition::new(topic.as_str(), 0), TopicPartition::new(topic.as_str(), 1));
    let appender = world.appender().await;
    // 60 MB: more than is kept of a partition that is held.
    for chunk in 0..COUNT / 1_000 {
        let large = |number| {
            let mut record = numbered(&held, number);
            record.headers = eventlog::Headers::from_pairs([("padding", [b'x'; 2_000].as_slice())]);
            record
        };
        let request = (chunk * 1_000..(chunk + 1) * 1_000).map(large).collect();
        within(60, appender.append(request).unwrap().kept()).await.unwrap();
    }
    world.fill(&other, 0..20_000).await;
    let (mut member, _) = world.join(World::member(&world.name("group"), "a", &topic)).await;
    member.hold(&held, true).unwrap();
    member.fetch_from(&held, 0).unwrap();
    for _ in 0..5 {
        member.fetch_from(&other, 0).unwrap();
        let (seen, _) = until_caught_up(&mut *member, &other).await;
        assert_eq!(seen.len(), 20_000);
    }
    member.hold(&held, false).unwrap();
    let mut read = Vec::new();
    while read.len() < COUNT as usize {
        read.extend(numbers(&records_of(&mut *member, &held).await));
    }
    assert_eq!(read, (0..COUNT).collect::<Vec<_>>());
}

pub async fn partitions_that_stay_are_committed_while_others_wait_to_go(world: &World) {
    let (input, output) = (world.topic(2).await, TopicPartition::new(world.topic(1).await, 0));
    let group = world.name("group");
    let (mut first, share) = world.join(World::member(&group, "a", &input)).await;
    for assignment in &share {
        first.fetch_from(&assignment.partition, 0).unwrap();
    }
    let joining = join_aside(world, &group, &input);
    let (gone, release) = revocation(&mut *first).await;
    let stays = TopicPartition { partition: 1 - gone[0].partition, ..gone[0].clone() };
    for round in 0..3 {
        world.fill(&stays, round * 10..round * 10 + 10).await;
        let next = i64::from(round) * 10 + 10;
        commit(&first.committer(), vec![numbered(&output, round)], &stays, next).await.unwrap();
    }
    assert!(!joining.is_finished(), "the partition has gone before it was released");
    release.done();
    let mut read = Vec::new();
    while read.len() < 30 {
        read.extend(numbers(&records_of(&mut *first, &stays).await));
    }
    assert_eq!(read, (0..30).collect::<Vec<_>>());
    let (_second, share) = within(60, joining).await.unwrap();
    assert_eq!(share, gone);
    assert_eq!(numbers(&world.read_all(&output).await), [0, 1, 2]);
}

pub async fn who_has_not_heard_of_a_revocation_leaves_all_the_same(world: &World) {
    let input = world.topic(2).await;
    let group = world.name("group");
    let (first, _) = world.join(World::member(&group, "a", &input)).await;
    let joining = join_aside(world, &group, &input);
    // What goes is told, and nobody listens.
    tokio::time::sleep(Duration::from_secs(3)).await;
    within(20, first.leave()).await.unwrap();
    let (_second, share) = within(20, joining).await.unwrap();
    assert!(!share.is_empty());
}

pub async fn who_stays_away_for_a_moment_has_its_share_back(world: &World) {
    let input = world.topic(2).await;
    let group = world.name("group");
    let (mut first, _) = world.join(World::member(&group, "a", &input)).await;
    let joining = join_aside(world, &group, &input);
    revocation(&mut *first).await.1.done();
    let (second, share) = within(60, joining).await.unwrap();
    within(20, second.stay()).await.unwrap();
    let (_second, back) = world.join(World::member(&group, "b", &input)).await;
    if world.subject.keeps_shares() {
        assert_eq!(back.into_iter().map(|assignment| assignment.partition).collect::<Vec<_>>(), share);
        // The other has been told nothing at all: what comes next is what is appended next.
        let own = TopicPartition { partition: 1 - share[0].partition, ..share[0].clone() };
        first.fetch_from(&own, 0).unwrap();
        world.fill(&own, 0..1).await;
        let told = records_of(&mut *first, &own).await;
        assert_eq!(numbers(&told), [0]);
    }
}

/// What a member dies over: its transaction says where the group will stand, and is not decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undecided_transaction_holds_up_only_the_partition_that_it_is_about() {
    let world = World::new(super::subject::kafka()).await;
    let input = world.topic(2).await;
    let group = world.name("group");
    let (mut first, _) = world.join(World::member(&group, "a", &input)).await;
    let joining = join_aside(&world, &group, &input);
    revocation(&mut *first).await.1.done();
    let (second, share) = within(60, joining).await.unwrap();
    let (comes, stays) = (&share[0], TopicPartition { partition: 1 - share[0].partition, ..share[0].clone() });
    first.fetch_from(&stays, 0).unwrap();

    let bootstrap = world.subject.address().split_once('=').unwrap().1.to_owned();
    let undecided = undecided(&bootstrap, &group, comes, 5);
    within(20, second.leave()).await.unwrap();
    // Until it is decided the partition's start cannot be known; the other one is read.
    for round in 0..20 {
        world.fill(&stays, round..round + 1).await;
        assert_eq!(numbers(&records_of(&mut *first, &stays).await), [round]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::task::spawn_blocking(move || undecided.commit_transaction(Duration::from_secs(10)).unwrap()).await.unwrap();
    within(60, async {
        loop {
            if let GroupEvent::Assigned(share) = first.next().await.unwrap() {
                assert_eq!((&share[0].partition, share[0].committed), (comes, Some(5)));
                return;
            }
        }
    })
    .await;
}

/// A transaction with an offset of the group in it, of one that is no member.
fn undecided(bootstrap: &str, group: &str, partition: &TopicPartition, offset: i64) -> BaseProducer {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", group).create().unwrap();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", format!("{group}/undecided"))
        .create()
        .unwrap();
    let wait = Duration::from_secs(20);
    producer.init_transactions(wait).unwrap();
    producer.begin_transaction().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset)).unwrap();
    producer.send_offsets_to_transaction(&offsets, &consumer.group_metadata().unwrap(), wait).unwrap();
    producer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_abandoned_is_aborted_and_none_comes_after_it() {
    let broker = KafkaBroker::start_own(1, &[]);
    let log = std::sync::Arc::new(eventlog::kafka::KafkaLog::open(kafka_options(broker.bootstrap())).unwrap());
    let specs =
        ["input", "output"].map(|name| super::world::spec(name, 1, eventlog::Cleanup::Delete { retention: None }));
    eventlog::EventLog::ensure_topics(&*log, &specs).await.unwrap();
    let (input, output) = (TopicPartition::new("input", 0), TopicPartition::new("output", 0));
    let mut member = eventlog::EventLog::join(&*log, World::member("group", "a", "input")).await.unwrap();
    within(30, async { while !matches!(member.next().await.unwrap(), GroupEvent::Assigned(_)) {} }).await;
    let committer = member.committer();
    commit(&committer, vec![numbered(&output, 1)], &input, 1).await.unwrap();

    broker.freeze(1);
    let under_way = {
        let (committer, output, input) = (committer.clone(), output.clone(), input.clone());
        tokio::spawn(async move {
            let commit = Commit { outputs: vec![numbered(&output, 2)], offsets: vec![(input, 2)] };
            committer.commit(commit).await
        })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let abandoning = tokio::spawn({
        let committer = committer.clone();
        async move { committer.abandon().await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    broker.thaw(1);
    within(30, abandoning).await.unwrap();
    let outcome = within(5, under_way).await.unwrap();
    assert!(
        matches!(&outcome, Err(CommitError::Aborted(abort)) if abort.cause == AbortCause::Abandoned),
        "{outcome:?}"
    );
    let later = commit(&committer, vec![numbered(&output, 3)], &input, 3).await;
    assert!(matches!(&later, Err(CommitError::Aborted(abort)) if abort.cause == AbortCause::Abandoned), "{later:?}");
    let range = eventlog::EventLog::offsets(&*log, &output).await.unwrap();
    let stretches = vec![eventlog::Stretch { partition: output, from: range.low, until: Some(range.high) }];
    let request = eventlog::ReadRequest { stretches, read_committed: true };
    let mut reader = eventlog::EventLog::read(&*log, request).await.unwrap();
    let mut seen = Vec::new();
    while let Some(batch) = within(30, reader.next()).await.unwrap() {
        seen.extend(numbers(&batch.records));
    }
    assert_eq!(seen, [1]);
    assert_eq!(eventlog::EventLog::committed(&*log, "group", &[input]).await.unwrap(), [Some(1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_end_is_late_ends_the_membership_and_leaves_nothing_torn() {
    let world = World::new(super::subject::kafka()).await;
    let (input, output) = (TopicPartition::new(world.topic(1).await, 0), TopicPartition::new(world.topic(1).await, 0));
    let options = World::member(&world.name("group"), "a", &input.topic);
    let hasty = GroupOptions { commit_deadline: Duration::from_micros(1_500), ..options.clone() };
    for _ in 0..5 {
        let (member, share) = world.join(hasty.clone()).await;
        let mut next = share[0].committed.unwrap_or(0);
        // What was not told in time may have taken effect, whole.
        assert_eq!(numbers(&world.read_all(&output).await).len(), usize::try_from(next).unwrap() * 3);
        let ended = loop {
            next += 1;
            let outputs = (0..3).map(|number| numbered(&output, number)).collect();
            match commit(&member.committer(), outputs, &input, next).await {
                Ok(()) if next < share[0].committed.unwrap_or(0) + 100 => {}
                Ok(()) => panic!("a hundred commits were in time"),
                Err(ended) => break ended,
            }
        };
        assert!(matches!(ended, CommitError::Fatal(_)), "{ended:?}");
        let again = commit(&member.committer(), vec![], &input, next).await;
        assert!(again.is_err_and(|error| error.ends_membership()), "nothing more is committed");
    }
    let (member, share) = world.join(options).await;
    let next = share[0].committed.unwrap_or(0) + 1;
    commit(&member.committer(), (0..3).map(|number| numbered(&output, number)).collect(), &input, next).await.unwrap();
    assert_eq!(numbers(&world.read_all(&output).await).len(), usize::try_from(next).unwrap() * 3);
}

/// The next records, which must be of this partition; nothing else may come but the news that it is read.
async fn records_of(member: &mut dyn Membership, partition: &TopicPartition) -> Vec<eventlog::Record> {
    within(60, async {
        loop {
            match member.next().await.unwrap() {
                GroupEvent::Records(batch) => {
                    assert_eq!(batch.partition, *partition);
                    return batch.records;
                }
                GroupEvent::CaughtUp { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await
}
