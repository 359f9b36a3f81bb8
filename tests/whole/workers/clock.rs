//! The clock of a worker's host, and its end at the worst of times.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use schemas::data::CloseReason;

use super::load::{Load, now_ms};
use super::{settle, workers};

/// What tells a process another time, built into this folder.
fn library(folder: &Path) -> anyhow::Result<String> {
    let library = folder.join("clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/whole/workers/clock.c");
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(source).status()?;
    ensure!(built.success(), "{source} can't be built");
    Ok(library.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_by_an_hour_closes_no_session() -> anyhow::Result<()> {
    // Longer than any session of the load rests.
    let mut world = workers(&[("--session-timeout", "15s")])?;
    let clock = world.folder().join("clock").display().to_string();
    let library = library(world.folder())?;
    let environment = [("LD_PRELOAD", library.as_str()), ("CLOCK_FILE", &clock)];
    let [ahead, behind] = ["3600", "-3600"];
    std::fs::write(&clock, ahead)?;
    world.launch("one", None, &environment)?;
    world.ready("one")?;
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 25, 500);
    // Its own time it reads when it starts; its client always.
    load.sends(400).await?;
    std::fs::write(&clock, behind)?;
    load.sends(1_000).await?;
    let status = world.terminate("one")?;
    ensure!(status.success(), "it ended with {status}");
    world.again("one")?;
    world.ready("one")?;
    load.sends(400).await?;
    std::fs::write(&clock, ahead)?;
    load.sends(1_000).await?;
    load.end()?;
    let content = settle("25", &world, &feed).await?;

    let (half_an_hour, now) = (30 * 60_000, now_ms());
    let written = content.state.iter().flatten().map(|record| record.timestamp_ms - now);
    let (early, late) = written.fold((0, 0), |(early, late), from| {
        (early + u32::from(from < -half_an_hour), late + u32::from(from > half_an_hour))
    });
    let rejoins = world.metric("one", "playledger_worker_rejoins_total").await?;
    println!("25: {late} records of state an hour ahead, {early} an hour behind; joined anew {rejoins} times");
    ensure!(early > 0 && late > 0, "the worker has seen no other time");
    let mut latest = BTreeMap::new();
    for report in content.reports() {
        latest.insert(report.session, report.facts.metrics.event_count);
    }
    let ran_out = content.reports().filter(|report| report.facts.close_reason == CloseReason::Timeout);
    let early = ran_out.filter(|report| latest.get(&report.session) != Some(&report.facts.metrics.event_count)).count();
    ensure!(early == 0, "{early} sessions were closed before their last event");
    world.terminate_all()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_end_at_peak_ends_in_time_and_loses_nothing() -> anyhow::Result<()> {
    let mut world = workers(&[])?;
    let names = ["one", "two"];
    for name in names {
        world.launch(name, None, &[])?;
    }
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 250, 3_000);
    let mut longest = Duration::ZERO;
    for turn in 0..6 {
        let name = names[turn % 2];
        world.ready(name)?;
        load.sends(2_000).await?;
        let began = Instant::now();
        let status = world.terminate(name)?;
        longest = longest.max(began.elapsed());
        ensure!(status.success(), "{name} ended with {status}");
        world.again(name)?;
    }
    load.end()?;
    for name in names {
        world.ready(name)?;
    }
    settle(&format!("25: 6 times SIGTERM at peak, exit 0 after {longest:?} at most"), &world, &feed).await?;
    world.terminate_all()
}
