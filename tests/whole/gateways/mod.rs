//! Gateways on a real broker while things break: what a 202 speaks of is in the topic, and has one effect.

mod draining;
mod full;
mod killed;
mod outage;
mod repeats;
mod tail;
mod unacknowledged;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use parking_lot::Mutex;
use playledger_tests::book::Book;
use playledger_tests::play::Play;
use playledger_tests::player::Player;
use playledger_tests::topic::Events;
use playledger_tests::world::Gateways;
use tokio::task::JoinSet;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a gateway's log says, once, when the log does not acknowledge.
const OUTAGE: &str = "not ready until it does";

/// Clients that play until they are told to stop, and then until all of theirs is acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<anyhow::Result<()>>,
    book: Arc<Mutex<Book>>,
}

impl Load {
    /// No client as yet.
    fn new(player: &Player) -> Self {
        Self { stop: Arc::default(), clients: JoinSet::new(), book: Arc::clone(&player.book) }
    }

    /// One more client, which sends batches of so many events one after another. `gateway` names the gateway
    /// for each attempt at a batch, counted from 0.
    fn add(&mut self, player: &Player, batch: usize, gateway: impl Fn(usize) -> String + Send + Sync + 'static) {
        let (player, stop) = (player.clone(), Arc::clone(&self.stop));
        self.clients.spawn(async move {
            let mut play = Play::default();
            while !stop.load(Ordering::Relaxed) {
                player.deliver(&gateway, &play.take(batch)).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        });
    }

    /// Waits until the book says so.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Book) -> bool) -> anyhow::Result<()> {
        let waiting = async {
            while !is_so(&self.book.lock()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            // A client ends before its time only where it failed.
            Some(ended) = self.clients.join_next() => ended?,
            waited = tokio::time::timeout(PATIENCE, waiting) => {
                ensure!(waited.is_ok(), "after {PATIENCE:?} not yet {what}: {}", self.book.lock());
                Ok(())
            }
        }
    }

    /// Waits until all clients have what they sent acknowledged.
    async fn stop(mut self) -> anyhow::Result<Book> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended??;
        }
        Ok(self.book.lock().clone())
    }
}

/// Every event of every 202 is in the topic, and each event there has one effect. Tells the counts.
async fn settle(row: &str, world: &mut Gateways, book: &Book) -> anyhow::Result<Events> {
    let events = world.events().await?;
    let effects = world.effects().await?;
    println!(
        "{row}: {book}; {} records in the topic, of {} events, {} of them again; effects: {effects:?}",
        events.all(),
        events.records.len(),
        events.again()
    );
    let lost: Vec<_> = book.acknowledged.iter().filter(|id| !events.records.contains_key(id)).collect();
    assert!(lost.is_empty(), "{} events of a 202 are not in the topic: {lost:?}", lost.len());
    assert!(events.records.keys().all(|id| book.sent.contains(id)), "the topic holds what nobody sent");
    assert_eq!(effects.applied, events.records.len() as u64, "each event has one effect");
    assert_eq!((effects.repeats, effects.set_aside), (events.again() as u64, 0));
    Ok(events)
}
