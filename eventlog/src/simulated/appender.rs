//! Appending: into a bounded queue, and out of it by one task.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::SimulatedLog;
use super::cluster::State;
use crate::embedded::backlog::{Ticket, Waiting};
use crate::{AppendError, AppendOptions, Appender, Backlog, NewRecord, Pending};

/// Appends outside of transactions.
pub(super) struct SimulatedAppender {
    options: AppendOptions,
    waiting: Arc<Waiting>,
    queue: mpsc::UnboundedSender<Request>,
    _writer: AbortOnDropHandle<()>,
}

struct Request {
    records: Vec<NewRecord>,
    due: Instant,
    settle: oneshot::Sender<Result<Vec<i64>, AppendError>>,
    ticket: Ticket,
}

impl SimulatedAppender {
    pub(super) fn new(log: &SimulatedLog, options: AppendOptions) -> Self {
        let (queue, requests) = mpsc::unbounded_channel();
        let writer = AbortOnDropHandle::new(tokio::spawn(write(log.clone(), requests)));
        Self { options, waiting: Arc::default(), queue, _writer: writer }
    }
}

async fn write(log: SimulatedLog, mut requests: mpsc::UnboundedReceiver<Request>) {
    while let Some(Request { records, due, settle, ticket }) = requests.recv().await {
        tokio::time::sleep_until(due).await;
        log.client.awake().await;
        let outcome = log.cluster.change(|state| append(state, records));
        drop(ticket);
        // Nobody may be waiting.
        let _ = settle.send(outcome);
    }
}

fn append(state: &mut State, records: Vec<NewRecord>) -> Result<Vec<i64>, AppendError> {
    if let Some(why) = records.iter().find_map(|record| refusal(state, record)) {
        return Err(AppendError::Refused(why));
    }
    let append = |record: NewRecord| {
        let place = record.partition.clone();
        state.partition_mut(&place).map(|partition| partition.append(record, None))
    };
    Ok(records.into_iter().filter_map(append).collect())
}

/// Why the log will never take a record.
pub(super) fn refusal(state: &State, record: &NewRecord) -> Option<String> {
    let Some(topic) =
        state.topics.get(&*record.partition.topic).filter(|_| state.partition(&record.partition).is_some())
    else {
        return Some(format!("there is no partition {}", record.partition));
    };
    let (bytes, most) = (size(record), topic.spec.max_message_bytes as usize);
    (bytes > most).then(|| format!("a record of {bytes} bytes: {} takes {most}", record.partition.topic))
}

fn size(record: &NewRecord) -> usize {
    record.key.len() + record.value.as_ref().map_or(0, bytes::Bytes::len) + record.headers.packed().len()
}

#[async_trait]
impl Appender for SimulatedAppender {
    fn append(&self, records: Vec<NewRecord>) -> Result<Pending, AppendError> {
        let (settle, pending) = Pending::new();
        let bytes = records.iter().map(size).sum();
        let ticket = self.waiting.enter(records.len(), bytes, &self.options).ok_or(AppendError::Full)?;
        let request = Request { records, due: Instant::now() + self.options.linger, settle, ticket };
        // The writer lives as long as this appender.
        self.queue.send(request).map_err(|_| AppendError::Unavailable("its writer has ended".into()))?;
        Ok(pending)
    }

    async fn flush(&self, deadline: Duration) -> Result<(), AppendError> {
        tokio::time::timeout(deadline, self.waiting.drained())
            .await
            .map_err(|_| AppendError::Unknown(format!("{} records still wait", self.waiting.backlog().records)))
    }

    fn backlog(&self) -> Backlog {
        self.waiting.backlog()
    }
}
