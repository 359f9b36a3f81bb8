//! Connections that break exactly at COMMIT: the projector does not know what became of its load, and finds out.

use playledger_tests::postgres_proxy::Fault;

use super::World;

const CUTS: u64 = 10;
const RETRIES: &str = "playledger_projector_retries_total";

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_at_commit_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let flow = world.flow(220)?;
    let hits = world.proxy.hit();
    for _ in 0..CUTS {
        for fault in [Fault::CutBeforeCommit, Fault::CutAfterCommit] {
            flow.sends(40).await?;
            let before = world.projectors.count("one", RETRIES).await?;
            world.proxy.hits(fault).await?;
            // Noticed and got over, so that the next one meets another load.
            world.projectors.reaches("one", RETRIES, f64::from(u32::try_from(before + 1)?)).await?;
            world.projectors.answers("one", 200).await?;
        }
    }
    flow.sends(100).await?;
    world.settle(&format!("22, cut: {CUTS} before the server has it and {CUTS} before its answer"), flow).await?;
    assert_eq!(world.proxy.hit() - hits, 2 * CUTS);
    let retries = world.projectors.count("one", RETRIES).await?;
    println!("22, cut: {retries} attempts repeated");
    assert!(retries >= 2 * CUTS, "each cut was noticed: {retries}");
    assert_eq!(world.projectors.count("one", "playledger_projector_fenced_total").await?, 0);
    world.projectors.terminate_all()
}
