//! Tables made anew while reports flow and people read: no error, no gap, no mixture, and all of it equal to a recount.

mod marks;
mod probe;
mod readers;

use std::time::Instant;

use anyhow::ensure;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ALL, PARTITIONS, World};
use marks::{mark, marked_views, unmark};
use probe::Probe;
use readers::Readers;

/// What the flow leaves out: a running session, events, a record that is none.
async fn something_of_the_rest(world: &World) -> anyhow::Result<()> {
    let session = Uuid::from_u128(0x28_28);
    let live = json!({"v": 1, "tenant": "acme", "game": "demo", "player": "p-1", "session": session,
                      "started_at": "2026-01-05T08:00:01Z", "last_event_at": "2026-01-05T08:00:09Z", "event_count": 3,
                      "active_ms": 7_500});
    let (lives, events, sessions) =
        (world.projectors.feed("live")?, world.projectors.feed("events")?, world.projectors.feed("sessions")?);
    lives.raw_now(format!("acme/{session}").as_bytes(), Some(live.to_string().as_bytes()))?;
    sessions.raw_now(b"acme/p-1", Some(b"no report"))?;
    for seq in 0..20_u64 {
        let id = Uuid::from_u64_pair(28, seq);
        let event = json!({"event_id": id, "session_id": session, "player_id": "p-1", "seq": seq,
                           "event_type": "choice.made", "timestamp": "2026-01-05T08:00:00Z", "data": {}});
        events.event(&event, 1_767_600_000_000 + i64::try_from(seq)?)?;
    }
    for feed in [lives, events, sessions] {
        feed.flush().await?;
    }
    world.tables.wait_for("SELECT count(*) FROM play.event_log", 20).await?;
    world.tables.wait_for("SELECT count(*) FROM play.live_sessions", 1).await?;
    world.tables.wait_for("SELECT count(*) FROM play.quarantine", 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_made_anew_while_reports_flow_are_shown_without_an_error_a_gap_or_a_mixture() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let url = world.url();
    world.projectors.launch_with("one", &url, &["--event-log"])?;
    world.projectors.ready("one")?;
    world.projectors.has("one", ALL + PARTITIONS).await?;
    let first = world.flow(27)?;
    something_of_the_rest(&world).await?;
    first.sends(1_000).await?;
    first.end().await?;
    world.follows().await?;
    let flow = world.slow_flow(28)?;

    // Rows that the log does not give tell the old tables from the new ones.
    mark(world.pool(), "play_g1").await?;
    let marked = marked_views(world.pool()).await?;
    ensure!(marked.len() >= 14, "marked: {marked:?}");
    let mut readers = Readers::start(&world.database.url, &marked).await?;
    let probe = Probe::start(&world.projectors, &world.database.url)?;
    probe.sees(40).await?;
    let before = probe.taken();

    let began = Instant::now();
    let refused = world.run(&["rebuild"]).await?;
    refused.must(1, "different; nothing was switched")?;
    ensure!(readers.saw().new == 0, "nothing was switched");
    let comparison: Value = serde_json::from_slice(&std::fs::read(world.comparison())?)?;
    for model in comparison["models"].as_array().into_iter().flatten() {
        // Nothing but the marks differs, one in each table that could be marked.
        ensure!(model["differing_rows"].as_i64() <= Some(1), "{model}");
    }
    let switched = world.run(&["rebuild", "--accept"]).await?;
    let took = began.elapsed();
    switched.must(0, "generation 2 is shown")?;
    switched.must_have_said("going on with generation 2")?;
    readers.see_more().await?;
    let during = probe.taken();

    let began = Instant::now();
    let back = world.run(&["rollback"]).await?;
    let rollback_took = began.elapsed();
    back.must(0, "generation 1 is shown")?;
    readers.see_more().await?;
    world.run(&["prune"]).await?.must(0, "dropped: 2")?;
    world.goes_on_in(1).await?;

    let read = readers.stop().await?;
    unmark(world.pool(), "play_g1").await?;
    let after = probe.stop().await?;
    let held: [u64; 3] = [refused.held_up_ms()?, switched.held_up_ms()?, back.held_up_ms()?];
    println!(
        "28: rebuilt twice over in {took:.1?}, rolled back in {rollback_took:.1?}; loads were held up at most {held:?} ms; \
         {read}; {} views told apart",
        marked.len()
    );
    println!("28: report → row: before {before}; while rebuilding {during}; while rolling back and after {after}");
    world.settle("28", flow).await?;
    world.projectors.terminate_all()
}
