//! Workers on three brokers, of which one is lost at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use playledger_tests::kafka::KafkaBroker;
use playledger_tests::observe;
use playledger_tests::process::Process;
use playledger_tests::world::Workers;

use super::load::Load;
use super::{PATIENCE, settle, shape};

const NAMES: [&str; 2] = ["one", "two"];
/// Partitions of the topics by which brokers coordinate, as `deploy/kafka/kafka` sets them.
const COORDINATING: i32 = 4;

/// How far the group has come in all partitions together; while brokers change places it may not be told.
async fn progress(world: &Workers) -> Option<i64> {
    let standing = world.standing().await.ok()?;
    Some(standing.into_iter().filter_map(|(_, next)| next).sum())
}

/// Waits until the group has come on by so many records; how many workers had to be started again meanwhile.
async fn comes_on(world: &mut Workers, records: i64) -> anyhow::Result<u32> {
    let (mut from, began, mut hung) = (None, Instant::now(), 0);
    loop {
        for name in NAMES {
            hung += u32::from(world.revive(name)?);
        }
        let now = progress(world).await;
        from = from.or(now);
        if now.zip(from).is_some_and(|(now, from)| now >= from + records) {
            return Ok(hung);
        }
        if began.elapsed() > PATIENCE {
            let last = NAMES.map(|name| world.process(name).map(Process::last_lines).unwrap_or_default());
            anyhow::bail!("the group stands at {now:?}, it stood at {from:?}\n{}", last.join("\n\n"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The broker that coordinates what goes by this name, in a topic of the cluster's own.
async fn coordinator(world: &Workers, topic: &str, name: &str) -> anyhow::Result<usize> {
    // As Java hashes a text.
    let hash = name.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
    observe::leader(world.bootstrap(), topic, (hash & i32::MAX) % COORDINATING).await
}

/// Loses a broker until the workers have come on without it, and regains it.
async fn loses(world: &mut Workers, what: &str, number: usize) -> anyhow::Result<u32> {
    world.broker().kill(number);
    let began = Instant::now();
    let hung = comes_on(world, 300).await?;
    println!("three brokers: 300 records read on {:?} after the loss of broker {number}, {what}", began.elapsed());
    world.broker().restart(number);
    let began = Instant::now();
    while observe::least_in_sync(world.bootstrap()).await? < 3 {
        ensure!(began.elapsed() < PATIENCE, "broker {number} is not in sync after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(hung)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_a_broker_that_coordinates_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let broker = KafkaBroker::start_own(3, &["group.min.session.timeout.ms=1000"]);
    // It may take a while until the group has another coordinator.
    let mut world = Workers::on(broker, shape(3, &[("--kafka-set", "session.timeout.ms=10000")]))?;
    for name in NAMES {
        world.launch(name, None, &[])?;
    }
    for name in NAMES {
        world.ready(name)?;
    }
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 14, 300);
    load.sends(300).await?;
    let (group, transactions) = ("__consumer_offsets", "__transaction_state");
    let number = coordinator(&world, group, &world.group()).await?;
    let mut hung = loses(&mut world, "the group's coordinator", number).await?;
    let number = coordinator(&world, transactions, &format!("{}/one", world.group())).await?;
    hung += loses(&mut world, "the coordinator of one's transactions", number).await?;
    hung += comes_on(&mut world, 300).await?;
    load.end()?;
    let began = Instant::now();
    while world.standing().await?.iter().any(|(end, next)| next.unwrap_or_default() < *end) {
        for name in NAMES {
            hung += u32::from(world.revive(name)?);
        }
        ensure!(began.elapsed() < PATIENCE, "the group is behind after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let row = format!("three brokers, two coordinators lost; workers that ended because their client hung: {hung}");
    settle(&row, &world, &feed).await?;
    world.terminate_all()
}
