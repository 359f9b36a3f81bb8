//! Real play through HTTP in bad order: the tables equal the reference definitions to the last bit.

use playledger_tests::client::Client;
use playledger_tests::tables::{Tables, difference};
use playledger_tests::waves;
use playledger_tests::world::{Daemons, Local};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// The sessions close by time-out, as WAVES closes none: long enough for a slow machine to send them in.
const TIMES: [&str; 4] = ["--session-timeout", "20s", "--grace", "5s"];

/// All events shuffled, and a quarter of them sent twice.
fn shuffled(seed: u64) -> anyhow::Result<Vec<Value>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut events = waves::events()?;
    let again: Vec<_> = events.iter().step_by(4).cloned().collect();
    events.extend(again);
    events.shuffle(&mut random);
    Ok(events)
}

async fn send_and_compare(gateway: &str, client: &Client, tables: &Tables) -> anyhow::Result<()> {
    let (mut accepted, mut duplicates) = (0, 0);
    for batch in shuffled(7)?.chunks(500) {
        let told = client.deliver(|| gateway.to_owned(), batch).await?;
        assert_eq!((told.conflicts, told.rejected), (0, 0));
        accepted += told.accepted;
        duplicates += told.duplicates;
    }
    assert_eq!((accepted, duplicates), (10_049, 2_513));
    tables.wait_for("SELECT count(*) FROM play.sessions WHERE status = 'final'", 49).await?;
    let found = tables.metrics().await?;
    assert_eq!(difference(&waves::metrics()?, &found), None);
    assert_eq!(tables.number("SELECT count(*) FROM play.quarantine").await?, 0);
    assert_eq!(tables.number("SELECT sum(events)::bigint FROM play.activity_by_minute").await?, 10_049);
    assert_eq!(tables.number("SELECT sum(event_count)::bigint FROM play.sessions").await?, 10_049);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shuffled_and_repeated_play_equals_the_reference_on_the_embedded_log() -> anyhow::Result<()> {
    let world = Local::start(&TIMES)?;
    send_and_compare(&world.line.gateway, &world.client()?, &world.tables().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shuffled_and_repeated_play_equals_the_reference_on_kafka() -> anyhow::Result<()> {
    let world = Daemons::start(&[&TIMES[..], &["--late-margin", "3s"]].concat()).await?;
    send_and_compare(&world.gateway, &world.client()?, &world.tables().await?).await
}
