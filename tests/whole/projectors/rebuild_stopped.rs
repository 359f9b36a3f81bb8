//! A rebuild that is told to stop, or killed, wherever it is: it ends as it should and is taken up again.

use nix::sys::signal::Signal;

use super::World;

const STOPPED: &str = "stopped; the same command goes on from here";
/// What a fill writes to, and nobody else.
const FILLED: &str = "play_g2.sessions";
/// What a comparison reads, and hardly anybody else.
const COMPARED: &str = "play_g1.second_lives";

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_told_to_stop_or_killed_wherever_it_is_ends_cleanly_and_is_taken_up_again()
-> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let flow = world.slow_flow(281)?;
    flow.sends(100).await?;
    world.run(&["rebuild", "--dry-run"]).await?.must(0, "equal; nothing was switched")?;

    for (table, signal) in
        [(FILLED, Some(Signal::SIGINT)), (FILLED, None), (COMPARED, Some(Signal::SIGTERM)), (COMPARED, None)]
    {
        flow.sends(10).await?;
        let lock = world.lock(table).await?;
        let mut rebuilding = world.begin(&["rebuild"], &world.url())?;
        world.is_wanted(table).await?;
        let Some(signal) = signal else {
            rebuilding.kill()?;
            lock.rollback().await?;
            world.goes_on_in(1).await?;
            continue;
        };
        rebuilding.signal(signal)?;
        rebuilding.says("stopping once what is being written stands").await?;
        // A load under way ends first; nothing else has to be waited for.
        if table == FILLED {
            lock.rollback().await?;
            rebuilding.ends().await?.must(1, STOPPED)?;
        } else {
            rebuilding.ends().await?.must(1, STOPPED)?;
            lock.rollback().await?;
        }
        world.goes_on_in(1).await?;
    }

    // Where it waits for readers, at the very end.
    let mut reader = world.pool().begin().await?;
    sqlx::query("SELECT count(*) FROM play.sessions").execute(&mut *reader).await?;
    let mut rebuilding = world.begin(&["rebuild"], &world.url())?;
    rebuilding.says("long transactions").await?;
    rebuilding.signal(Signal::SIGTERM)?;
    rebuilding.ends().await?.must(1, STOPPED)?;
    reader.rollback().await?;
    world.goes_on_in(1).await?;

    // A second signal does not wait for anything.
    let lock = world.lock(FILLED).await?;
    let mut rebuilding = world.begin(&["rebuild"], &world.url())?;
    world.is_wanted(FILLED).await?;
    rebuilding.signal(Signal::SIGINT)?;
    rebuilding.says("a second signal ends at once").await?;
    rebuilding.signal(Signal::SIGINT)?;
    rebuilding.ends().await?.must(1, "")?;
    lock.rollback().await?;

    let ended = world.run(&["rebuild"]).await?;
    ended.must(0, "generation 2 is shown")?;
    ended.must_have_said("going on with generation 2")?;
    world.goes_on_in(2).await?;
    world
        .settle("28, stopped: 4 signals and 2 kills −9 while filling, comparing and waiting for readers", flow)
        .await?;
    world.projectors.terminate_all()
}
