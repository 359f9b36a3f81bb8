//! A projector that stands still, longer than its group waits for it, and then goes on as if nothing had been.

use std::time::{Duration, Instant};

use anyhow::ensure;
use nix::sys::signal::Signal;
use playledger_tests::postgres_proxy::Fault;

use super::{ALL, PATIENCE, World};

const FENCED: &str = "playledger_projector_fenced_total";

/// Waits until a projector has been refused once more.
async fn refused(world: &World, name: &str, before: u64) -> anyhow::Result<u64> {
    let began = Instant::now();
    loop {
        let now = world.projectors.count(name, FENCED).await?;
        if now > before {
            return Ok(now - before);
        }
        ensure!(began.elapsed() < PATIENCE, "{name} was not refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_projectors_on_one_partition_one_paused_in_mid_transaction_the_loser_is_refused() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["zombie", "heir"]).await?;
    let flow = world.flow(23)?;
    flow.sends(300).await?;
    // The heir goes past the proxy's fault: a heir whose COMMITs are held, too, could claim nothing.
    world.projectors.kill("heir")?;
    world.projectors.has("zombie", ALL).await?;
    let before = world.projectors.count("zombie", FENCED).await?;
    world.proxy.hits(Fault::HoldCommits).await?;
    world.projectors.signal("zombie", Signal::SIGSTOP)?;
    // Its locks are held until the server misses it.
    world.projectors.launch("heir", &world.database.url.clone())?;
    world.projectors.ready("heir")?;
    world.projectors.has("heir", ALL).await?;
    flow.sends(300).await?;
    let written = world.tables.number("SELECT count(*) FROM play.sessions").await?;
    world.tables.number_above("SELECT count(*) FROM play.sessions", written).await?;
    world.projectors.signal("zombie", Signal::SIGCONT)?;
    world.proxy.set(Fault::None);
    let refused = refused(&world, "zombie", before).await?;
    for name in ["zombie", "heir"] {
        world.projectors.has(name, ALL / 2).await?;
    }
    flow.sends(300).await?;
    world.settle(&format!("23: paused in mid-transaction, {refused} stretches refused"), flow).await?;
    world.projectors.terminate_all()
}

#[tokio::test(flavor = "multi_thread")]
async fn projectors_stopped_at_any_moment_past_their_session_write_nothing_when_they_go_on() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one", "two"]).await?;
    let flow = world.flow(230)?;
    let names = ["one", "two"];
    for turn in 0..4 {
        flow.sends(200 + 31 * turn).await?;
        let (stopped, other) = if turn % 2 == 0 { ("one", "two") } else { ("two", "one") };
        world.projectors.signal(stopped, Signal::SIGSTOP)?;
        world.projectors.has(other, ALL).await?;
        world.projectors.signal(stopped, Signal::SIGCONT)?;
        for name in names {
            world.projectors.has(name, ALL / 2).await?;
        }
    }
    flow.sends(200).await?;
    let refused = world.sum(&names, FENCED).await?;
    world.settle(&format!("23, at any moment: 4 stops, {refused} stretches refused"), flow).await?;
    world.projectors.terminate_all()
}
