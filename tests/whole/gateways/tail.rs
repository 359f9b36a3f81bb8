//! A tail that rests while its gateway alone appends, and brings what another appends all the same.

use std::time::{Duration, Instant};

use anyhow::ensure;
use playledger_tests::kafka::KafkaBroker;
use playledger_tests::play::Play;
use playledger_tests::world::Gateways;

use super::repeats::knows;
use super::{Load, PATIENCE};

/// Waits until the tails of both gateways read, or rest.
async fn tails(world: &Gateways, wanted: [bool; 2]) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let mut found = [false; 2];
        for (number, found) in found.iter_mut().enumerate() {
            *found = world.metric(number, "playledger_gateway_tail_reads").await? > 0.0;
        }
        if found == wanted {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "whether the tails read is {found:?} and not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_alone_reads_nothing_back_and_still_learns_of_all_that_another_appends() -> anyhow::Result<()> {
    let mut world = Gateways::on(KafkaBroker::start(), 1)?;
    world.add(None, &[])?;
    world.add(None, &[])?;
    let (player, http) = (world.player()?, reqwest::Client::new());
    let urls = [world.gateway(0).url.clone(), world.gateway(1).url.clone()];
    let mut load = Load::new(&player);
    for _ in 0..3 {
        let url = urls[0].clone();
        load.add(&player, 20, move |_| url.clone());
    }
    load.until("a few thousand events", |book| book.counted("accepted") > 3_000).await?;
    // The first one appends all there is, the second one nothing.
    tails(&world, [false, true]).await?;
    let strange = Play::default().take(100);
    player.deliver(|_| urls[1].clone(), &strange).await?;
    knows(&http, world.key(), &urls[0], &strange).await?;
    load.stop().await?;
    tails(&world, [false, false]).await?;
    let later = Play::default().take(100);
    player.deliver(|_| urls[0].clone(), &later).await?;
    knows(&http, world.key(), &urls[1], &later).await?;
    let other_way = player.told(&urls[1], &later).await?;
    assert_eq!((other_way.status(), other_way.count("duplicates")), (Some(202), 100), "{other_way:?}");
    let events = world.events().await?;
    println!("a tail that rests: {}; {} records in the topic", player.book.lock(), events.all());
    assert_eq!(events.all() as u64, player.book.lock().counted("accepted"), "no repeat slipped through");
    world.terminate_all()
}
