//! Keeps the window of duplicates current where gateways share what they know: brings what others append to
//! play.events, and what an append of unknown outcome left there after all.
//!
//! Of what this gateway appended itself the window knows already. As long as nobody else appends, the tail only
//! looks where the partitions end, and rests; it reads from the first offset that is not this gateway's own.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{Batch, EventLog, LogError, ReadRequest, Record, Stretch, TopicPartition};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use crate::gateway::Gateway;
use crate::metrics;
use crate::readback::{Ends, known};

/// So many records are remembered before requests that wait for the window have their turn.
const AT_ONCE: usize = 256;
/// Before the log is read again that could not be.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a resting tail looks where the partitions end; what is another's is seen two looks later.
const LOOK: Duration = Duration::from_millis(100);
/// At least so long a look takes for each partition: the log is asked for each by itself.
const LOOK_EACH: Duration = Duration::from_millis(10);
/// How often a reading tail asks itself whether anything was another's. What was read a turn ago has been
/// acknowledged by now where it is this gateway's own.
const TURN: Duration = Duration::from_secs(1);
/// After so long without another's record the tail rests.
const QUIET: Duration = Duration::from_secs(30);

/// Follows the log from where the window was read back to, for ever.
pub(crate) async fn follow(gateway: Arc<Gateway>, log: Arc<dyn EventLog>, ends: Ends) {
    let (partitions, known): (Vec<TopicPartition>, Vec<i64>) = ends.0.into_iter().unzip();
    let Some(topic) = partitions.first().map(|partition| Arc::clone(&partition.topic)) else { return };
    gateway.own.begin(topic, &known);
    let tail = Tail { gateway, log, partitions };
    loop {
        metrics::tail_reads(false);
        tail.rest().await;
        metrics::tail_reads(true);
        if let Err(error) = tail.read().await {
            tail.step_over(&error);
            tracing::warn!(%error, "the tail of play.events is opened again");
            sleep(AGAIN).await;
        }
    }
}

struct Tail {
    gateway: Arc<Gateway>,
    log: Arc<dyn EventLog>,
    /// All of play.events, by number.
    partitions: Vec<TopicPartition>,
}

impl Tail {
    /// Until the log holds something that this gateway did not append.
    async fn rest(&self) {
        let count = u32::try_from(self.partitions.len()).unwrap_or(u32::MAX);
        let mut turns = every(LOOK.max(LOOK_EACH.saturating_mul(count)));
        let (mut ends, mut suspected) = (self.gateway.own.known(), false);
        loop {
            turns.tick().await;
            let known = self.gateway.own.known();
            if ends.iter().zip(&known).any(|(end, known)| end > known) {
                // An acknowledgement is later than the end that it moves, but mostly not by two turns. Where it is,
                // reading costs time, and waiting would leave an append whose acknowledgement is lost unknown.
                if suspected {
                    return;
                }
                suspected = true;
                continue;
            }
            suspected = false;
            for ((partition, end), known) in self.partitions.iter().zip(&mut ends).zip(&known) {
                // A log that does not answer is told of elsewhere.
                let Ok(range) = self.log.offsets(partition).await else { continue };
                *end = range.high;
                if range.high < *known {
                    // Whoever reads is told what is wrong.
                    return;
                }
            }
        }
    }

    /// Until nobody else has appended anything for a while.
    async fn read(&self) -> Result<(), LogError> {
        let own = &self.gateway.own;
        let mut positions = own.known();
        let from = |(partition, from): (&TopicPartition, &i64)| Stretch {
            partition: partition.clone(),
            from: *from,
            until: None,
        };
        let stretches = self.partitions.iter().zip(&positions).map(from).collect();
        let mut reader = self.log.read(ReadRequest { stretches, read_committed: false }).await?;
        let (mut turns, mut passed) = (every(TURN), positions.clone());
        let mut quiet_since = Instant::now();
        loop {
            tokio::select! {
                batch = reader.next() => {
                    let Some(batch) = batch? else { return Ok(()) };
                    self.take(&batch);
                    positions = reader.positions();
                }
                _ = turns.tick() => {
                    if own.pass(&passed) {
                        quiet_since = Instant::now();
                    } else if quiet_since.elapsed() >= QUIET {
                        return Ok(());
                    }
                    passed.clone_from(&positions);
                }
            }
        }
    }

    fn take(&self, batch: &Batch) {
        let gateway = &*self.gateway;
        let now_ms = gateway.clock.monotonic_ms();
        let first = batch.records.first().map_or(batch.next_offset, |record| record.offset);
        let own = gateway.own.within(batch.partition.partition, first..batch.next_offset);
        for records in batch.records.chunks(AT_ONCE) {
            let anothers = |record: &&Record| !own.iter().any(|run| run.contains(&record.offset));
            let mut window = gateway.window.lock();
            for (tenant, event_id, body) in records.iter().filter(anothers).filter_map(known) {
                let key = window.key(tenant, event_id);
                window.remember(key, body, now_ms);
            }
        }
        tell_delay(gateway, batch);
        gateway.peers.look(gateway, batch);
    }

    /// Retention went past a tail that stood still: what is gone is older than any window.
    fn step_over(&self, error: &LogError) {
        let LogError::OutOfRange { topic, partition, low, .. } = error else { return };
        if self.partitions.iter().any(|its| *its.topic == **topic && its.partition == *partition) {
            self.gateway.own.start_again(*partition, *low);
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut turns = interval(period);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

fn tell_delay(gateway: &Gateway, batch: &Batch) {
    let Some(oldest_ms) = batch.records.iter().map(|record| record.timestamp_ms).min() else { return };
    // Another gateway's clock may be ahead of this one's.
    let age_ms = u64::try_from(gateway.clock.now_ms().saturating_sub(oldest_ms)).unwrap_or(0);
    metrics::tail_delay(Duration::from_millis(age_ms));
}
