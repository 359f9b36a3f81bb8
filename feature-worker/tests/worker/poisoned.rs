//! Poison above its limit: one partition stops and says so, and goes on when it is told.

use super::*;

/// Where everything is poisoned.
pub(crate) const POISONED: i32 = 0;
/// Records that can't be read: not JSON, of the wrong shape, large.
const COUNT: usize = 240;

impl World {
    pub(crate) async fn append_poison(&self, count: usize, received_at: i64) {
        let appender = self.log.appender(AppendOptions::default()).await.unwrap();
        let values = ["not JSON".to_owned(), r#"{"v":1,"tenant":"acme"}"#.to_owned(), "x".repeat(20_000)];
        let records = values.iter().cycle().take(count).map(|value| NewRecord {
            partition: TopicPartition::new(Topic::Events.name(&self.prefix), POISONED),
            key: "acme/?".into(),
            value: Some(value.clone().into()),
            headers: Headers::new(),
            timestamp_ms: received_at,
        });
        appender.append(records.collect()).unwrap().kept().await.unwrap();
    }

    /// Offsets of what was set aside, in order.
    async fn aside(&self) -> Vec<i64> {
        let told = |record: &Record| {
            let headers = schemas::record::quarantine::Headers::parse(|name| record.headers.get(name)).unwrap();
            let origin = headers.origin.unwrap();
            assert_eq!((headers.reason.as_str(), origin.partition), ("poison", POISONED));
            origin.offset
        };
        let mut offsets: Vec<i64> = self.read(Topic::Quarantine).await.iter().map(told).collect();
        offsets.sort_unstable();
        offsets
    }

    async fn until_aside(&self, count: usize) -> Vec<i64> {
        let begun = Instant::now();
        loop {
            let aside = self.aside().await;
            if aside.len() >= count {
                return aside;
            }
            assert!(begun.elapsed() < PATIENCE, "{} of {count} are set aside", aside.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Waits until the worker says that it is not ready for that reason.
async fn until_stopped(shell: &Shell) {
    let begun = Instant::now();
    loop {
        let readiness = format!("{:?}", shell.health.readiness());
        if readiness.contains("partition 0 has stopped at offset") {
            assert!(readiness.contains("POST /resume") && readiness.contains("100/1h"), "{readiness}");
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{readiness}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_ready(shell: &Shell) {
    let begun = Instant::now();
    while !shell.health.readiness().ok {
        assert!(begun.elapsed() < PATIENCE, "{:?}", shell.health.readiness());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_partition_stops_until_it_is_told_to_go_on_and_nothing_is_lost_or_set_aside_twice() {
    let world = World::new().await;
    let limited = |instance: &str, records: u32| Config {
        poison_limit: PoisonLimit { records, within_ms: 3_600_000 },
        ..world.config(instance)
    };
    let sessions = sessions(7_000, 40);
    let (behind, others): (Vec<_>, Vec<_>) =
        sessions.iter().cloned().partition(|session| standing_still::partition_of(session) == POISONED);
    assert!(behind.len() > 2 && !others.is_empty());
    let now = Shell::detached().clock.now_ms();
    // Of two sessions half has come when the poison comes.
    let early: Vec<Value> = behind[..2].iter().flat_map(|session| session[..session.len() / 2].to_vec()).collect();
    let late = behind[..2].iter().flat_map(|session| session[session.len() / 2..].to_vec());
    let late: Vec<Value> = late.chain(behind[2..].concat()).collect();
    world.append(&early, now).await;
    world.append_poison(COUNT, now).await;
    world.append(&late, now).await;
    world.append(&others.concat(), now).await;

    let worker = world.worker_with(limited("w1", 100), Shell::detached());
    until_stopped(&worker.0).await;
    // All before it is committed, and the other partitions go on.
    let first = i64::try_from(early.len()).unwrap();
    assert_eq!(world.until_aside(100).await, (first..first + 100).collect::<Vec<_>>());
    let reports = world.until_final(others.len()).await;
    assert_equal(&reports, &others);
    assert!(worker.0.health.liveness().ok);
    // Whoever takes it over, by a restart or at once, stops at the same record.
    stop(worker).await;
    let worker = world.worker_with(limited("w1", 100), Shell::detached());
    until_stopped(&worker.0).await;
    worker.1.abort();
    let _ = worker.1.await;
    let worker = world.worker_with(limited("w2", 100), Shell::detached());
    until_stopped(&worker.0).await;
    assert_eq!(world.aside().await.len(), 100);
    // A free window, and the next stop.
    let answer = worker.0.orders.give("resume").await.unwrap();
    assert!(answer.contains("[0]"), "{answer}");
    world.until_aside(200).await;
    until_stopped(&worker.0).await;
    assert_eq!(world.aside().await, (first..first + 200).collect::<Vec<_>>());
    stop(worker).await;
    // A higher limit lets it go on.
    let worker = world.worker_with(limited("w1", 101), Shell::detached());
    let aside = world.until_aside(COUNT).await;
    assert_eq!(aside, (first..).take(COUNT).collect::<Vec<_>>());
    let reports = world.until_final(sessions.len()).await;
    assert_equal(&reports, &sessions);
    until_ready(&worker.0).await;
    assert_eq!(worker.0.orders.give("resume").await.unwrap(), "no partition of this worker has stopped");
    stop(worker).await;
    assert_eq!(world.books().await, (sessions.concat().len() as u64, 0));
}
