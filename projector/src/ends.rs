//! Where partitions end, asked for now and then without anybody waiting: for metrics.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventlog::{EventLog, TopicPartition};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often they are asked for.
const EVERY: Duration = Duration::from_secs(10);

/// The ends of partitions, as they last were.
pub(crate) struct Ends {
    log: Arc<dyn EventLog>,
    known: Arc<Mutex<HashMap<TopicPartition, i64>>>,
    asking: Option<JoinHandle<()>>,
    next: Instant,
}

impl Ends {
    pub(crate) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, known: Arc::default(), asking: None, next: Instant::now() }
    }

    /// Asks anew, if it is time.
    pub(crate) fn ask<'a>(&mut self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        let busy = self.asking.as_ref().is_some_and(|asking| !asking.is_finished());
        if busy || Instant::now() < self.next {
            return;
        }
        let partitions: Vec<TopicPartition> = partitions.cloned().collect();
        if partitions.is_empty() {
            return;
        }
        self.next = Instant::now() + EVERY;
        let (log, known) = (Arc::clone(&self.log), Arc::clone(&self.known));
        self.asking = Some(tokio::spawn(async move {
            let mut found = HashMap::with_capacity(partitions.len());
            for partition in partitions {
                // A log that does not answer is told of elsewhere; what was known stays.
                let Ok(range) = log.offsets(&partition).await else { return };
                found.insert(partition, range.high);
            }
            *known.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }));
    }

    /// How many offsets of a partition lie at or behind `next`; 0 where its end is not known.
    pub(crate) fn behind(&self, partition: &TopicPartition, next: i64) -> i64 {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(partition).map_or(0, |end| (end - next).max(0))
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(asking) = &self.asking {
            asking.abort();
        }
    }
}
