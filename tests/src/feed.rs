//! Writes records of play.events as a gateway would, and what a gateway never would, straight to the topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use schemas::{Tenant, Timestamp, topics};
use serde_json::{Value, json};

/// How long a broker may take to acknowledge, one that is away for a while included.
const PATIENCE: Duration = Duration::from_mins(2);

/// A producer of records of play.events.
pub struct Feed {
    producer: ThreadedProducer<Told>,
    counts: Arc<Counts>,
    topic: String,
    partitions: i32,
    tenant: Tenant,
    sent: AtomicU64,
    marks: AtomicUsize,
}

/// Hears what the broker tells.
struct Told(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    kept: AtomicU64,
    lost: Mutex<Vec<String>>,
    /// Where the marked records lie.
    places: Mutex<BTreeMap<usize, (i32, i64)>>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("topic", &self.topic).field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl ClientContext for Told {}

impl ProducerContext for Told {
    /// The record's mark, 0 for none.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, mark: usize) {
        match result {
            Ok(message) => {
                if mark > 0 {
                    self.0.places.lock().insert(mark, (message.partition(), message.offset()));
                }
                self.0.kept.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => self.0.lost.lock().push(error.to_string()),
        }
    }
}

impl Feed {
    /// A producer for this topic.
    pub fn new(bootstrap: &str, topic: &str, partitions: i32) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("message.max.bytes", "8000000")
            .set("message.timeout.ms", PATIENCE.as_millis().to_string());
        let counts = Arc::<Counts>::default();
        let producer = ThreadedProducer::from_config_and_context(&config, Told(Arc::clone(&counts)))?;
        let tenant = Tenant::parse("acme").map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let (sent, marks) = Default::default();
        Ok(Self { producer, counts, topic: topic.to_owned(), partitions, tenant, sent, marks })
    }

    /// Sends an event that was received then, in ms since the epoch.
    pub fn event(&self, event: &Value, received_at: i64) -> anyhow::Result<()> {
        let session = event["session_id"].as_str().context("an event has a session")?.parse()?;
        let key = topics::session_key(&self.tenant, session);
        let stamp = json!({
            "v": 1, "tenant": self.tenant, "game": "demo", "received_at": Timestamp::from_ms(received_at).to_string(),
            "request_id": "r", "key_id": "k", "gateway": "g", "origin": "close", "event": event,
        });
        self.send(key.as_bytes(), Some(stamp.to_string().as_bytes()), received_at, 0)
    }

    /// Sends bytes as they are; the mark by which [`Feed::places`] tells where they lie.
    pub fn raw(&self, key: &[u8], value: Option<&[u8]>, received_at: i64) -> anyhow::Result<usize> {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        self.send(key, value, received_at, mark)?;
        Ok(mark)
    }

    /// Sends bytes as they are, now; their mark.
    #[expect(clippy::disallowed_methods, reason = "in place of a daemon's clock")]
    pub fn raw_now(&self, key: &[u8], value: Option<&[u8]>) -> anyhow::Result<usize> {
        self.raw(key, value, chrono::Utc::now().timestamp_millis())
    }

    fn send(&self, key: &[u8], value: Option<&[u8]>, received_at: i64, mark: usize) -> anyhow::Result<()> {
        let partition = topics::partition(key, self.partitions);
        let mut record =
            BaseRecord::with_opaque_to(&self.topic, mark).key(key).partition(partition).timestamp(received_at);
        record.payload = value;
        let began = Instant::now();
        while let Err((error, refused)) = self.producer.send(record) {
            let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            ensure!(full && began.elapsed() < PATIENCE, "not sent: {error}");
            std::thread::sleep(Duration::from_millis(10));
            record = refused;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Records that were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until the broker has all that was sent; how many that are.
    pub async fn flush(&self) -> anyhow::Result<u64> {
        let began = Instant::now();
        loop {
            let lost = self.counts.lost.lock().clone();
            ensure!(lost.is_empty(), "{} records were not kept, first {}", lost.len(), lost[0]);
            let (kept, sent) = (self.counts.kept.load(Ordering::Relaxed), self.sent());
            if kept == sent {
                return Ok(kept);
            }
            ensure!(began.elapsed() < PATIENCE, "{kept} of {sent} records are kept after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where the marked records lie: partition and offset.
    pub fn places(&self) -> BTreeMap<usize, (i32, i64)> {
        self.counts.places.lock().clone()
    }
}
