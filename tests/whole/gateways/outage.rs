//! A broker that is gone for a while, and one of three that is gone for good.

use std::time::{Duration, Instant};

use playledger_tests::book::{Attempt, Book};
use playledger_tests::kafka::KafkaBroker;
use playledger_tests::world::Gateways;

use super::{Load, OUTAGE, settle};

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

/// How gateway `number` was seen while the broker was away.
#[derive(Debug, Default)]
struct Watched {
    memory: u64,
    queue: f64,
}

/// Looks at a gateway until `until`: it lives, and says that it can't do its work.
async fn watch(world: &Gateways, number: usize, until: Instant) -> anyhow::Result<Watched> {
    let mut watched = Watched::default();
    while Instant::now() < until {
        assert_eq!(world.ops(number, "/livez").await?.0, 200, "it lives");
        assert_eq!(world.ops(number, "/readyz").await?.0, 503, "and can't do its work");
        watched.memory = world.gateway(number).process()?.resident_bytes()?.max(watched.memory);
        watched.queue = world.metric(number, "playledger_log_queue_records").await?.max(watched.queue);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(watched)
}

/// Every request between the two was turned away, and told when to come again.
fn all_refused(book: &Book, from: Instant, until: Instant) -> usize {
    let within = |attempt: &&Attempt| attempt.began > from && attempt.ended < until;
    let mut answered = 0;
    for attempt in book.attempts.iter().filter(within) {
        // Of one that is being started again there may be none.
        let Some(answer) = &attempt.answer else { continue };
        let refused = answer.status == 503 && answer.retry_after.is_some();
        // What the log had taken at the last moment may be known by now: nothing new is acknowledged by that.
        let known = answer.status == 202 && attempt.count("accepted") == 0;
        assert!(refused || known, "{attempt:?}");
        answered += 1;
    }
    assert!(answered > 0, "nobody asked");
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_down_nothing_is_acknowledged_and_all_goes_on_by_itself_afterwards() -> anyhow::Result<()> {
    let away = away()?;
    let mut world = Gateways::on(KafkaBroker::start_own(1, &[]), 1)?;
    let (staying, restarted) = (world.add(None, &[])?, world.add(None, &[])?);
    let player = world.player()?;
    let mut load = Load::new(&player);
    for number in [staying, restarted].into_iter().cycle().take(24) {
        let url = world.gateway(number).url.clone();
        load.add(&player, 200, move |_| url.clone());
    }
    load.until("acknowledged before", |book| book.answered(202) >= 50).await?;
    let memory_before = world.gateway(staying).process()?.resident_bytes()?;
    let outages = |world: &Gateways| Ok::<_, anyhow::Error>(world.gateway(staying).process()?.lines(OUTAGE).len());
    let outages_before = outages(&world)?;

    world.broker().kill(1);
    let down = Instant::now();
    world.readiness(staying, 503).await?;
    // What ends now ends in time though nobody takes its last counts; what starts now waits.
    let status = world.terminate(restarted)?;
    assert!(status.success(), "{status}");
    world.launch(restarted)?;
    let watched = watch(&world, staying, down + away).await?;
    assert_eq!(outages(&world)?, outages_before + 1, "told once");
    let up = Instant::now();
    world.broker().restart(1);
    let started = up.elapsed();
    world.readiness(staying, 200).await?;
    let back = up.elapsed();
    world.ready(restarted)?;
    let before = player.book.lock().answered(202);
    load.until("acknowledged afterwards", |book| book.answered(202) >= before + 50).await?;
    let book = load.stop().await?;

    let refused = all_refused(&book, down, up);
    println!(
        "14: {refused} requests turned away in {away:?} without a broker, which then took {started:?} to start; ready after \
         {back:?}; {} MB of memory before, {} MB at most meanwhile, {} records in the queue at most",
        memory_before >> 20,
        watched.memory >> 20,
        watched.queue
    );
    assert!(watched.memory < memory_before + MORE_MEMORY, "{watched:?}, {memory_before} before");
    assert!(watched.queue <= QUEUE, "{watched:?}");
    settle("14", &mut world, &book).await?;
    assert_eq!(book.sent, book.acknowledged);
    let process = world.gateway(staying).process()?;
    let told = process.lines("\"level\":\"WARN\"").len() + process.lines("\"level\":\"ERROR\"").len();
    println!("14: {told} lines of warning in {:?}", down.elapsed());
    // A dozen when connections break, then some every half minute; a line with every attempt would be a flood.
    let bound = 20 + down.elapsed().as_secs() / 2;
    assert!(told < usize::try_from(bound)?, "{told} lines of warning, more than {bound}");
    world.terminate_all()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_three_brokers_the_loss_of_one_loses_nothing_of_a_202_and_with_two_gone_there_is_none()
-> anyhow::Result<()> {
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

    // With one copy where two are asked for nothing is acknowledged.
    world.broker().kill(3);
    let alone = Instant::now();
    world.readiness(number, 503).await?;
    load.until("refused by the last one", |book| {
        book.attempts.iter().filter(|attempt| attempt.began > alone && attempt.status() == Some(503)).count() >= 20
    })
    .await?;
    let together = Instant::now();
    all_refused(&player.book.lock(), alone, together);
    world.broker().restart(2);
    world.readiness(number, 200).await?;
    let before = player.book.lock().answered(202);
    load.until("acknowledged by two again", |book| book.answered(202) >= before + 50).await?;
    world.broker().restart(3);
    let book = load.stop().await?;
    settle("14, one of three", &mut world, &book).await?;
    assert_eq!(book.sent, book.acknowledged);
    world.terminate_all()
}
