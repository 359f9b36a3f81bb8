//! kill −9 of each daemon under load: what was acknowledged is counted, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use feature_worker::metrics_v1::oracle;
use parking_lot::Mutex;
use playledger_tests::client::{Client, Told};
use playledger_tests::tables::{Tables, difference};
use playledger_tests::world::{Daemons, Local, PIPELINE};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use schemas::testing::Style;
use serde_json::{Map, Value};
use uuid::Uuid;

const SESSIONS: usize = 300;

/// Sessions of every event type that close by an event with a seq, and their metrics by the oracle.
struct Load {
    events: Vec<Value>,
    metrics: BTreeMap<Uuid, Map<String, Value>>,
}

fn load(seed: u64) -> anyhow::Result<Load> {
    let mut events = Vec::new();
    let mut metrics = BTreeMap::new();
    let sessions = (seed * 1_000_000..).map(|seed| schemas::testing::session(seed, Style::CLIENT));
    for session in sessions.filter(|session| is_final_by_itself(session)).take(SESSIONS) {
        let texts: Vec<String> = session.iter().map(Value::to_string).collect();
        let parsed: Vec<_> = texts
            .iter()
            .map(|text| schemas::parse::event(text).map_err(|errors| anyhow::anyhow!("{errors:?}")))
            .collect::<anyhow::Result<_>>()?;
        let row = serde_json::to_value(oracle::Session::new(&parsed, 60_000).metrics())?;
        let Value::Object(row) = row else { anyhow::bail!("metrics are no object") };
        metrics.insert(parsed[0].session_id, row);
        events.extend(session);
    }
    // Neighbours change places, as they do on the way; sessions stay interleaved.
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    events.shuffle(&mut random);
    Ok(Load { events, metrics })
}

/// Whether a session is final as soon as all of it has come: counted without a gap, and closed with a seq.
fn is_final_by_itself(session: &[Value]) -> bool {
    let closed = session.iter().any(|event| event["event_type"] == "session.closed");
    closed && session.iter().zip(0_u64..).all(|(event, seq)| event["seq"].as_u64() == Some(seq))
}

/// Sends everything, several requests at a time, until all is acknowledged.
async fn send(
    client: &Client,
    gateway: Arc<Mutex<String>>,
    events: &[Value],
    done: Arc<AtomicUsize>,
) -> anyhow::Result<Told> {
    let mut tasks = tokio::task::JoinSet::new();
    for share in events.chunks(events.len().div_ceil(4)) {
        let (client, gateway, done, share) = (client.clone(), gateway.clone(), done.clone(), share.to_vec());
        tasks.spawn(async move {
            let mut sum = Told::default();
            for batch in share.chunks(50) {
                let told = client.deliver(|| gateway.lock().clone(), batch).await?;
                sum.accepted += told.accepted;
                sum.duplicates += told.duplicates;
                sum.conflicts += told.conflicts;
                sum.rejected += told.rejected;
                sum.sent += told.sent;
                done.fetch_add(batch.len(), Ordering::Relaxed);
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            anyhow::Ok(sum)
        });
    }
    let mut sum = Told::default();
    while let Some(told) = tasks.join_next().await {
        let told = told??;
        sum.accepted += told.accepted;
        sum.duplicates += told.duplicates;
        sum.conflicts += told.conflicts;
        sum.rejected += told.rejected;
        sum.sent += told.sent;
    }
    Ok(sum)
}

/// Waits until so many events have been acknowledged.
async fn reached(done: &AtomicUsize, events: usize) {
    while done.load(Ordering::Relaxed) < events {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn compare(load: &Load, told: Told, tables: &Tables) -> anyhow::Result<()> {
    let sent = i64::try_from(load.events.len())?;
    println!("{sent} events in {} requests: {told:?}", told.sent);
    assert_eq!((told.conflicts, told.rejected), (0, 0));
    assert_eq!(told.accepted + told.duplicates, load.events.len() as u64);
    // Some play on after their close, which has made a final report by then: the counts come first.
    tables.wait_for("SELECT sum(events)::bigint FROM play.activity_by_minute", sent).await?;
    tables.wait_for("SELECT sum(event_count)::bigint FROM play.sessions", sent).await?;
    tables.wait_for("SELECT count(*) FROM play.sessions WHERE status = 'final'", i64::try_from(SESSIONS)?).await?;
    assert_eq!(difference(&load.metrics, &tables.metrics().await?), None);
    assert_eq!(tables.number("SELECT count(*) FROM play.quarantine").await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_daemon_killed_under_load_on_kafka_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let load = load(1)?;
    let mut world = Daemons::start(&[]).await?;
    let (client, tables) = (world.client()?, world.tables().await?);
    let gateway = Arc::new(Mutex::new(world.gateway.clone()));
    let done = Arc::new(AtomicUsize::new(0));
    let events = load.events.clone();
    let sending = tokio::spawn({
        let (gateway, done) = (gateway.clone(), done.clone());
        async move { send(&client, gateway, &events, done).await }
    });
    for (turn, name) in PIPELINE.into_iter().enumerate() {
        reached(&done, load.events.len() * (turn + 1) / 5).await;
        world.kill_and_restart(name)?;
        gateway.lock().clone_from(&world.gateway);
    }
    compare(&load, sending.await??, &tables).await?;
    world.terminate()
}

#[tokio::test(flavor = "multi_thread")]
async fn local_mode_killed_under_load_loses_and_doubles_nothing() -> anyhow::Result<()> {
    let load = load(2)?;
    let mut world = Local::start(&[])?;
    let client = world.client()?;
    let gateway = Arc::new(Mutex::new(world.line.gateway.clone()));
    let done = Arc::new(AtomicUsize::new(0));
    let events = load.events.clone();
    let sending = tokio::spawn({
        let (gateway, done) = (gateway.clone(), done.clone());
        async move { send(&client, gateway, &events, done).await }
    });
    for turn in 1..=2 {
        reached(&done, load.events.len() * turn / 4).await;
        world.kill_and_restart()?;
        gateway.lock().clone_from(&world.line.gateway);
    }
    let told = sending.await??;
    compare(&load, told, &world.tables().await?).await?;
    let status = world.process().terminate()?;
    assert!(status.success(), "{status}");
    Ok(())
}
