//! Every worker started again, one after the other, under its name.

use std::sync::Arc;

use anyhow::ensure;

use super::load::Load;
use super::{PARTITIONS, settle, workers};

const ALL: [&str; 3] = ["one", "two", "three"];
const RESTORED: &str = "state restored";

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_named_workers_moves_no_partition_of_another() -> anyhow::Result<()> {
    let mut world = workers(&[("--on-stop", "stay"), ("--kafka-set", "session.timeout.ms=15000")])?;
    for name in ALL {
        world.launch(name, None, &[])?;
    }
    for name in ALL {
        world.ready(name)?;
    }
    let share = PARTITIONS / u32::try_from(ALL.len())?;
    for name in ALL {
        world.has(name, share).await?;
    }
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 12, 500);
    for name in ALL {
        load.sends(500).await?;
        let before: Vec<_> = ALL.iter().map(|name| world.told(name, RESTORED)).collect::<Result<_, _>>()?;
        let status = world.terminate(name)?;
        ensure!(status.success(), "{name} ended with {status}");
        world.again(name)?;
        world.ready(name)?;
        world.has(name, share).await?;
        for (other, before) in ALL.iter().zip(&before) {
            let restored = world.told(other, RESTORED)?.len() - before.len();
            let expected = if *other == name { share } else { 0 };
            ensure!(
                restored == usize::try_from(expected)?,
                "{other} restored {restored} partitions when {name} was restarted"
            );
        }
    }
    load.sends(300).await?;
    load.end()?;
    settle("rolling restart of three, each took its own partitions again and nobody else's moved", &world, &feed)
        .await?;
    world.terminate_all()
}
