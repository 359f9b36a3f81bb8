//! What became of the records of a transaction, told while it is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::error;

/// What became of the records of the open transaction.
#[derive(Default)]
pub(super) struct Deliveries {
    /// Why the log will never take one of them.
    refused: Mutex<Option<String>>,
    /// One of them was not acknowledged.
    failed: AtomicBool,
}

/// The producer's end of it.
pub(super) struct Context(pub(super) Arc<Deliveries>);

impl Deliveries {
    /// A transaction begins.
    pub(super) fn forget(&self) {
        self.refused.lock().take();
        self.failed.store(false, Ordering::Relaxed);
    }

    /// Why the log will never take one of the records, if so.
    pub(super) fn refusal(&self) -> Option<String> {
        self.refused.lock().take()
    }

    /// Whether one of the records was not acknowledged.
    pub(super) fn have_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        super::context::log(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((failed, _)) = result {
            self.0.failed.store(true, Ordering::Relaxed);
            if failed.rdkafka_error_code().is_some_and(error::is_refusal) {
                self.0.refused.lock().get_or_insert_with(|| format!("an output: {failed}"));
            }
        }
    }
}
