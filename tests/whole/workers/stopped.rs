//! Workers that stand still for longer than their group waits for them, and then go on as if nothing had been.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use playledger_tests::behind;
use playledger_tests::proxy::{Call, Fault, Proxy};
use playledger_tests::world::Workers;

use super::load::Load;
use super::{PARTITIONS, PATIENCE, settle, workers};

/// Waits until the proxy has kept one more request back.
pub(super) async fn keeps_back(proxy: &Proxy, before: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    while proxy.counts().kept_back <= before {
        ensure!(began.elapsed() < PATIENCE, "no such request after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// How often the log refused a worker's commits, and how often it dropped everything.
async fn undone(world: &Workers, name: &str) -> anyhow::Result<(f64, f64)> {
    Ok((
        world.metric(name, "playledger_log_aborts_total").await?,
        world.metric(name, "playledger_worker_rejoins_total").await?,
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_when_its_partitions_are_anothers_has_its_commit_refused() -> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = workers(&[])?;
    world.launch("zombie", Some(&proxy.address()), &[])?;
    world.ready("zombie")?;
    world.start("heir")?;
    for name in ["zombie", "heir"] {
        world.has(name, PARTITIONS / 2).await?;
    }
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 18, 500);
    load.sends(500).await?;
    let before = undone(&world, "zombie").await?;

    // With its outputs written and its offsets still on their way to the group.
    let kept_back = proxy.counts().kept_back;
    proxy.set(Fault::Hold(Call::CommitOffsets));
    keeps_back(&proxy, kept_back).await?;
    world.signal("zombie", Signal::SIGSTOP)?;
    world.reaches("heir", "playledger_worker_partitions", f64::from(PARTITIONS)).await?;
    world.signal("zombie", Signal::SIGCONT)?;
    proxy.set(Fault::None);
    let began = Instant::now();
    let after = loop {
        let after = undone(&world, "zombie").await?;
        if after.0 > before.0 {
            break after;
        }
        ensure!(began.elapsed() < PATIENCE, "its commit was not refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let refused = world.told("zombie", "Failed to commit offsets to transaction")?;
    let refused = refused.last().and_then(|line| line["message"].as_str()).context("it tells no refusal")?;
    println!("18: the zombie's commits refused and joined anew {before:?}, then {after:?}: {refused:.220}");
    // It gets its share again, and works.
    world.has("zombie", PARTITIONS / 2).await?;
    load.sends(500).await?;
    load.end()?;
    settle("18", &world, &feed).await?;
    world.terminate_all()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_at_any_moment_past_its_session_doubles_nothing_when_it_goes_on() -> anyhow::Result<()> {
    let mut world = workers(&[("--commit-interval", "5ms")])?;
    for name in ["one", "two"] {
        world.launch(name, None, &[])?;
    }
    for name in ["one", "two"] {
        world.ready(name)?;
        world.has(name, PARTITIONS / 2).await?;
    }
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 180, 500);
    for (turn, (stopped, other)) in [("one", "two"), ("two", "one"), ("one", "two")].into_iter().enumerate() {
        load.sends(400 + 7 * turn as u64).await?;
        world.signal(stopped, Signal::SIGSTOP)?;
        world.reaches(other, "playledger_worker_partitions", f64::from(PARTITIONS)).await?;
        world.signal(stopped, Signal::SIGCONT)?;
        world.has(stopped, PARTITIONS / 2).await?;
    }
    load.sends(300).await?;
    load.end()?;
    let (one, two) = (undone(&world, "one").await?, undone(&world, "two").await?);
    settle("18, at any moment: 3 stops", &world, &feed).await?;
    println!("18, at any moment: commits refused and joined anew {one:?}, {two:?}");
    world.terminate_all()
}
