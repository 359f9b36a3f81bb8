//! A Postgres that is stopped at the moment of a COMMIT, at once or by kill −9: before it has it, or when it has carried
//! it out and nobody knows.

use playledger_tests::postgres_proxy::Fault;

use super::World;

/// Stops of every run of the tests; `STOPS` asks for more.
const STOPS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_stopped_at_commit_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let stops = std::env::var("STOPS").ok().map_or(Ok(STOPS), |text| text.parse())?;
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let flow = world.flow(22)?;
    let mut done = [[0; 2]; 2];
    for stop in 0..stops {
        flow.sends(300).await?;
        // Before the server has the COMMIT, or after it has carried it out; an immediate stop, or kill −9.
        let (after, killed) = (stop % 2, stop / 2 % 2);
        world.proxy.hits([Fault::HoldCommits, Fault::HoldAnswers][after]).await?;
        world.blocking(|cluster| if killed == 1 { cluster.kill() } else { cluster.crash() });
        world.proxy.set(Fault::None);
        world.projectors.answers("one", 503).await?;
        world.blocking(super::postgres::Cluster::restart);
        world.projectors.answers("one", 200).await?;
        done[after][killed] += 1;
    }
    flow.sends(300).await?;
    let counted = world.settle(&format!("22: {stops} stops at COMMIT"), flow).await?;
    let retries = world.projectors.count("one", "playledger_projector_retries_total").await?;
    let read_again = world.projectors.told("one", "reading them again")?.len();
    println!(
        "22: {stops} stops: before the server had it {:?}, after it had committed {:?} (immediate, kill −9); {retries} \
         attempts repeated, {read_again} stretches that the server had lost read again, {} COMMITs in all; {} tables exact",
        done[0],
        done[1],
        world.proxy.commits(),
        counted.tables(),
    );
    assert_eq!(world.projectors.count("one", "playledger_projector_fenced_total").await?, 0, "nobody else claimed");
    world.projectors.terminate_all()
}
