//! A projector that is older than the tables.

use anyhow::ensure;

use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_runs_while_a_newer_one_changes_the_tables_writes_no_more_and_says_so() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["old"]).await?;
    let flow = world.flow(5)?;
    flow.sends(200).await?;
    // As a newer one does it: claims go first, then the tables change, all under the lock.
    let mut newer = world.pool().begin().await?;
    let script = "SELECT pg_advisory_xact_lock(hashtextextended('playledger/play', 0));
        UPDATE play_g1.offsets SET epoch = epoch + 1;
        ALTER TABLE play_g1.sessions RENAME COLUMN game TO title;
        INSERT INTO play_g1._sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9000, 'of a later release', true, '\\x00', 0)";
    sqlx::raw_sql(script).execute(&mut *newer).await?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM play_g1.sessions").fetch_one(&mut *newer).await?;
    newer.commit().await?;
    flow.sends(200).await?;
    let said = world.projectors.fails("old").await?;
    println!("older than the tables: {said}");
    ensure!(said.contains("newer projector") && said.contains("9000") && said.contains("upgrade"), "{said}");
    let now: i64 = sqlx::query_scalar("SELECT count(*) FROM play_g1.sessions").fetch_one(world.pool()).await?;
    assert_eq!(now, rows, "nothing was written to tables that it does not know");
    Ok(())
}
