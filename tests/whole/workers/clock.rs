//! The clock of a worker's host, and its end at the worst of times.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use schemas::data::CloseReason;

use super::load::{Load, now_ms};
use super::{settle, workers};

/// Where the library lies that tells a process another time (Debian's package faketime).
fn library() -> anyhow::Result<String> {
    let folders =
        std::fs::read_dir("/usr/lib")?.flatten().map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    let usual = ["/usr/lib/faketime/libfaketimeMT.so.1".into()];
    let found = folders.chain(usual).find(|path| path.exists());
    Ok(found.context("libfaketime is not here: apt-get install faketime")?.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_by_an_hour_closes_no_session() -> anyhow::Result<()> {
    // Longer than any session of the load rests.
    let mut world = workers(&[("--session-timeout", "15s")])?;
    let (library, clock) = (library()?, world.folder().join("clock").display().to_string());
    let environment = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &clock),
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    std::fs::write(&clock, "+0")?;
    world.launch("one", None, &environment)?;
    world.ready("one")?;
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 25, 500);
    for offset in ["+3600", "+0", "-3600", "+3600", "+0"] {
        load.sends(300).await?;
        std::fs::write(&clock, offset)?;
        load.sends(900).await?;
    }
    load.end()?;
    let content = settle("25", &world, &feed).await?;

    let mut stepped = (0, 0);
    for line in world.told("one", "\"timestamp\"")? {
        let at: DateTime<Utc> = line["timestamp"].as_str().context("a line without a time")?.parse()?;
        let ahead = (at.timestamp_millis() - now_ms()) / 60_000;
        stepped.0 += i32::from(ahead > 30);
        stepped.1 += i32::from(ahead < -30);
    }
    let wall = content.state.iter().flatten().map(|record| record.timestamp_ms);
    let (behind, before) = (now_ms() - 30 * 60_000, now_ms() + 30 * 60_000);
    let (early, late) = wall.fold((0, 0), |sum, at| (sum.0 + i32::from(at < behind), sum.1 + i32::from(at > before)));
    println!(
        "25: lines of its log an hour ahead and behind {stepped:?}; records of state {late} ahead, {early} behind"
    );
    ensure!(early > 0 && late > 0, "the worker has seen no other time");
    let mut latest = std::collections::BTreeMap::new();
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
    let mut longest = std::time::Duration::ZERO;
    for turn in 0..6 {
        let name = names[turn % 2];
        world.ready(name)?;
        load.sends(2_000).await?;
        let began = std::time::Instant::now();
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
