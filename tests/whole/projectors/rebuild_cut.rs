//! The COMMIT that moves the views, when its answer is lost or whoever sent it is killed: it stood or it did not, the
//! command finds out which, and projectors go on in the right generation.

use std::time::Duration;

use playledger_tests::postgres_proxy::{Fault, PostgresProxy};

use super::World;
use super::postgres::Cluster;

/// What a session says right before that COMMIT, and no other.
const MOVES: &str = "SET shown_until = excluded.shown_until";

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_whose_answer_is_lost_or_whose_sender_is_killed_is_found_out_and_projectors_go_on_where_they_should()
-> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let flow = world.slow_flow(282)?;
    flow.sends(100).await?;
    let proxy = PostgresProxy::aimed(world.cluster.socket(), MOVES)?;
    let url = proxy.url(world.name());

    // It stood. Nobody waits for him who waits for the answer.
    let mut rebuilding = world.begin(&["rebuild"], &url)?;
    proxy.hits(Fault::HoldAnswers).await?;
    world.goes_on_in(2).await?;
    let rows = world.tables.number("SELECT count(*) FROM play_g1.sessions").await?;
    proxy.set(Fault::None);
    let ended = rebuilding.ends().await?;
    ended.must(0, "generation 2 is shown")?;
    ended.must_have_said("the switch had taken place")?;

    // It did not stand.
    let mut rollback = world.begin(&["rollback"], &url)?;
    proxy.hits(Fault::CutBeforeCommit).await?;
    let ended = rollback.ends().await?;
    ended.must(1, "")?;
    ended.must_have_said("the switch did not take place")?;
    ended.must_have_said("generation 2 is shown as before; the same command goes on from here")?;
    world.goes_on_in(2).await?;
    assert!(world.tables.number("SELECT count(*) FROM play_g1.sessions").await? > rows, "it was caught up");

    // Killed before the server has it: by and by it learns that nothing comes any more.
    let mut rollback = world.begin(&["rollback"], &url)?;
    proxy.hits(Fault::HoldCommits).await?;
    rollback.kill()?;
    proxy.set(Fault::CutBeforeCommit);
    world.has_done_with_rebuilds().await?;
    world.goes_on_in(2).await?;

    // Killed when it was on its way already.
    let mut rollback = world.begin(&["rollback"], &url)?;
    proxy.hits(Fault::HoldCommits).await?;
    rollback.kill()?;
    // Long enough for the live projector to find itself held up.
    tokio::time::sleep(Duration::from_millis(500)).await;
    proxy.set(Fault::None);
    world.has_done_with_rebuilds().await?;
    world.goes_on_in(1).await?;

    // It stood, and the server dies with its answer: what was carried out is on the disk.
    let mut rollback = world.begin(&["rollback"], &url)?;
    proxy.hits(Fault::HoldAnswers).await?;
    world.blocking(Cluster::kill);
    proxy.set(Fault::None);
    rollback.says("asking what became of it").await?;
    world.blocking(Cluster::restart);
    let ended = rollback.ends().await?;
    ended.must(0, "generation 2 is shown")?;
    world.projectors.answers("one", 200).await?;
    world.goes_on_in(2).await?;

    world.settle("28, lost: 3 answers to the switch lost (2 stood), 2 senders killed (1 stood)", flow).await?;
    world.projectors.terminate_all()
}
