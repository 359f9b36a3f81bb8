//! Rows that the server had acknowledged and lost in a crash, when no record comes after them.

use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_crash_took_back_come_again_although_no_record_follows_them() -> anyhow::Result<()> {
    // What was committed reaches the disk as late as can be.
    let mut world = World::on(&std::env::temp_dir(), "wal_writer_delay = 10s\nwal_writer_flush_after = 1GB").await?;
    world.start(&["one"]).await?;
    let flow = world.flow(225)?;
    flow.sends(200).await?;
    flow.end().await?;
    world.follows().await?;
    let before = world.tables.number("SELECT count(*) FROM play.sessions").await?;
    world.blocking(|cluster| {
        cluster.kill();
        cluster.restart();
    });
    world.follows().await?;
    let counted = super::recount::recount(&world.projectors, &world.tables).await?;
    let lines = world.projectors.told("one", "reading them again")?.len();
    println!(
        "22, taken back: {before} sessions written, {lines} stretches lost by the server and read again; {counted}"
    );
    assert!(lines > 0, "the crash took nothing back");
    world.projectors.terminate_all()
}
