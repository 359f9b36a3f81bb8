//! Appends made-up play to play.events: as fast as it goes, or at a rate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eventlog::NewRecord;
use schemas::topics::Topic;

use super::ground::{Ground, PARTITIONS, World};
use super::play::{Event, Play};
use crate::append::Append;
use crate::stamped::Stamper;

/// Records that are handed over together.
const REQUEST: usize = 500;
/// Requests that wait for their acknowledgement at any time.
const IN_FLIGHT: usize = 100;

/// Appends to one world.
pub(super) struct Feed {
    append: Append,
    stamper: Stamper,
    topic: Arc<str>,
    /// Bytes of keys and values that were appended.
    pub(super) bytes: u64,
}

impl Feed {
    /// Nothing is appended yet.
    ///
    /// # Errors
    /// When the producer can't be made.
    pub(super) async fn new(ground: &Ground, world: &World) -> anyhow::Result<Self> {
        let append = Append::new(&*ground.log, IN_FLIGHT).await?;
        Ok(Self { append, stamper: Stamper::new()?, topic: world.topic(Topic::Events), bytes: 0 })
    }

    /// Appends one request's events, received at their times.
    ///
    /// # Errors
    /// When the log does not take them.
    pub(super) async fn append(&mut self, events: impl Iterator<Item = (Event, i64)>) -> anyhow::Result<()> {
        let mut records: Vec<NewRecord> = Vec::with_capacity(REQUEST);
        for (event, at_ms) in events {
            let record = self.stamper.new_record(&self.topic, PARTITIONS, &event.text, at_ms)?;
            self.bytes += (record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len)) as u64;
            records.push(record);
        }
        self.append.append(records).await
    }

    /// As many events as fast as they go, received in even steps over so long.
    ///
    /// # Errors
    /// When the log does not take them.
    pub(super) async fn fill(
        &mut self,
        play: &mut Play,
        events: usize,
        length: Option<usize>,
        (from_ms, over): (i64, Duration),
    ) -> anyhow::Result<()> {
        let over_ms = i64::try_from(over.as_millis())?;
        let total = i64::try_from(events)?.max(1);
        let mut made = 0;
        while made < total {
            let until = total.min(made + i64::try_from(REQUEST)?);
            let times = (made..until).map(|number| from_ms + over_ms * number / total);
            self.append(times.map(|at| (play.event(at, length), at))).await?;
            made = until;
        }
        self.append.settle().await
    }

    /// So many events a second for so long, received now; tells of each request what it appended.
    ///
    /// # Errors
    /// When the log does not take them.
    pub(super) async fn pace(
        &mut self,
        play: &mut Play,
        rate: f64,
        how_long: Duration,
        length: Option<usize>,
        mut told: impl FnMut(&Event),
    ) -> anyhow::Result<u64> {
        /// A request goes out so often.
        const EVERY: Duration = Duration::from_millis(10);
        let (began, mut made) = (Instant::now(), 0_u64);
        while began.elapsed() < how_long {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of events")]
            let due = (began.elapsed().as_secs_f64() * rate) as u64;
            let at = daemon::Clock::system().now_ms();
            let events: Vec<_> = (made..due).map(|_| (play.event(at, length), at)).collect();
            for (event, _) in &events {
                told(event);
            }
            if !events.is_empty() {
                self.append(events.into_iter()).await?;
            }
            made = due.max(made);
            tokio::time::sleep(EVERY).await;
        }
        self.append.settle().await?;
        Ok(made)
    }
}
