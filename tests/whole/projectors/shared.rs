//! Projectors that come, go and are killed under load.

use super::{ALL, World};

#[tokio::test(flavor = "multi_thread")]
async fn projectors_that_come_go_and_are_killed_lose_and_double_nothing() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let flow = world.flow(230_000)?;
    flow.sends(300).await?;
    let url = world.url();
    for name in ["two", "three"] {
        world.projectors.start(name, &url)?;
        flow.sends(300).await?;
    }
    for turn in 0..6 {
        let name = ["one", "two", "three"][turn % 3];
        world.projectors.kill(name)?;
        flow.sends(150).await?;
        world.projectors.again(name)?;
        flow.sends(150).await?;
    }
    for name in ["two", "three"] {
        world.projectors.ready(name)?;
        let status = world.projectors.terminate(name)?;
        anyhow::ensure!(status.success(), "{name} ended with {status}");
        flow.sends(150).await?;
    }
    world.projectors.ready("one")?;
    world.projectors.has("one", ALL).await?;
    world.settle("22, shared: projectors 1 → 3 → 1, 6 killed", flow).await?;
    world.projectors.terminate_all()
}
