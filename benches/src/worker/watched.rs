//! Watches a topic while a worker writes it: how many bytes, and when which key came.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use eventlog::{EventLog as _, ReadRequest, Stretch};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use schemas::topics::Topic;
use tokio_util::task::AbortOnDropHandle;

use super::ground::{Ground, World};

/// A topic's tail, from where it ended when it began.
pub(super) struct Watched {
    bytes: Arc<AtomicU64>,
    records: Arc<AtomicU64>,
    _tail: AbortOnDropHandle<()>,
}

/// What is waited for, by key, and how long it took, in µs.
pub(super) struct Waits {
    since: Mutex<HashMap<Vec<u8>, Instant>>,
    took: Mutex<Histogram<u64>>,
}

impl Waits {
    /// Nothing is waited for.
    ///
    /// # Errors
    /// Never: three digits are few enough.
    pub(super) fn new() -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self { since: Mutex::default(), took: Mutex::new(Histogram::new(3)?) }))
    }

    /// A record of this key is waited for from now on.
    pub(super) fn begin(&self, key: Vec<u8>) {
        self.since.lock().insert(key, Instant::now());
    }

    fn came(&self, key: &[u8]) {
        if let Some(since) = self.since.lock().remove(key) {
            // It grows with what it is given; any time fits.
            let _ = self.took.lock().record(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// How many are still waited for.
    pub(super) fn open(&self) -> usize {
        self.since.lock().len()
    }

    /// How long each took.
    pub(super) fn took(&self) -> Histogram<u64> {
        self.took.lock().clone()
    }
}

impl Watched {
    /// Begins; `waits` is told of each record's key.
    ///
    /// # Errors
    /// When the topic can't be read.
    pub(super) async fn begin(
        ground: &Ground,
        world: &World,
        topic: Topic,
        waits: Option<Arc<Waits>>,
    ) -> anyhow::Result<Self> {
        let mut stretches = Vec::new();
        for partition in world.partitions(topic) {
            let from = ground.log.offsets(&partition).await?.high;
            stretches.push(Stretch { partition, from, until: None });
        }
        let mut reader = ground.log.read(ReadRequest { stretches, read_committed: true }).await?;
        let (bytes, records) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let counts = (Arc::clone(&bytes), Arc::clone(&records));
        let tail = tokio::spawn(async move {
            while let Ok(Some(batch)) = reader.next().await {
                for record in &batch.records {
                    let size = record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len);
                    counts.0.fetch_add(size as u64, Ordering::Relaxed);
                    counts.1.fetch_add(1, Ordering::Relaxed);
                    if let Some(waits) = &waits {
                        waits.came(&record.key);
                    }
                }
            }
        });
        Ok(Self { bytes, records, _tail: AbortOnDropHandle::new(tail) })
    }

    /// Bytes of keys and values so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records so far.
    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
}
