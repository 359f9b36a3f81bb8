//! A broker that takes records and whose acknowledgements do not arrive, or late, or by half.

use std::time::Duration;

use playledger_tests::behind;
use playledger_tests::book::Attempt;
use playledger_tests::play::Play;
use playledger_tests::proxy::Fault;
use playledger_tests::topic::Outcomes;
use playledger_tests::world::Gateways;
use serde_json::Value;

use super::{Load, settle};

const BATCH: usize = 50;
/// The deadline is 2 s, and half a second beyond it the gateway's own; the rest is a slow machine's.
const IN_TIME: Duration = Duration::from_secs(6);

/// Every event of a request has exactly one outcome, requests that were told 503 included.
fn balances(outcomes: &Outcomes, attempts: &[Attempt]) {
    let received: u64 = attempts.iter().filter(|attempt| attempt.code() != "overloaded").map(|it| it.events).sum();
    assert_eq!(outcomes.all(), received, "{outcomes:?} of {attempts:?}");
}

/// What gateway `url` was sent.
fn sent_to(attempts: &[Attempt], url: &str) -> Vec<Attempt> {
    attempts.iter().filter(|attempt| attempt.gateway == url).cloned().collect()
}

fn refused_in_time(attempt: &Attempt) {
    assert_eq!((attempt.status(), attempt.code()), (Some(503), "log_unavailable"), "{attempt:?}");
    assert!(attempt.answer.as_ref().is_some_and(|answer| answer.retry_after.is_some()), "{attempt:?}");
    assert!(attempt.took() < IN_TIME, "told after {:?}", attempt.took());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_whose_acknowledgement_is_lost_are_known_to_both_gateways_and_lie_in_the_topic_once()
-> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = Gateways::on(behind::shared(), 1)?;
    let behind_it = world.add(Some(&proxy.address()), &[])?;
    let beside_it = world.add(None, &[])?;
    let (first, other) = (world.gateway(behind_it).url.clone(), world.gateway(beside_it).url.clone());
    let (player, mut play) = (world.player()?, Play::default());
    player.deliver(|_| first.clone(), &play.take(BATCH)).await?;

    proxy.set(Fault::SwallowAcknowledgements);
    let (one, two) = (play.take(BATCH), play.take(BATCH));
    // At once: while one waits for long, the next is turned away before it is appended.
    let (told_one, told_two) = tokio::join!(player.attempt(&first, &one), player.attempt(&first, &two));
    for told in [&told_one, &told_two] {
        refused_in_time(told);
    }
    // The log itself tells: of the one batch through the gateway that never heard, of the other beside it.
    for (url, events) in [(&first, &one), (&other, &two)] {
        let told = player.deliver(|_| url.clone(), events).await?;
        assert_eq!(told.count("duplicates"), BATCH as u64, "{told:?}");
    }
    world.readiness(behind_it, 503).await?;
    assert!(proxy.counts().withheld > 0);

    proxy.set(Fault::None);
    world.readiness(behind_it, 200).await?;
    for events in [&one, &two, &play.take(BATCH)] {
        player.deliver(|_| first.clone(), events).await?;
    }
    let book = player.book.lock().clone();
    let events = settle("16", &mut world, &book).await?;
    assert_eq!(events.again(), 0, "what both knew was not written again");
    world.terminate_all()?;
    let outcomes = world.outcomes(behind_it).await?;
    println!("16: outcomes {outcomes:?}");
    assert!(outcomes.count("unknown") >= 2 * BATCH as u64);
    assert_eq!(outcomes.kinds.get("stopped"), Some(&1));
    balances(&outcomes, &sent_to(&book.attempts, &first));
    balances(&world.outcomes(beside_it).await?, &sent_to(&book.attempts, &other));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gateways_that_do_not_share_write_again_the_worker_stops() -> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = Gateways::on(behind::shared(), 1)?;
    let alone = ["--dedup", "local"];
    let behind_it = world.add(Some(&proxy.address()), &alone)?;
    let beside_it = world.add(None, &alone)?;
    let (first, other) = (world.gateway(behind_it).url.clone(), world.gateway(beside_it).url.clone());
    let (player, mut play) = (world.player()?, Play::default());

    proxy.set(Fault::SwallowAcknowledgements);
    let events: Vec<Value> = play.take(BATCH);
    refused_in_time(&player.attempt(&first, &events).await);
    let again = player.attempt(&first, &events).await;
    assert_eq!(again.status(), Some(503), "{again:?}");
    let told = player.deliver(|_| other.clone(), &events).await?;
    assert_eq!(told.count("accepted"), BATCH as u64, "it can't know them: {told:?}");

    proxy.set(Fault::None);
    world.readiness(behind_it, 200).await?;
    let told = player.deliver(|_| first.clone(), &events).await?;
    assert_eq!(told.count("accepted"), BATCH as u64, "it was never told that they are kept: {told:?}");
    let told = player.deliver(|_| first.clone(), &events).await?;
    assert_eq!(told.count("duplicates"), BATCH as u64, "{told:?}");
    let book = player.book.lock().clone();
    let found = settle("16, not shared", &mut world, &book).await?;
    assert!(found.again() >= 2 * BATCH, "each of the other two wrote them as well: {}", found.again());
    world.terminate_all()?;
    let outcomes = world.outcomes(behind_it).await?;
    println!("16, not shared: outcomes {outcomes:?}");
    assert!(outcomes.count("unknown") >= BATCH as u64);
    balances(&outcomes, &sent_to(&book.attempts, &first));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_slower_than_the_deadline_costs_answers_and_no_events() -> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = Gateways::on(behind::shared(), 1)?;
    let number = world.add(Some(&proxy.address()), &[])?;
    let url = world.gateway(number).url.clone();
    let (player, mut play) = (world.player()?, Play::default());

    // A producer that has not found the topic yet would not even send.
    player.deliver(|_| url.clone(), &play.take(BATCH)).await?;
    proxy.set(Fault::DelayAnswers(Duration::from_secs(3)));
    let slow: Vec<_> = (0..3).map(|_| play.take(BATCH)).collect();
    for events in &slow {
        let told = player.attempt(&url, events).await;
        assert_eq!(told.status(), Some(503), "{told:?}");
        assert!(told.took() < IN_TIME, "told after {:?}", told.took());
    }
    // It comes back through the log, slowly as well, and with that its acknowledgement.
    player.deliver(|_| url.clone(), &slow[0]).await?;
    proxy.set(Fault::None);
    for events in &slow {
        player.deliver(|_| url.clone(), events).await?;
    }
    world.readiness(number, 200).await?;
    let book = player.book.lock().clone();
    settle("16, slow", &mut world, &book).await?;
    world.terminate_all()?;
    let outcomes = world.outcomes(number).await?;
    println!("16, slow: outcomes {outcomes:?}");
    balances(&outcomes, &book.attempts);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_reset_in_the_middle_lose_nothing_of_a_202() -> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = Gateways::on(behind::shared(), 1)?;
    let number = world.add(Some(&proxy.address()), &[])?;
    let url = world.gateway(number).url.clone();
    let player = world.player()?;
    let mut load = Load::new(&player);
    for _ in 0..4 {
        let url = url.clone();
        load.add(&player, 10, move |_| url.clone());
    }
    let before = proxy.counts();
    for turn in 0..10 {
        let acknowledged = player.book.lock().answered(202);
        load.until("acknowledged between two resets", |book| book.answered(202) >= acknowledged + 5).await?;
        if turn % 2 == 0 {
            proxy.reset();
        } else {
            // Long enough for several, short enough for the deadline.
            proxy.set(Fault::TearAcknowledgements);
            tokio::time::sleep(Duration::from_millis(500)).await;
            proxy.set(Fault::None);
        }
    }
    let book = load.stop().await?;
    let torn = proxy.counts().torn - before.torn;
    println!("16, reset: {torn} connections reset");
    assert!(torn >= 10, "{torn}");
    settle("16, reset", &mut world, &book).await?;
    assert_eq!(book.sent, book.acknowledged);
    world.terminate_all()?;
    let outcomes = world.outcomes(number).await?;
    println!("16, reset: outcomes {outcomes:?}");
    balances(&outcomes, &book.attempts);
    Ok(())
}
