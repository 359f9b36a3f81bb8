//! Counts the records that an appender has handed over, and settles requests when all of theirs
//! have their outcome.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use parking_lot::Mutex;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::sync::{Notify, oneshot};

use super::error;
use crate::{AppendError, AppendOptions, Backlog};

/// Told the outcome of a request.
type Settle = oneshot::Sender<Result<Vec<i64>, AppendError>>;

/// What waits for its acknowledgement.
#[derive(Default)]
pub(super) struct Queue {
    records: AtomicUsize,
    bytes: AtomicUsize,
    /// Requests whose outcome has not been told.
    untold: AtomicUsize,
    /// Requests in the order in which they came; those at the front that are settled are swept.
    requests: Mutex<VecDeque<(Instant, Weak<Request>)>>,
    emptied: Notify,
    /// The producer has failed for good and another must take its place.
    broken: AtomicBool,
}

/// Records that were handed over together, and who waits for them.
pub(super) struct Request {
    queue: Arc<Queue>,
    /// Records without an outcome, and one for the handing over itself.
    open: AtomicUsize,
    offsets: Vec<AtomicI64>,
    failure: Mutex<Option<AppendError>>,
    settle: Mutex<Option<Settle>>,
}

/// What comes back with a record's delivery report.
pub(super) struct Receipt {
    pub(super) request: Arc<Request>,
    pub(super) index: usize,
    pub(super) bytes: usize,
}

impl Queue {
    /// Takes room for all of these or for none.
    pub(super) fn reserve(&self, records: usize, bytes: usize, options: &AppendOptions) -> Result<(), AppendError> {
        let all_records = self.records.fetch_add(records, Ordering::AcqRel) + records;
        let all_bytes = self.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        if all_records <= options.max_records && all_bytes <= options.max_bytes {
            show(all_records);
            return Ok(());
        }
        self.release(records, bytes);
        counter!("playledger_log_appends_shed_total").increment(1);
        Err(AppendError::Full)
    }

    fn release(&self, records: usize, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        if self.records.fetch_sub(records, Ordering::AcqRel) == records {
            show(0);
        }
    }

    /// What waits now.
    pub(super) fn backlog(&self) -> Backlog {
        let mut requests = self.requests.lock();
        sweep(&mut requests);
        let records = self.records.load(Ordering::Acquire);
        // A request may outlive its last record by a moment.
        let oldest = requests.front().filter(|_| records > 0).map_or(Duration::ZERO, |(since, _)| since.elapsed());
        Backlog { records, oldest }
    }

    /// Resolves when every request has been told its outcome.
    pub(super) async fn emptied(&self) {
        loop {
            let notified = self.emptied.notified();
            tokio::pin!(notified);
            // Listening starts here, so that what empties from now on is not missed.
            notified.as_mut().enable();
            if self.untold.load(Ordering::Acquire) == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Whether the producer has failed for good.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Another producer has taken the failed one's place.
    pub(super) fn mended(&self) {
        self.broken.store(false, Ordering::Release);
    }

    /// Remembers an error after which the producer can do nothing more.
    pub(super) fn note(&self, error: &KafkaError) {
        let fatal = |code| matches!(code, Code::Fatal | Code::OutOfOrderSequenceNumber) || error::is_fenced(code);
        if error.rdkafka_error_code().is_some_and(fatal) {
            self.broken.store(true, Ordering::Release);
        }
    }
}

impl Request {
    /// Enters a request of so many records; [`Queue::reserve`] has made room for them.
    pub(super) fn enter(queue: &Arc<Queue>, records: usize, settle: Settle) -> Arc<Self> {
        let request = Arc::new(Self {
            queue: Arc::clone(queue),
            open: AtomicUsize::new(records + 1),
            offsets: (0..records).map(|_| AtomicI64::new(-1)).collect(),
            failure: Mutex::new(None),
            settle: Mutex::new(Some(settle)),
        });
        queue.untold.fetch_add(1, Ordering::AcqRel);
        let mut requests = queue.requests.lock();
        sweep(&mut requests);
        requests.push_back((Instant::now(), Arc::downgrade(&request)));
        drop(requests);
        request
    }

    /// Record `index` is kept at `offset`.
    pub(super) fn kept(&self, index: usize, offset: i64) {
        self.offsets[index].store(offset, Ordering::Release);
    }

    /// One of its records failed.
    pub(super) fn fail(&self, error: AppendError) {
        let mut failure = self.failure.lock();
        // The least certain outcome of any record is that of them all.
        let replaces = match (&*failure, &error) {
            (None, _) => true,
            (Some(AppendError::Unknown(_)), _) => false,
            (Some(_), found) => matches!(found, AppendError::Unknown(_)),
        };
        if replaces {
            *failure = Some(error);
        }
    }

    /// One less is open; settles when none is.
    pub(super) fn step(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let Some(settle) = self.settle.lock().take() else { return };
        let offsets = || self.offsets.iter().map(|offset| offset.load(Ordering::Acquire)).collect::<Vec<_>>();
        let outcome = match self.failure.lock().take() {
            None => Ok(offsets()),
            // Some were kept and some not: the whole may have been written in part.
            Some(failure) if offsets().iter().any(|offset| *offset >= 0) => {
                Err(AppendError::Unknown(format!("only a part was written: {failure}")))
            }
            Some(failure) => Err(failure),
        };
        // Who asked may be gone.
        let _ = settle.send(outcome);
        if self.queue.untold.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.queue.emptied.notify_waiters();
        }
    }
}

impl Receipt {
    /// The record has its outcome.
    pub(super) fn done(self) {
        let Self { request, bytes, .. } = self;
        // First: who hears of the outcome finds its room free.
        request.queue.release(1, bytes);
        request.step();
    }
}

fn show(records: usize) {
    gauge!("playledger_log_queue_records").set(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
}

fn sweep(requests: &mut VecDeque<(Instant, Weak<Request>)>) {
    while requests.front().is_some_and(|(_, request)| request.strong_count() == 0) {
        requests.pop_front();
    }
}
