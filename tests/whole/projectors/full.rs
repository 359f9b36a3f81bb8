//! A Postgres whose disk is full.

use std::time::{Duration, Instant};

use anyhow::ensure;
use playledger_tests::disk::SmallDisk;

use super::{PATIENCE, World};

/// What it says then.
const FULL: &str = "No space left on device";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_postgres_is_a_pause_with_a_clear_line_and_all_goes_on_when_there_is_room()
-> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount(160)? else { return Ok(()) };
    std::fs::set_permissions(disk.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let mut world = World::on(disk.path(), "max_wal_size = 48MB\nmin_wal_size = 32MB").await?;
    world.start(&["one"]).await?;
    let flow = world.flow(26)?;
    flow.sends(300).await?;
    let bytes = disk.fill()?;
    // Rows still fit into pages that are there, for a while.
    let words = world.projectors.answers("one", 503).await?;
    let began = Instant::now();
    let said = loop {
        let lines = world.projectors.told("one", "waiting; will go on by itself")?;
        let line = lines.iter().filter_map(|line| line["why"].as_str()).find(|why| why.contains(FULL));
        if let Some(line) = line {
            break line.to_owned();
        }
        // A server that could not write its own log ends; then that is what is told.
        if world.cluster.log().contains(FULL) && !world.blocking(super::postgres::Cluster::answers) {
            break words.trim().to_owned();
        }
        ensure!(began.elapsed() < PATIENCE, "no line says that the disk is full: {words}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(world.projectors.lives("one").await?, "waiting is no hanging");
    let full = world.projectors.count("one", "playledger_projector_retries_total{sqlstate=\"53100\"").await?;
    disk.make_room()?;
    let ran = world.blocking(super::postgres::Cluster::answers);
    if !ran {
        world.blocking(super::postgres::Cluster::restart);
    }
    world.projectors.answers("one", 200).await?;
    flow.sends(300).await?;
    let row = format!(
        "26: full by {bytes} bytes; {full} attempts refused as full; the server {}",
        if ran { "ran on" } else { "had ended" }
    );
    world.settle(&row, flow).await?;
    println!("26: the projector: {said}");
    world.projectors.terminate_all()
}
