//! Brokers that are frozen, killed and come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::kafka::KafkaLog;
use eventlog::{
    AppendError, AppendOptions, Appender, Cleanup, Commit, CommitError, EventLog, GroupEvent, LogError, ReadRequest,
    Stretch, TopicPartition,
};

use super::kafka::KafkaBroker;
use super::subject::kafka_options;
use super::world::{World, numbered, numbers, spec, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_broker_is_told_in_time_and_appends_go_on_when_it_is_back() {
    let broker = KafkaBroker::start_own(1, &[]);
    let (log, partition) = log_on(&broker, 1).await;
    let appender = log.appender(AppendOptions::default()).await.unwrap();
    within(30, appender.append(vec![numbered(&partition, 0)]).unwrap().kept()).await.unwrap();

    broker.freeze(1);
    let started = Instant::now();
    let outcome = within(30, appender.append(vec![numbered(&partition, 1)]).unwrap().kept()).await;
    assert!(matches!(outcome, Err(AppendError::Unknown(_))), "it was sent, and nobody knows more: {outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "told after {:?}", started.elapsed());
    assert_eq!(appender.backlog().records, 0);
    broker.thaw(1);

    let recovered = append_until_kept(&*appender, &partition, 100).await;
    // What was kept is there once; what was unknown is there once or not at all.
    let read = read_all(&*log, &partition).await;
    assert_eq!(read.iter().filter(|n| **n == 0).count(), 1);
    assert_eq!(read.iter().filter(|n| **n == recovered).count(), 1);
    assert!(read.iter().filter(|n| **n == 1).count() <= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_broker_is_told_and_all_goes_on_by_itself_when_it_is_back() {
    let broker = KafkaBroker::start_own(1, &[]);
    let (log, output) = log_on(&broker, 1).await;
    let (_, input) = log_on(&broker, 1).await;
    let appender = log.appender(AppendOptions::default()).await.unwrap();
    within(30, appender.append(vec![numbered(&input, 0)]).unwrap().kept()).await.unwrap();
    let mut member = log.join(World::member("group", "a", &input.topic)).await.unwrap();
    let event = within(30, member.next()).await.unwrap();
    assert!(matches!(event, GroupEvent::Assigned(_)), "{event:?}");
    let commit =
        |number, next| Commit { outputs: vec![numbered(&output, number)], offsets: vec![(input.clone(), next)] };
    within(30, member.committer().commit(commit(1, 1))).await.unwrap();

    broker.kill(1);
    let outcome = within(30, appender.append(vec![numbered(&input, 1)]).unwrap().kept()).await;
    assert!(matches!(outcome, Err(AppendError::Unavailable(_) | AppendError::Unknown(_))), "{outcome:?}");
    let refused = within(70, member.committer().commit(commit(2, 2))).await;
    assert!(
        matches!(refused, Err(CommitError::Aborted(_) | CommitError::Fatal(_) | CommitError::Fenced(_))),
        "{refused:?}"
    );
    broker.restart(1);

    let recovered = append_until_kept(&*appender, &input, 100).await;
    assert!(read_all(&*log, &input).await.contains(&recovered));
    // Who was told that its commit is over joins again and goes on from what is committed.
    drop(member);
    let (member, share) = within(90, async {
        let join = || log.join(World::member("group", "a", &input.topic));
        let mut member = join().await.unwrap();
        loop {
            match member.next().await {
                Ok(GroupEvent::Assigned(share)) => return (member, share),
                Ok(_) => {}
                Err(error) => {
                    println!("joining once more: {error}");
                    member = join().await.unwrap();
                }
            }
        }
    })
    .await;
    let next = share[0].committed.unwrap();
    within(60, member.committer().commit(commit(3, next + 1))).await.unwrap();
    let seen = read_all(&*log, &output).await;
    match next {
        1 => assert_eq!(seen, [1, 3]),
        2 => assert_eq!(seen, [1, 2, 3]),
        other => panic!("committed at {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_three_brokers_the_loss_of_one_loses_nothing() {
    let broker = KafkaBroker::start_own(3, &[]);
    let (log, partition) = log_on(&broker, 3).await;
    let options = AppendOptions { deadline: Duration::from_secs(30), ..AppendOptions::default() };
    let appender = log.appender(options).await.unwrap();
    let (mut kept, mut number) = (Vec::new(), 0);
    for lost in 1..=3 {
        let until = Instant::now() + Duration::from_secs(8);
        let mut killed = false;
        while Instant::now() < until {
            let request = appender.append(vec![numbered(&partition, number)]).unwrap();
            if within(60, request.kept()).await.is_ok() {
                kept.push(number);
            }
            number += 1;
            if !killed && kept.len() % 50 == 20 {
                broker.kill(lost);
                killed = true;
            }
        }
        assert!(killed);
        broker.restart(lost);
    }
    assert!(kept.len() > 100, "{} were acknowledged", kept.len());
    let read = read_all(&*log, &partition).await;
    assert!(read.is_sorted(), "in order over every change of leader");
    for number in kept {
        assert!(read.binary_search(&number).is_ok(), "{number} was acknowledged and is gone");
    }
}

/// As when a disk is restored from a copy: the producer's next number is not the one that the broker waits for,
/// which the producer takes as fatal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_has_lost_what_it_acknowledged_ends_the_producer_and_another_goes_on() {
    let broker = KafkaBroker::start_own(1, &[]);
    let (log, partition) = log_on(&broker, 1).await;
    let appender = log.appender(AppendOptions::default()).await.unwrap();
    within(30, appender.append(vec![numbered(&partition, 0)]).unwrap().kept()).await.unwrap();
    broker.kill(1);
    let (data, copy) = (broker.folder().join("broker-1/data"), broker.folder().join("copy"));
    copy_folder(&data, &copy);
    broker.restart(1);
    for number in [100, 200, 300] {
        append_until_kept(&*appender, &partition, number).await;
    }
    broker.kill(1);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    broker.restart(1);

    let outcome = within(60, appender.append(vec![numbered(&partition, 1_000)]).unwrap().kept()).await;
    assert!(matches!(outcome, Err(AppendError::Unavailable(_) | AppendError::Unknown(_))), "{outcome:?}");
    let recovered = append_until_kept(&*appender, &partition, 2_000).await;
    let more = append_until_kept(&*appender, &partition, 3_000).await;
    let read = read_all(&*log, &partition).await;
    assert!(!read.contains(&100), "the broker was to lose it: {read:?}");
    assert_eq!(read.iter().filter(|n| [recovered, more].contains(n)).count(), 2, "{read:?}");
    assert_eq!(appender.backlog().records, 0);
    println!("1000: {outcome:?}; then {recovered} and {more}; {read:?}");
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// A broker that has not heard of a topic yet is not believed for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_made_and_found_on_three_brokers() {
    let broker = KafkaBroker::start_own(3, &[]);
    for turn in 0..6 {
        let log = KafkaLog::open(kafka_options(broker.bootstrap())).unwrap();
        let named = |number| spec(&format!("made-{turn}-{number}"), 4, Cleanup::Delete { retention: None });
        let specs: Vec<_> = (0..6).map(|number| eventlog::TopicSpec { replication: 3, ..named(number) }).collect();
        within(60, log.ensure_topics(&specs)).await.unwrap();
    }
}

async fn log_on(broker: &KafkaBroker, replication: i32) -> (Arc<dyn EventLog>, TopicPartition) {
    static TOPICS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let log = KafkaLog::open(kafka_options(broker.bootstrap())).unwrap();
    let name = format!("outage-{}", TOPICS.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let mut spec = spec(&name, 1, Cleanup::Delete { retention: None });
    spec.replication = replication;
    log.ensure_topics(&[spec]).await.unwrap();
    (Arc::new(log), TopicPartition::new(name, 0))
}

/// Appends numbers from `first` on until one is kept; which.
async fn append_until_kept(appender: &dyn Appender, partition: &TopicPartition, first: u32) -> u32 {
    within(60, async {
        for number in first.. {
            if appender.append(vec![numbered(partition, number)]).unwrap().kept().await.is_ok() {
                return number;
            }
        }
        unreachable!()
    })
    .await
}

async fn read_all(log: &dyn EventLog, partition: &TopicPartition) -> Vec<u32> {
    // Right after an election nobody may be known to lead.
    let range = within(60, async {
        loop {
            match log.offsets(partition).await {
                Err(LogError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                range => return range.unwrap(),
            }
        }
    })
    .await;
    let stretches = vec![Stretch { partition: partition.clone(), from: range.low, until: Some(range.high) }];
    within(60, async {
        let mut reader = log.read(ReadRequest { stretches, read_committed: true }).await.unwrap();
        let mut read = Vec::new();
        while let Some(batch) = reader.next().await.unwrap() {
            read.extend(numbers(&batch.records));
        }
        read
    })
    .await
}
