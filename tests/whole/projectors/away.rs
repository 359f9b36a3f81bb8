//! A Postgres that is away for a while, or says nothing any more: the projector says so, waits, and comes back.

use std::time::Duration;

use playledger_tests::postgres_proxy::Fault;

use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_away_is_told_waited_for_and_nothing_is_lost() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    // Without a record there is nothing to be written, and still it is told.
    world.blocking(super::postgres::Cluster::crash);
    let words = world.projectors.answers("one", 503).await?;
    assert!(words.contains("Postgres is away"), "{words}");
    world.blocking(super::postgres::Cluster::restart);
    world.projectors.answers("one", 200).await?;

    let flow = world.flow(7)?;
    for _ in 0..2 {
        flow.sends(200).await?;
        world.blocking(super::postgres::Cluster::crash);
        world.projectors.answers("one", 503).await?;
        flow.sends(600).await?;
        assert!(world.projectors.lives("one").await?, "waiting is no hanging");
        world.blocking(super::postgres::Cluster::restart);
        world.projectors.answers("one", 200).await?;
    }
    let waits = world.projectors.told("one", "waiting; will go on by itself")?.len();
    world.settle(&format!("away: 3 times, told {waits} times"), flow).await?;
    let connection =
        world.projectors.count("one", "playledger_projector_retries_total{sqlstate=\"connection\"").await?;
    assert!(connection > 0, "retries are counted");
    world.projectors.terminate_all()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_vanishes_without_a_word_is_given_up_and_reached_again() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let flow = world.flow(8)?;
    flow.sends(200).await?;
    world.proxy.set(Fault::Silence);
    let words = world.projectors.answers("one", 503).await?;
    // As often as it takes to use up what connections there may be.
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(world.projectors.lives("one").await?, "waiting is no hanging");
    world.proxy.set(Fault::None);
    world.projectors.answers("one", 200).await?;
    flow.sends(200).await?;
    world.settle(&format!("away without a word: {}", words.trim()), flow).await?;
    world.projectors.terminate_all()
}
