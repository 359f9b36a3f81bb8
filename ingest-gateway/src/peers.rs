//! Compares the gateway's clock with the stamps of other live gateways, as the tail of play.events
//! brings them.
//!
//! A stamp tells something only where it is known when it was made. So the end of one partition is
//! asked for in every turn: what lies behind it was appended since, however far behind the tail is.
//! The first batch from there on is looked at, and then none until the partition has its turn again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Batch, EventLog, TopicPartition};
use parking_lot::Mutex;
use schemas::record::stamp::Stamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::gateway::Gateway;
use crate::publish::Target;
use crate::skew::{Made, Others};

/// How often a partition has its turn.
const EVERY: Duration = Duration::from_secs(1);
/// So many records of a batch are looked at, the newest.
const LOOKED_AT: usize = 16;

/// What is known of the other gateways' clocks.
#[derive(Debug, Default)]
pub struct Peers {
    /// By partition.
    ends: Mutex<HashMap<i32, End>>,
    others: Mutex<Others>,
}

/// Where a partition ended.
#[derive(Clone, Copy, Debug)]
struct End {
    offset: i64,
    /// What was appended there or later was received later than this, by the gateway's clock.
    since_ms: i64,
}

impl Peers {
    /// Looks at what the tail brought.
    pub(crate) fn look(&self, gateway: &Gateway, batch: &Batch) {
        let Some(end) = self.take(batch) else { return };
        let made = Made { from_ms: end.since_ms, until_ms: gateway.clock.now_ms() };
        let now_ms = gateway.clock.monotonic_ms();
        let newest = &batch.records[batch.records.len().saturating_sub(LOOKED_AT)..];
        for record in newest.iter().filter(|record| record.offset >= end.offset) {
            // What is no stamp of this form is judged by others.
            let Some(Ok(stamp)) = record.value.as_deref().map(Stamp::parse) else { continue };
            if *stamp.gateway != *gateway.name {
                self.others.lock().saw(&stamp.gateway, stamp.received_at.ms(), made, now_ms);
            }
        }
    }

    /// What is wrong with this gateway's clock beside theirs.
    pub(crate) fn judge(&self, gateway: &Gateway) -> Option<String> {
        self.others.lock().judge(gateway.clock.monotonic_ms())
    }

    fn take(&self, batch: &Batch) -> Option<End> {
        let mut ends = self.ends.lock();
        let partition = batch.partition.partition;
        ends.get(&partition).filter(|end| end.offset < batch.next_offset)?;
        ends.remove(&partition)
    }
}

/// Asks for the partitions' ends, one in a turn, for ever. An event is in the log `late` after it was
/// received at most.
pub(crate) async fn ask(gateway: Arc<Gateway>, log: Arc<dyn EventLog>, events: Target, late: Duration) {
    let late_ms = i64::try_from(late.as_millis()).unwrap_or(i64::MAX);
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for partition in (0..events.partitions).cycle() {
        turns.tick().await;
        let since_ms = gateway.clock.now_ms().saturating_sub(late_ms);
        // A log that does not answer is told of elsewhere.
        if let Ok(range) = log.offsets(&TopicPartition::new(Arc::clone(&events.name), partition)).await {
            gateway.peers.ends.lock().insert(partition, End { offset: range.high, since_ms });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(partition: i32, next_offset: i64) -> Batch {
        Batch { partition: TopicPartition::new("play.events", partition), records: Vec::new(), next_offset }
    }

    #[test]
    fn what_was_appended_before_the_end_was_asked_for_is_not_looked_at() {
        let peers = Peers::default();
        assert!(peers.take(&batch(0, 10)).is_none(), "nothing has been asked for");
        peers.ends.lock().insert(0, End { offset: 10, since_ms: 7 });
        assert!(peers.take(&batch(0, 10)).is_none(), "a backlog");
        assert!(peers.take(&batch(1, 11)).is_none(), "another partition");
        assert_eq!(peers.take(&batch(0, 11)).map(|end| end.since_ms), Some(7));
        assert!(peers.take(&batch(0, 12)).is_none(), "one look is enough");
    }
}
