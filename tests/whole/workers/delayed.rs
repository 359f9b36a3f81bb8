//! Answers that come late: of the end of a transaction, later than a worker waits for it; of where partitions end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use eventlog::{Cleanup, EventLog as _, GroupEvent, GroupOptions, TopicPartition, TopicSpec};
use playledger_tests::behind;
use playledger_tests::feed::Feed;
use playledger_tests::proxy::{Call, Fault};

use super::load::Load;
use super::{PATIENCE, settle, workers};

/// Longer than the worker's deadline.
const DELAY: Duration = Duration::from_secs(5);
/// So long is read to see whether anything is left out.
const READ_ON: Duration = Duration::from_secs(2);
const REJOINS: &str = "playledger_worker_rejoins_total";

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_end_comes_late_is_whole_or_not_at_all_and_counts_once() -> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = workers(&[])?;
    world.launch("one", Some(&proxy.address()), &[])?;
    world.ready("one")?;
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 20, 400);
    let before = proxy.counts().kept_back;
    for fault in [Fault::DelayAnswersTo(Call::End, DELAY), Fault::Delay(Call::End, DELAY)] {
        load.sends(300).await?;
        let rejoins = world.metric("one", REJOINS).await?;
        proxy.set(fault);
        world.reaches("one", REJOINS, rejoins + 2.0).await?;
        proxy.set(Fault::None);
        println!("20: {fault:?}: joined anew {} times", world.metric("one", REJOINS).await? - rejoins);
    }
    load.sends(300).await?;
    load.end()?;
    let kept_back = proxy.counts().kept_back - before;
    settle(&format!("20: {kept_back} ends of transactions late"), &world, &feed).await?;
    world.terminate_all()
}

/// Joins, names the start of a partition so much later, and reads on for a while: how many records, one after the other.
async fn reads_on(log: &KafkaLog, topic: &str, group: String, later: Duration) -> anyhow::Result<i64> {
    let options = GroupOptions {
        group,
        instance: "one".into(),
        topics: vec![topic.to_owned()],
        transactional: false,
        read_committed: true,
        headers: false,
        commit_deadline: DELAY,
    };
    let mut member = log.join(options).await?;
    let (mut next, mut until) = (0, None);
    loop {
        let event = tokio::time::timeout(PATIENCE, member.next()).await??;
        match event {
            GroupEvent::Assigned(_) => {
                tokio::time::sleep(later).await;
                member.fetch_from(&TopicPartition::new(topic, 0), 0)?;
                until = Some(Instant::now() + READ_ON);
            }
            GroupEvent::Records(batch) => {
                for record in batch.records {
                    ensure!(record.offset == next, "{next} is left out, {} comes; begun {later:?} late", record.offset);
                    next += 1;
                }
            }
            _ => {}
        }
        if next > 0 && until.is_some_and(|until| Instant::now() > until) {
            member.leave().await?;
            return Ok(next);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_broker_is_slow_to_tell_where_partitions_end_leaves_no_record_out() -> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let world = workers(&[])?;
    // Any topic of one partition.
    let topic = world.topic("slow");
    let direct = kafka(world.bootstrap())?;
    let cleanup = Cleanup::Delete { retention: None };
    let spec = TopicSpec { name: topic.clone(), partitions: 1, replication: 1, cleanup, max_message_bytes: 1 << 20 };
    direct.ensure_topics(&[spec]).await?;
    let feed = Arc::new(Feed::new(world.bootstrap(), &topic, 1)?);
    let load = Load::begin(&feed, 200, 300);
    load.sends(100).await?;
    proxy.set(Fault::DelayAnswersTo(Call::ListOffsets, Duration::from_millis(250)));
    let log = kafka(&proxy.address())?;
    let joins = (0..8).map(|step| {
        let group = format!("{topic}-{step}");
        let (log, topic) = (&log, &topic);
        async move { reads_on(log, topic, group, Duration::from_millis(150 * step)).await }
    });
    let read = futures_util::future::try_join_all(joins).await?;
    println!("slow to tell where partitions end: {} members read {} records each in a row", read.len(), read[0]);
    load.end()
}

fn kafka(bootstrap: &str) -> anyhow::Result<KafkaLog> {
    let options = KafkaOptions { brokers: bootstrap.to_owned(), settings: Vec::new(), client_id: "slow".into() };
    Ok(KafkaLog::open(options)?)
}
