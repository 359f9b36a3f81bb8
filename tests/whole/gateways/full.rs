//! A broker whose disk is full.

use std::time::{Duration, Instant};

use anyhow::ensure;
use playledger_tests::disk::SmallDisk;
use playledger_tests::kafka::KafkaBroker;
use playledger_tests::world::Gateways;

use super::{Load, OUTAGE, PATIENCE, settle};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_broker_costs_answers_and_no_events_and_all_goes_on_when_there_is_room()
-> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount(48)? else { return Ok(()) };
    let data = format!("log.dirs={}", disk.path().join("data").display());
    let mut world = Gateways::on(KafkaBroker::start_own(1, &[&data]), 1)?;
    let number = world.add(None, &[])?;
    let (player, url) = (world.player()?, world.gateway(number).url.clone());
    let mut load = Load::new(&player);
    for _ in 0..4 {
        let url = url.clone();
        load.add(&player, 50, move |_| url.clone());
    }
    load.until("acknowledged before", |book| book.answered(202) >= 50).await?;

    let outages_before = world.gateway(number).process()?.lines(OUTAGE).len();
    let bytes = disk.fill()?;
    let full = Instant::now();
    world.readiness(number, 503).await?;
    load.until("refused by the log", |book| {
        book.attempts.iter().any(|attempt| attempt.began > full && attempt.code() == "log_unavailable")
    })
    .await?;
    while !world.broker().log(1).contains("No space left on device") {
        ensure!(full.elapsed() < PATIENCE, "the broker never noticed: {}", world.broker().log(1));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let lines = world.gateway(number).process()?.lines(OUTAGE);
    println!("26: full by {bytes} bytes; the gateway: {lines:?}");
    assert_eq!(lines.len(), outages_before + 1, "told once");

    disk.make_room()?;
    // Kafka halts when its only disk fails; where it has not, it is helped.
    println!("26: the broker {}", if world.broker().runs(1) { "still runs" } else { "has halted itself" });
    world.broker().kill(1);
    world.broker().restart(1);
    world.readiness(number, 200).await?;
    let before = player.book.lock().answered(202);
    load.until("acknowledged afterwards", |book| book.answered(202) >= before + 50).await?;
    let book = load.stop().await?;
    settle("26", &mut world, &book).await?;
    assert_eq!(book.sent, book.acknowledged);
    for refused in book.attempts.iter().filter(|attempt| attempt.status() == Some(503)) {
        assert!(refused.answer.as_ref().is_some_and(|answer| answer.retry_after.is_some()), "{refused:?}");
    }
    world.terminate_all()
}
