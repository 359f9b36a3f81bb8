//! Topics that are deleted and made again, or lose their beginning, under the projector: it stops, says why, and skips
//! nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use playledger_tests::feed::Feed;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::{ALL, PATIENCE, World, flow};

fn admin(world: &World) -> anyhow::Result<AdminClient<DefaultClientContext>> {
    Ok(ClientConfig::new().set("bootstrap.servers", world.projectors.bootstrap()).create()?)
}

/// Deletes play.sessions and makes it again.
async fn remake(world: &World) -> anyhow::Result<()> {
    let topic = world.projectors.topic("sessions");
    for deleted in admin(world)?.delete_topics(&[&topic], &AdminOptions::new()).await? {
        deleted.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    let began = Instant::now();
    // It takes the broker a moment to forget it.
    while let Err(error) = world.blocking(|_| world.projectors.create_topics()) {
        ensure!(began.elapsed() < PATIENCE, "not made again: {error:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Writes reports of so many sessions.
async fn fill(feed: &Feed, seed: u64, sessions: u64) -> anyhow::Result<()> {
    for session in 0..sessions {
        let (player, value) = flow::report(seed, session, 1);
        let key = format!("acme/{player}");
        feed.raw_now(key.as_bytes(), Some(value.to_string().as_bytes()))?;
    }
    feed.flush().await.map(drop)
}

/// What the offsets of play.sessions add up to, and how many sessions there are.
async fn standing(world: &World) -> anyhow::Result<(i64, i64)> {
    let topic = world.projectors.topic("sessions");
    let sql = format!("SELECT sum(next_offset)::bigint FROM play.offsets WHERE topic = '{topic}'");
    Ok((world.tables.number(&sql).await?, world.tables.number("SELECT count(*) FROM play.sessions").await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_again_under_the_projector_stops_it_although_it_holds_the_old_offset_again() -> anyhow::Result<()>
{
    let mut world = World::new().await?;
    let url = world.url();
    // The group does not miss it: it reads on as if nothing had been.
    world.projectors.launch_with("one", &url, &["--kafka-set", "session.timeout.ms=60000"])?;
    world.projectors.ready("one")?;
    world.projectors.has("one", ALL).await?;
    fill(&world.projectors.feed("sessions")?, 29, 200).await?;
    world.tables.wait_for("SELECT count(*) FROM play.sessions", 200).await?;
    let before = standing(&world).await?;
    world.projectors.signal("one", Signal::SIGSTOP)?;
    remake(&world).await?;
    // More than it ever held: whoever reads on at the old offset skips the beginning.
    fill(&world.projectors.feed("sessions")?, 290, 4_000).await?;
    world.projectors.signal("one", Signal::SIGCONT)?;
    let said = world.projectors.fails("one").await?;
    println!("29: made again under it: {said}");
    ensure!(said.contains("made again") && said.contains("sessions"), "{said}");
    assert_eq!(standing(&world).await?, before, "nothing of the new topic was written or skipped");
    // Started anew it says so, too, and writes no more.
    world.projectors.launch("one", &url)?;
    let said = world.projectors.fails("one").await?;
    println!("29: made again before a start: {said}");
    ensure!(said.contains("another one now"), "{said}");
    assert_eq!(standing(&world).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_lost_what_comes_next_stops_the_projector() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let feed = world.projectors.feed("sessions")?;
    fill(&feed, 291, 200).await?;
    world.tables.wait_for("SELECT count(*) FROM play.sessions", 200).await?;
    let status = world.projectors.terminate("one")?;
    ensure!(status.success(), "{status}");
    let before = standing(&world).await?;
    // Unread records go, as by a retention that is too short.
    fill(&feed, 292, 200).await?;
    let mut cut = TopicPartitionList::new();
    for (partition, records) in world.projectors.read("sessions").await?.iter().enumerate() {
        let last = records.last().context("a partition without records")?;
        cut.add_partition_offset(
            &world.projectors.topic("sessions"),
            i32::try_from(partition)?,
            Offset::Offset(last.offset),
        )?;
    }
    admin(&world)?.delete_records(&cut, &AdminOptions::new()).await?;
    let url = world.url();
    world.projectors.launch("one", &url)?;
    let said = world.projectors.fails("one").await?;
    println!("29: truncated: {said}");
    ensure!(said.contains("dropped before they were read") && said.contains("sessions"), "{said}");
    assert_eq!(standing(&world).await?, before, "nothing was skipped");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_that_were_dropped_before_they_were_read_stop_nobody() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let (live, sessions) = (world.projectors.feed("live")?, world.projectors.feed("sessions")?);
    // Kept from writing, it falls behind; its partitions stay its own.
    world.blocking(super::postgres::Cluster::crash);
    world.projectors.answers("one", 503).await?;
    for n in 0..400 {
        live.raw_now(format!("acme/{n}").as_bytes(), None)?;
    }
    live.flush().await?;
    let mut all = TopicPartitionList::new();
    for partition in 0..super::PARTITIONS {
        all.add_partition_offset(&world.projectors.topic("live"), i32::try_from(partition)?, Offset::End)?;
    }
    admin(&world)?.delete_records(&all, &AdminOptions::new()).await?;
    world.blocking(super::postgres::Cluster::restart);
    fill(&sessions, 293, 100).await?;
    world.tables.wait_for("SELECT count(*) FROM play.sessions", 100).await?;
    world.projectors.answers("one", 200).await?;
    world.projectors.has("one", ALL).await?;
    world.follows().await?;
    world.projectors.terminate_all()
}
