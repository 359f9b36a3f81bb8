//! Transactions whose end takes longer than a worker waits for it.

use std::sync::Arc;
use std::time::Duration;

use playledger_tests::behind;
use playledger_tests::proxy::{Call, Fault};

use super::load::Load;
use super::{settle, workers};

/// Longer than the worker's deadline.
const DELAY: Duration = Duration::from_secs(5);
const REJOINS: &str = "playledger_worker_rejoins_total";

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_end_comes_late_is_whole_or_not_at_all_and_counts_once() -> anyhow::Result<()> {
    let proxy = behind::proxy().await;
    let mut world = workers(&[])?;
    world.launch("one", Some(&proxy.address()), &[])?;
    world.ready("one")?;
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 20, 400);
    let before = proxy.counts().kept_back;
    for fault in [Fault::DelayAnswersTo(Call::End, DELAY), Fault::Delay(Call::End, DELAY)] {
        load.sends(300).await?;
        let rejoins = world.metric("one", REJOINS).await?;
        proxy.set(fault);
        world.reaches("one", REJOINS, rejoins + 2.0).await?;
        proxy.set(Fault::None);
        println!("20: {fault:?}: joined anew {} times", world.metric("one", REJOINS).await? - rejoins);
    }
    load.sends(300).await?;
    load.end()?;
    let kept_back = proxy.counts().kept_back - before;
    settle(&format!("20: {kept_back} ends of transactions late"), &world, &feed).await?;
    world.terminate_all()
}
