//! Workers on three brokers, of which one is lost at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use playledger_tests::kafka::KafkaBroker;
use playledger_tests::topic;
use playledger_tests::world::Workers;

use super::load::Load;
use super::{PATIENCE, settle, shape};

/// How far the group has come in all partitions together; while brokers change places it may not be told.
async fn progress(world: &Workers) -> Option<i64> {
    let standing = world.standing().await.ok()?;
    Some(standing.into_iter().filter_map(|(_, next)| next).sum())
}

/// Waits until the group has come on by so many records.
async fn comes_on(world: &Workers, records: i64) -> anyhow::Result<()> {
    let (mut from, began) = (None, Instant::now());
    loop {
        let now = progress(world).await;
        from = from.or(now);
        if now.zip(from).is_some_and(|(now, from)| now >= from + records) {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the group stands at {now:?}, it stood at {from:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_any_of_three_brokers_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let broker = KafkaBroker::start_own(3, &["group.min.session.timeout.ms=1000"]);
    // It may take a while until the group has another coordinator.
    let mut world = Workers::on(broker, shape(3, &[("--kafka-set", "session.timeout.ms=10000")]))?;
    for name in ["one", "two"] {
        world.launch(name, None, &[])?;
    }
    for name in ["one", "two"] {
        world.ready(name)?;
    }
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 14, 300);
    load.sends(300).await?;
    // One of them coordinates the group, one the transactions.
    for number in 1..=3 {
        world.broker().kill(number);
        let began = Instant::now();
        comes_on(&world, 300).await?;
        println!("three brokers: 300 records read on {:?} after the loss of broker {number}", began.elapsed());
        world.broker().restart(number);
        let began = Instant::now();
        while topic::least_in_sync(world.bootstrap()).await? < 3 {
            ensure!(began.elapsed() < PATIENCE, "broker {number} is not in sync after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    comes_on(&world, 300).await?;
    load.end()?;
    let mut rejoins = Vec::new();
    for name in ["one", "two"] {
        rejoins.push(world.metric(name, "playledger_worker_rejoins_total").await?);
    }
    settle(&format!("three brokers, each lost once; joined anew {rejoins:?}"), &world, &feed).await?;
    world.terminate_all()
}
