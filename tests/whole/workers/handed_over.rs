//! Workers killed with a transaction open, one heir after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use playledger_tests::observe::{self, Open};
use playledger_tests::proxy::{Call, Fault};
use playledger_tests::{behind, world::Workers};

use super::load::Load;
use super::stopped::keeps_back;
use super::{PATIENCE, settle, workers};

/// What of the states' partitions no committed reader may see as yet.
async fn open(world: &Workers) -> anyhow::Result<Vec<Open>> {
    observe::open(world.bootstrap(), &world.topic("session-state")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn heirs_of_workers_killed_in_mid_transaction_wait_for_its_end_and_go_on_from_the_newest_state()
-> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = workers(&[])?;
    let feed = Arc::new(world.feed()?);
    let address = proxy.address();
    world.launch("first", Some(&address), &[])?;
    world.ready("first")?;
    let load = Load::begin(&feed, 19, 500);
    for (killed, heir) in [("first", "second"), ("second", "third")] {
        load.sends(500).await?;
        let before = proxy.counts().kept_back;
        proxy.set(Fault::Hold(Call::End));
        keeps_back(&proxy, before).await?;
        world.kill(killed)?;
        // What was on its way goes with its connection.
        proxy.reset();
        let left = open(&world).await?;
        let records: i64 = left.iter().map(|open| open.end - open.stable).sum();
        ensure!(records > 0, "no transaction is open: {left:?}");
        proxy.set(Fault::None);
        world.launch(heir, Some(&address), &[])?;

        let began = Instant::now();
        let mut waited = 0;
        loop {
            // In this order: what is open now was open when it was not ready.
            let is_ready = world.is_ready(heir);
            let now = open(&world).await?;
            let is_open = left.iter().zip(&now).any(|(then, now)| now.stable < then.end);
            ensure!(!(is_ready && is_open), "{heir} is ready before the transaction of {killed} is over: {now:?}");
            if is_ready {
                break;
            }
            waited += u32::from(is_open);
            ensure!(began.elapsed() < PATIENCE, "{heir} is not ready after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.ready(heir)?;
        let took = world.told(heir, "state restored")?.iter().filter_map(|line| line["took_ms"].as_u64()).max();
        println!(
            "19: {killed} killed with {records} records of state in an open transaction; {heir} ready after {:?}, seen \
             waiting {waited} times, longest restore {took:?} ms",
            began.elapsed()
        );
        ensure!(waited > 0, "the transaction was over before {heir} could wait for it");
    }
    load.sends(300).await?;
    load.end()?;
    settle("19", &world, &feed).await?;
    world.terminate_all()
}
