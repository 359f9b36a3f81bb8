//! SIGTERM at peak.

use std::time::{Duration, Instant};

use playledger_tests::behind;
use playledger_tests::book::Attempt;
use playledger_tests::proxy::Fault;
use playledger_tests::world::Gateways;

use super::{Load, settle};

const CLIENTS: usize = 16;
/// So many requests are in flight at least when the gateway is told to end.
const AT_PEAK: f64 = 12.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_told_to_end_at_peak_answers_what_it_has_and_the_other_takes_the_rest() -> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = Gateways::on(behind::shared(), 1)?;
    // Acknowledgements take their time, so that every client has a request in flight nearly always.
    let patient = ["--produce-deadline", "10s", "--shed-after", "10s"];
    let ending = world.add(Some(&proxy.address()), &patient)?;
    let staying = world.add(None, &[])?;
    let urls = [ending, staying].map(|number| world.gateway(number).url.clone());
    proxy.set(Fault::DelayAcknowledgements(Duration::from_millis(700)));
    let player = world.player()?;
    let mut load = Load::new(&player);
    for _ in 0..CLIENTS {
        let urls = urls.clone();
        load.add(&player, 10, move |attempt| urls[attempt % 2].clone());
    }
    load.until("acknowledged before", |book| book.answered(202) >= 3 * CLIENTS).await?;
    // Answers come together, and so clients pause together: at peak is in between.
    while world.metric(ending, "playledger_gateway_requests_in_flight").await? < AT_PEAK {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let told = Instant::now();
    let status = world.terminate(ending)?;
    let took = told.elapsed();
    assert!(status.success(), "{status}");
    let before = player.book.lock().answered(202);
    load.until("acknowledged by the other one", |book| book.answered(202) >= before + 3 * CLIENTS).await?;
    let book = load.stop().await?;

    let its: Vec<&Attempt> = book.attempts.iter().filter(|attempt| attempt.gateway == urls[0]).collect();
    let in_flight = its.iter().filter(|attempt| attempt.began < told && attempt.ended > told);
    let refused: Vec<_> = its.iter().filter(|attempt| attempt.code() == "shutting_down").collect();
    let mut flying = 0;
    for attempt in in_flight {
        flying += 1;
        // One that had not arrived when the signal did is turned away, and told so.
        assert!(attempt.status() == Some(202) || attempt.code() == "shutting_down", "{attempt:?}");
    }
    println!("25: {flying} requests in flight, {} turned away, ended after {took:?}", refused.len());
    assert!(flying >= CLIENTS / 4, "{flying} requests were in flight");
    assert!(!refused.is_empty(), "nobody was turned away: {book}");
    for attempt in refused {
        assert_eq!(attempt.status(), Some(503));
        assert!(attempt.answer.as_ref().is_some_and(|answer| answer.retry_after.is_some()), "{attempt:?}");
    }
    settle("25", &mut world, &book).await?;
    assert_eq!(book.sent, book.acknowledged);
    world.terminate_all()?;
    let outcomes = world.outcomes(ending).await?;
    println!("25: outcomes {outcomes:?}");
    let received: u64 = its.iter().filter(|attempt| attempt.status() == Some(202)).map(|attempt| attempt.events).sum();
    assert_eq!(outcomes.count("accepted") + outcomes.count("duplicate"), received);
    assert_eq!((outcomes.all(), outcomes.kinds.get("stopped")), (received, Some(&1)));
    Ok(())
}
