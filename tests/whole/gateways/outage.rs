//! A broker that is gone for a while, and one of three that is gone for good.

use std::time::{Duration, Instant};

use playledger_tests::book::Attempt;
use playledger_tests::kafka::KafkaBroker;
use playledger_tests::world::Gateways;

use super::{Load, settle};

/// How long the broker is away, in seconds, where `PLAYLEDGER_TEST_OUTAGE_SECONDS` says nothing else.
const AWAY_SECONDS: u64 = 20;
/// What a gateway may hold beside what it held before: bodies in flight (128 MB) and the queue (64 MB, and as
/// much for what is around its records).
const MORE_MEMORY: u64 = 256 << 20;
/// As many records as a gateway's queue has room for.
const QUEUE: f64 = 200_000.0;

fn away() -> anyhow::Result<Duration> {
    let told = std::env::var("PLAYLEDGER_TEST_OUTAGE_SECONDS").ok().filter(|seconds| !seconds.is_empty());
    Ok(Duration::from_secs(told.map_or(Ok(AWAY_SECONDS), |seconds| seconds.parse())?))
}

/// A number of the page /metrics; 0 where it has not been told yet.
fn metric(page: &str, name: &str) -> f64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_down_nothing_is_acknowledged_and_all_goes_on_by_itself_afterwards() -> anyhow::Result<()> {
    let away = away()?;
    let mut world = Gateways::on(KafkaBroker::start_own(1, &[]), 1)?;
    let number = world.add(None, &[])?;
    let (player, url) = (world.player()?, world.gateway(number).url.clone());
    let mut load = Load::new(&player);
    for _ in 0..16 {
        let url = url.clone();
        load.add(&player, 50, move |_| url.clone());
    }
    load.until("acknowledged before", |book| book.answered(202) >= 50).await?;
    let memory_before = world.gateway(number).process()?.resident_bytes()?;

    world.broker().kill(1);
    let down = Instant::now();
    world.readiness(number, 503).await?;
    let (mut memory, mut queue) = (0, 0.0_f64);
    while down.elapsed() < away {
        assert_eq!(world.ops(number, "/livez").await?.0, 200, "it lives");
        assert_eq!(world.ops(number, "/readyz").await?.0, 503, "and can't do its work");
        memory = world.gateway(number).process()?.resident_bytes()?.max(memory);
        queue = metric(&world.ops(number, "/metrics").await?.1, "playledger_log_queue_records").max(queue);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let up = Instant::now();
    world.broker().restart(1);
    world.readiness(number, 200).await?;
    let back = up.elapsed();
    let before = player.book.lock().answered(202);
    load.until("acknowledged afterwards", |book| book.answered(202) >= before + 50).await?;
    let book = load.stop().await?;

    let within = |attempt: &&Attempt| attempt.began > down && attempt.ended < up;
    let meanwhile: Vec<_> = book.attempts.iter().filter(within).collect();
    println!(
        "14: {} requests in {away:?} without a broker, ready {back:?} after its start was asked for; memory {} MB before, {} MB at \
         most meanwhile, {queue} records in the queue at most",
        meanwhile.len(),
        memory_before >> 20,
        memory >> 20,
    );
    assert!(!meanwhile.is_empty());
    for attempt in meanwhile {
        let retry_after = attempt.answer.as_ref().and_then(|answer| answer.retry_after);
        assert_eq!((attempt.status(), retry_after.is_some()), (Some(503), true), "{attempt:?}");
    }
    assert!(memory < memory_before + MORE_MEMORY, "{memory} bytes, {memory_before} before");
    assert!(queue <= QUEUE, "{queue}");
    settle("14", &mut world, &book).await?;
    assert_eq!(book.sent, book.acknowledged);
    assert_eq!(world.gateway(number).process()?.lines("not ready until it does").len(), 1, "told once");
    world.terminate_all()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_three_brokers_the_loss_of_one_under_load_loses_nothing_of_a_202() -> anyhow::Result<()> {
    let mut world = Gateways::on(KafkaBroker::start_own(3, &[]), 3)?;
    let number = world.add(None, &[])?;
    let (player, url) = (world.player()?, world.gateway(number).url.clone());
    let mut load = Load::new(&player);
    for _ in 0..4 {
        let url = url.clone();
        load.add(&player, 10, move |_| url.clone());
    }
    load.until("acknowledged by three", |book| book.answered(202) >= 50).await?;
    world.broker().kill(2);
    let down = Instant::now();
    let since = |attempt: &&Attempt| attempt.began > down && attempt.status() == Some(202);
    let enough = |attempts: &[Attempt]| attempts.iter().filter(since).count() >= 200;
    load.until("acknowledged by the other two", |book| enough(&book.attempts)).await?;
    world.readiness(number, 200).await?;
    world.broker().restart(2);
    let book = load.stop().await?;
    settle("14, one of three", &mut world, &book).await?;
    assert_eq!(book.sent, book.acknowledged);
    world.terminate_all()
}
