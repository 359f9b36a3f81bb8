//! Play without end, at a steady pace: many sessions side by side, some events twice, some before their turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::Utc;
use playledger_tests::feed::Feed;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::testing::{self, Style};
use serde_json::Value;

use super::PATIENCE;

/// Sessions that are played side by side.
const TOGETHER: usize = 40;
/// Events that may come again.
const REMEMBERED: usize = 300;
const PAUSE: Duration = Duration::from_millis(5);

/// A player of many sessions. Dropped, it stops in their midst.
#[derive(Debug)]
pub(super) struct Load {
    feed: Arc<Feed>,
    stop: Arc<AtomicBool>,
    player: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Load {
    /// Begins to send so many events a second.
    pub(super) fn begin(feed: &Arc<Feed>, seed: u64, rate: u32) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let player = std::thread::spawn({
            let (feed, stop) = (Arc::clone(feed), Arc::clone(&stop));
            move || play(&feed, &stop, seed, rate)
        });
        Self { feed: Arc::clone(feed), stop, player: Some(player) }
    }

    /// Waits until so many more events have been sent.
    pub(super) async fn sends(&self, more: u64) -> anyhow::Result<()> {
        let (until, began) = (self.feed.sent() + more, Instant::now());
        while self.feed.sent() < until {
            ensure!(began.elapsed() < PATIENCE, "{} of {until} events are sent", self.feed.sent());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Ends every session that was begun, and the play.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.player.take().map(JoinHandle::join) {
            Some(Ok(played)) => played,
            _ => anyhow::bail!("the player crashed"),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(player) = self.player.take() {
            // Who ends a load in order hears what came of it.
            let _ = player.join();
        }
    }
}

fn play(feed: &Feed, stop: &AtomicBool, seed: u64, rate: u32) -> anyhow::Result<()> {
    let mut table = Table::new(seed);
    let began = Instant::now();
    for sent in 0_u32.. {
        while f64::from(sent) > began.elapsed().as_secs_f64() * f64::from(rate) {
            std::thread::sleep(PAUSE);
        }
        table.is_closing = stop.load(Ordering::Relaxed);
        let Some(event) = table.next() else { break };
        feed.event(&event, now_ms())?;
    }
    Ok(())
}

/// All sessions that are played.
struct Table {
    rng: ChaCha8Rng,
    seeds: std::ops::RangeFrom<u64>,
    open: Vec<VecDeque<Value>>,
    told: VecDeque<Value>,
    /// No session is begun any more.
    is_closing: bool,
}

impl Table {
    fn new(seed: u64) -> Self {
        let seeds = seed * 1_000_000..;
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { rng, seeds, open: Vec::new(), told: VecDeque::new(), is_closing: false }
    }
}

impl Iterator for Table {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        while !self.is_closing && self.open.len() < TOGETHER {
            self.open.push(testing::session(self.seeds.next()?, Style::ALL).into());
        }
        if self.rng.random_bool(0.05) && !self.told.is_empty() {
            let again = self.rng.random_range(0..self.told.len());
            return self.told.get(again).cloned();
        }
        if self.open.is_empty() {
            return None;
        }
        let place = self.rng.random_range(0..self.open.len());
        let session = &mut self.open[place];
        if session.len() > 1 && self.rng.random_bool(0.1) {
            session.swap(0, 1);
        }
        let event = session.pop_front();
        if session.is_empty() {
            self.open.swap_remove(place);
        }
        self.told.extend(event.clone());
        if self.told.len() > REMEMBERED {
            self.told.pop_front();
        }
        event
    }
}

/// In ms since the epoch.
#[expect(clippy::disallowed_methods, reason = "in place of a gateway's clock")]
pub(super) fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}
