//! More workers and fewer, under load.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use playledger_tests::world::Workers;

use super::load::Load;
use super::{PARTITIONS, settle, workers};

const ALL: [&str; 4] = ["one", "two", "three", "four"];

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_becomes_four_then_two_then_one_and_every_event_counts_once() -> anyhow::Result<()> {
    let mut world = workers(&[])?;
    world.start(ALL[0])?;
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 21, 1_000);
    load.sends(1_500).await?;
    for name in &ALL[1..] {
        world.launch(name, None, &[])?;
    }
    for name in &ALL[1..] {
        world.ready(name)?;
    }
    for name in ALL {
        world.reaches(name, "playledger_worker_partitions", 1.0).await?;
    }
    load.sends(1_500).await?;
    for (gone, left) in [(&ALL[2..], &ALL[..2]), (&ALL[1..2], &ALL[..1])] {
        for name in gone {
            let status = world.terminate(name)?;
            ensure!(status.success(), "{name} ended with {status}");
        }
        let share = PARTITIONS / u32::try_from(left.len())?;
        for name in left {
            world.has(name, share).await?;
        }
        load.sends(1_500).await?;
    }
    load.end()?;
    settle("21", &world, &feed).await?;
    let mut pauses = Vec::new();
    for name in ALL {
        pauses.extend(pauses_of(&world, name)?);
    }
    pauses.sort_unstable();
    let longest = pauses.last().copied().context("no partition went from one to another")?;
    println!(
        "21: {} hand-overs of a partition; it stood still for {} ms at the median, {longest} ms at most",
        pauses.len(),
        pauses[pauses.len() / 2]
    );
    // More than its own share has to go each time, or nobody was relieved.
    ensure!(pauses.len() >= 6, "{pauses:?}");
    ensure!(longest < 60_000, "{pauses:?}");
    world.terminate_all()
}

/// How long partitions stood still when this worker got them, in ms.
fn pauses_of(world: &Workers, name: &str) -> anyhow::Result<Vec<u64>> {
    let lines = world.told(name, "read on after a hand-over")?;
    lines.iter().map(|line| line["pause_ms"].as_u64().with_context(|| line.to_string())).collect()
}
