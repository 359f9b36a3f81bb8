//! Appends records and learns of each when every in-sync replica has it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::counter;
use parking_lot::RwLock;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};

use super::acknowledge::{Queue, Receipt, Request};
use super::native::Report;
use super::options::{KafkaOptions, MAX_MESSAGE_BYTES};
use super::sender::{Reports, Sender};
use super::{error, produce};
use crate::{AppendError, AppendOptions, Appender, Backlog, LogError, NewRecord, Pending};

type Producer = Sender<Context>;

/// An appender on an idempotent producer.
pub(super) struct KafkaAppender {
    config: ClientConfig,
    options: AppendOptions,
    producer: RwLock<Arc<Producer>>,
    queue: Arc<Queue>,
}

/// Where delivery reports and fatal errors arrive.
struct Context(Arc<Queue>);

impl KafkaAppender {
    pub(super) fn new(kafka: &KafkaOptions, options: AppendOptions) -> Result<Self, LogError> {
        let config = kafka.appender(&options);
        let queue = Arc::<Queue>::default();
        let producer = make(&config, &queue).map_err(|failed| error::of_call(&failed, "the producer"))?;
        Ok(Self { config, options, producer: RwLock::new(Arc::new(producer)), queue })
    }

    /// The producer; a new one where the last has failed for good.
    fn producer(&self) -> Result<Arc<Producer>, AppendError> {
        if !self.queue.is_broken() {
            return Ok(Arc::clone(&self.producer.read()));
        }
        let mut current = self.producer.write();
        if self.queue.is_broken() {
            let fresh =
                make(&self.config, &self.queue).map_err(|failed| AppendError::Unavailable(failed.to_string()))?;
            let failed = std::mem::replace(&mut *current, Arc::new(fresh));
            self.queue.mended();
            counter!("playledger_log_producers_rebuilt_total").increment(1);
            tracing::warn!("the producer failed for good; a new one takes its place");
            drop_aside(failed);
        }
        Ok(Arc::clone(&current))
    }

    fn send(&self, producer: &Producer, request: &Arc<Request>, records: &[NewRecord]) {
        for (index, record) in records.iter().enumerate() {
            let bytes = produce::size(record);
            let receipt = Box::new(Receipt { request: Arc::clone(request), index, bytes });
            if let Err((failed, receipt)) = producer.send(record, receipt) {
                self.queue.note(&failed);
                request.fail(if failed.rdkafka_error_code() == Some(Code::QueueFull) {
                    AppendError::Unavailable("librdkafka's queue is full".into())
                } else {
                    error::of_delivery(&failed, false)
                });
                receipt.done();
            }
        }
    }
}

#[async_trait]
impl Appender for KafkaAppender {
    fn append(&self, records: Vec<NewRecord>) -> Result<Pending, AppendError> {
        let (settle, pending) = Pending::new();
        let sizes = records.iter().map(produce::size);
        if let Some(size) = sizes.clone().find(|size| *size > MAX_MESSAGE_BYTES) {
            return Err(AppendError::Refused(format!(
                "a record of {size} bytes; at most {MAX_MESSAGE_BYTES} are taken"
            )));
        }
        let producer = self.producer()?;
        self.queue.reserve(records.len(), sizes.sum(), &self.options)?;
        let request = Request::enter(&self.queue, records.len(), settle);
        self.send(&producer, &request, &records);
        request.step();
        Ok(pending)
    }

    async fn flush(&self, deadline: Duration) -> Result<(), AppendError> {
        tokio::time::timeout(deadline, self.queue.emptied()).await.map_err(|_| {
            let left = self.queue.backlog().records;
            AppendError::Unknown(format!("{left} records have no outcome after {deadline:?}"))
        })
    }

    fn backlog(&self) -> Backlog {
        self.queue.backlog()
    }
}

impl Drop for KafkaAppender {
    fn drop(&mut self) {
        drop_aside(Arc::clone(&self.producer.read()));
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        super::context::log(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.note(&error);
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Receipt>;

    /// What the wrapper reports by itself: records that were on their way when the producer went.
    fn delivery(&self, result: &DeliveryResult<'_>, receipt: Box<Receipt>) {
        match result {
            Ok(message) => receipt.request.kept(receipt.index, message.offset()),
            Err((failed, _)) => {
                let unsent = failed.rdkafka_error_code() == Some(Code::PurgeQueue);
                self.failed(failed, !unsent, &receipt);
            }
        }
        receipt.done();
    }
}

impl Reports for Context {
    fn report(&self, report: &Report<'_>, receipt: Box<Receipt>) {
        match report.outcome() {
            Ok(offset) => receipt.request.kept(receipt.index, offset),
            Err(code) => self.failed(&KafkaError::MessageProduction(code), report.possibly_written(), &receipt),
        }
        receipt.done();
    }
}

impl Context {
    fn failed(&self, failed: &KafkaError, possibly_written: bool, receipt: &Receipt) {
        self.0.note(failed);
        receipt.request.fail(error::of_delivery(failed, possibly_written));
    }
}

fn make(config: &ClientConfig, queue: &Arc<Queue>) -> Result<Producer, KafkaError> {
    Producer::new(config, Context(Arc::clone(queue)))
}

/// Dropping a producer waits for its thread; whoever drops it here should not.
fn drop_aside(producer: Arc<Producer>) {
    if let Err(error) = super::membership::spawn("log-drop", move || drop(producer)) {
        tracing::warn!(%error, "a producer was dropped on the spot");
    }
}
