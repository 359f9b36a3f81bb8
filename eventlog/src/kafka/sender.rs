//! Hands records to librdkafka and takes its delivery reports, past the safe wrapper.
//!
//! The wrapper looks the topic up by its name for every record, copies that name and those of the headers, and
//! makes a reference count for every report. Here a topic's handle is kept, and reports are read as they lie in
//! their event.
#![expect(unsafe_code, reason = "calls into librdkafka that its safe wrapper makes dear")]

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::RwLock;
use rdkafka::ClientConfig;
use rdkafka::bindings as rd;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::util::IntoOpaque;

use super::native::{Event, EventQueue, Report};
use crate::NewRecord;

/// Longest that the thread of the reports waits for one.
const IDLE: Duration = Duration::from_millis(100);

/// Room for so many headers is made at once.
const USUAL_HEADERS: usize = 4;

/// Where reports and errors arrive.
pub(super) trait Reports: ProducerContext {
    /// A record has its outcome; `opaque` is what went out with it.
    fn report(&self, report: &Report<'_>, opaque: Self::DeliveryOpaque);
}

/// A producer and the thread that takes its reports.
///
/// Dropping it waits for that thread, and for records that are still on their way, half a second at most.
pub(super) struct Sender<C: Reports + 'static> {
    topics: RwLock<Vec<(Arc<str>, Topic)>>,
    stop: Arc<AtomicBool>,
    queue: Arc<EventQueue>,
    thread: Option<JoinHandle<()>>,
    /// Last: topics and queue are its own.
    producer: Arc<BaseProducer<C>>,
}

/// A topic's handle within its client.
struct Topic(NonNull<rd::rd_kafka_topic_t>);

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: gives back the reference that `rd_kafka_topic_new` gave.
        unsafe { rd::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

impl<C: Reports + 'static> Sender<C> {
    /// A producer of these settings.
    ///
    /// # Errors
    /// A setting that is refused; a thread that can't be started.
    pub(super) fn new(config: &ClientConfig, context: C) -> Result<Self, KafkaError> {
        let producer = Arc::new(BaseProducer::from_config_and_context(config, context)?);
        let queue = EventQueue::of_client(producer.client().native_ptr())
            .ok_or_else(|| KafkaError::ClientCreation("the producer has no queue".into()))?;
        let (queue, stop) = (Arc::new(queue), Arc::new(AtomicBool::new(false)));
        let mut sender = Self {
            topics: RwLock::default(),
            stop: Arc::clone(&stop),
            queue: Arc::clone(&queue),
            thread: None,
            producer,
        };
        let context = Arc::clone(sender.producer.client().context());
        let take = move || {
            while !stop.load(Ordering::Relaxed) {
                take(&queue, &*context);
            }
        };
        let started = std::thread::Builder::new().name("log-reports".into()).spawn(take);
        let failed = |failed| KafkaError::ClientCreation(format!("no thread can be started: {failed}"));
        sender.thread = Some(started.map_err(failed)?);
        Ok(sender)
    }

    /// Hands a record over; its report comes with `opaque`.
    ///
    /// # Errors
    /// When librdkafka does not take it; `opaque` comes back.
    pub(super) fn send(
        &self,
        record: &NewRecord,
        opaque: C::DeliveryOpaque,
    ) -> Result<(), (KafkaError, C::DeliveryOpaque)> {
        let failed = |code: rd::rd_kafka_resp_err_t| KafkaError::MessageProduction(Code::from(code));
        let headers = match headers(record) {
            Ok(headers) => headers,
            Err(code) => return Err((failed(code), opaque)),
        };
        let topics = self.topics.read();
        let known = topics.iter().find(|(name, _)| *name == record.partition.topic);
        let Some((_, topic)) = known else {
            drop(topics);
            return match self.learn(&record.partition.topic) {
                Ok(()) => self.send(record, opaque),
                Err(error) => Err((error, opaque)),
            };
        };
        let opaque = opaque.into_ptr();
        let value = record.value.as_deref();
        // SAFETY: producer and topic are live and of one client; key and value are copied before the call returns
        // (F_COPY); the headers are the client's from a call on that succeeds. Every type is the one that its tag
        // asks for (rdkafka.h, rd_kafka_vtype_t), and END ends the list.
        let code = unsafe {
            rd::rd_kafka_producev(
                self.producer.client().native_ptr(),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic.0.as_ptr(),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                record.partition.partition,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                rd::RD_KAFKA_MSG_F_COPY,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value.map_or(ptr::null(), <[u8]>::as_ptr),
                value.map_or(0, <[u8]>::len),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                record.key.as_ptr(),
                record.key.len(),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                opaque,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp_ms,
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers.as_ref().map_or(ptr::null_mut(), |headers| headers.0.as_ptr()),
                rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        if code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            std::mem::forget(headers);
            return Ok(());
        }
        // SAFETY: the pointer that was made above; the record was not taken, so no report brings it back.
        Err((failed(code), unsafe { C::DeliveryOpaque::from_ptr(opaque) }))
    }

    fn learn(&self, name: &Arc<str>) -> Result<(), KafkaError> {
        let text = CString::new(&**name)?;
        // SAFETY: the client is live; without settings of its own the topic has the client's.
        let raw =
            unsafe { rd::rd_kafka_topic_new(self.producer.client().native_ptr(), text.as_ptr(), ptr::null_mut()) };
        let topic = NonNull::new(raw).map(Topic).ok_or(KafkaError::MessageProduction(Code::InvalidTopic))?;
        self.topics.write().push((Arc::clone(name), topic));
        Ok(())
    }
}

impl<C: Reports + 'static> Drop for Sender<C> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue.wake();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; a panic in it has been told.
            let _ = thread.join();
        }
    }
}

/// Takes what the producer has to tell, and waits for it a moment.
fn take<C: Reports>(queue: &EventQueue, context: &C) {
    let Some(event) = queue.poll(IDLE) else { return };
    match event.read() {
        Event::Delivered(reports) => {
            for report in reports {
                // SAFETY: what went out with the record, by `send`; each report comes once.
                let opaque = unsafe { C::DeliveryOpaque::from_ptr(report.opaque()) };
                context.report(&report, opaque);
            }
        }
        Event::Error { code, fatal, text, .. } => {
            let code = if fatal { Code::Fatal } else { code };
            context.error(KafkaError::Global(code), &text);
        }
        Event::Log { level, facility, text } => super::context::log(level, &facility, &text),
        _ => {}
    }
}

/// Headers that are ours until a producer takes them.
struct RawHeaders(NonNull<rd::rd_kafka_headers_t>);

impl Drop for RawHeaders {
    fn drop(&mut self) {
        // SAFETY: ours, and live.
        unsafe { rd::rd_kafka_headers_destroy(self.0.as_ptr()) }
    }
}

/// A record's headers as librdkafka wants them; none where it has none.
fn headers(record: &NewRecord) -> Result<Option<RawHeaders>, rd::rd_kafka_resp_err_t> {
    if record.headers.packed().is_empty() {
        return Ok(None);
    }
    // SAFETY: allocates, no more; there may come more than the number says.
    let Some(raw) = NonNull::new(unsafe { rd::rd_kafka_headers_new(USUAL_HEADERS) }) else { return Ok(None) };
    let headers = RawHeaders(raw);
    for (name, value) in record.headers.iter() {
        // SAFETY: name and value are copied; their lengths are given, so that no zero has to end them.
        let code = unsafe {
            rd::rd_kafka_header_add(
                headers.0.as_ptr(),
                name.as_ptr().cast(),
                isize::try_from(name.len()).unwrap_or(isize::MAX),
                value.as_ptr().cast(),
                isize::try_from(value.len()).unwrap_or(isize::MAX),
            )
        };
        if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(code);
        }
    }
    Ok(Some(headers))
}
