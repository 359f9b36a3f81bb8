//! kill −9 of workers at any moment.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::load::Load;
use super::{settle, workers};

/// Kills of every run of the tests; `KILLS` asks for more.
const KILLS: u32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_under_load_lose_and_double_nothing() -> anyhow::Result<()> {
    let kills = std::env::var("KILLS").ok().map_or(Ok(KILLS), |text| text.parse())?;
    let mut world = workers(&[])?;
    for name in ["one", "two"] {
        world.launch(name, None, &[])?;
    }
    for name in ["one", "two"] {
        world.ready(name)?;
    }
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 17, 1_000);
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut killed = [0, 0];
    for _ in 0..kills {
        // Any moment: while it works, while it commits, while it restores what its last life left.
        load.sends(rng.random_range(50..2_500)).await?;
        let turn = usize::from(rng.random_bool(0.5));
        let name = ["one", "two"][turn];
        world.kill(name)?;
        killed[turn] += 1;
        world.again(name)?;
    }
    load.sends(500).await?;
    load.end()?;
    for name in ["one", "two"] {
        world.ready(name)?;
    }
    settle(&format!("17: {kills} kills {killed:?}"), &world, &feed).await?;
    world.terminate_all()
}
