//! Commits of a member: outputs and offsets in one Kafka transaction.
//!
//! The producer lives on a thread of its own, because librdkafka's transaction calls block. After a
//! fatal error the producer is dropped and every further commit is refused: the member joins again,
//! and its new producer fences whatever of the old one is still under way.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use parking_lot::Mutex;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::consumer::{Command, MemberLink};
use super::error::{self, Verdict};
use super::options::{KafkaOptions, TRANSACTION_TIMEOUT};
use super::{Metadata, produce};
use crate::{Commit, CommitError, LogError, NewRecord, TopicPartition};

/// So long may the cluster take to make ready for this member's transactions.
const INIT_DEADLINE: Duration = Duration::from_mins(1);
/// So long may each call within a transaction take; then its outcome counts as unknown. Longer makes
/// no sense: the broker has given the transaction up by then.
const CALL_DEADLINE: Duration = TRANSACTION_TIMEOUT;
/// So long may the consumer's thread take to say in which generation it is.
const METADATA_DEADLINE: Duration = Duration::from_secs(10);

/// A commit and who waits for its outcome.
pub(super) struct Job {
    pub(super) commit: Commit,
    pub(super) reply: oneshot::Sender<Result<(), CommitError>>,
}

type TransactionalProducer = ThreadedProducer<Context>;

/// A producer that is ready for transactions, and whose name fences all who had it before.
pub(super) struct Transactions {
    producer: TransactionalProducer,
    deliveries: Arc<Deliveries>,
    group: String,
}

/// What became of the records of the open transaction.
#[derive(Default)]
struct Deliveries {
    /// Why the log will never take one of them.
    refused: Mutex<Option<String>>,
}

struct Context(Arc<Deliveries>);

/// An open transaction: ends by [`Transaction::commit`] or [`Transaction::abort`], and is aborted
/// when it is dropped.
struct Transaction<'a> {
    transactions: &'a Transactions,
    open: bool,
}

impl Transactions {
    /// Makes the producer and waits until the cluster has ended what its predecessor left open.
    pub(super) fn open(kafka: &KafkaOptions, group: &str, instance: &str) -> Result<Self, LogError> {
        let what = format!("the transactional producer {instance} of group {group}");
        let deliveries = Arc::<Deliveries>::default();
        let config = kafka.transactional(group, instance);
        let producer = TransactionalProducer::from_config_and_context(&config, Context(Arc::clone(&deliveries)))
            .map_err(|failed| error::of_call(&failed, &what))?;
        let until = Instant::now() + INIT_DEADLINE;
        loop {
            match producer.init_transactions(CALL_DEADLINE) {
                Ok(()) => return Ok(Self { producer, deliveries, group: group.to_owned() }),
                Err(failed) if error::is_retriable(&failed) && Instant::now() < until => {}
                Err(failed) if error::is_retriable(&failed) => {
                    return Err(LogError::Unavailable(format!("{what}: {failed}")));
                }
                Err(failed) => return Err(LogError::Fatal(format!("{what}: {failed}"))),
            }
        }
    }

    /// Carries out commits until nobody can ask for one any more, or one ends fatally.
    pub(super) fn run(self, jobs: &mpsc::Receiver<Job>, link: &MemberLink) {
        let mut end = None;
        while let Ok(Job { commit, reply }) = jobs.recv() {
            let started = Instant::now();
            let partitions: Vec<_> = commit.offsets.iter().map(|(partition, _)| partition.clone()).collect();
            let outcome = self.carry_out(&commit, link);
            self.count(&outcome, started.elapsed());
            match &outcome {
                Ok(()) => drop(link.command(Command::Progressed(partitions))),
                Err(error) if error.ends_membership() => end = Some(error.to_string()),
                Err(_) => {}
            }
            // Who asked may be gone.
            let _ = reply.send(outcome);
            if end.is_some() {
                break;
            }
        }
        // First the producer goes, then those who still ask are told.
        drop(self);
        if let Some(reason) = end {
            for Job { reply, .. } in jobs {
                let _ = reply.send(Err(CommitError::Fatal(reason.clone())));
            }
        }
    }

    fn count(&self, outcome: &Result<(), CommitError>, took: Duration) {
        let cause = match outcome {
            Ok(()) => {
                histogram!("playledger_log_commit_seconds", "group" => self.group.clone()).record(took.as_secs_f64());
                return;
            }
            Err(CommitError::Aborted(_)) => "aborted",
            Err(CommitError::Refused(_)) => "refused",
            Err(CommitError::Fatal(_)) => "fatal",
            Err(CommitError::Fenced(_)) => "fenced",
        };
        counter!("playledger_log_aborts_total", "group" => self.group.clone(), "cause" => cause).increment(1);
    }

    fn carry_out(&self, commit: &Commit, link: &MemberLink) -> Result<(), CommitError> {
        let transaction = self.begin()?;
        let work = transaction.append(&commit.outputs).and_then(|()| transaction.offsets(&commit.offsets, link));
        match work {
            Ok(()) => transaction.commit(),
            // A fatal one is not aborted: the next producer of this name does it.
            Err(error) if error.ends_membership() => {
                transaction.forget();
                Err(error)
            }
            Err(passing) => transaction.abort().and(Err(passing)),
        }
    }

    fn begin(&self) -> Result<Transaction<'_>, CommitError> {
        self.deliveries.refused.lock().take();
        self.producer.begin_transaction().map_err(|failed| fatal("begin", &failed))?;
        Ok(Transaction { transactions: self, open: true })
    }
}

impl Transaction<'_> {
    fn append(&self, records: &[NewRecord]) -> Result<(), CommitError> {
        let producer = &self.transactions.producer;
        for record in records {
            let until = Instant::now() + CALL_DEADLINE;
            while let Err((failed, _)) = producer.send(produce::outgoing(record, ())) {
                let full = failed.rdkafka_error_code() == Some(Code::QueueFull);
                if full && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                let what = format!("an output to {}: {failed}", record.partition);
                let refused = failed.rdkafka_error_code().is_some_and(error::is_refusal);
                return Err(if refused { CommitError::Refused(what) } else { CommitError::Aborted(what) });
            }
        }
        Ok(())
    }

    fn offsets(&self, offsets: &[(TopicPartition, i64)], link: &MemberLink) -> Result<(), CommitError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*offset))
                .map_err(|failed| CommitError::Refused(format!("the offset {offset} of {partition}: {failed}")))?;
        }
        let metadata = metadata(link, offsets.iter().map(|(partition, _)| partition.clone()).collect())?;
        self.call("send_offsets", |producer| producer.send_offsets_to_transaction(&list, &metadata, CALL_DEADLINE))
    }

    fn commit(mut self) -> Result<(), CommitError> {
        self.open = false;
        self.wait_for_deliveries();
        let done = self.call("commit", |producer| producer.commit_transaction(CALL_DEADLINE));
        match done {
            Err(CommitError::Aborted(reason)) => {
                let deliveries = Arc::clone(&self.transactions.deliveries);
                self.abort()?;
                let refused = deliveries.refused.lock().take();
                Err(match refused {
                    Some(refused) => CommitError::Refused(refused),
                    None => CommitError::Aborted(reason),
                })
            }
            done => done,
        }
    }

    fn abort(mut self) -> Result<(), CommitError> {
        self.open = false;
        self.call("abort", |producer| producer.abort_transaction(CALL_DEADLINE)).map_err(|failed| match failed {
            CommitError::Aborted(reason) => CommitError::Fatal(reason),
            failed => failed,
        })
    }

    /// Leaves it as it is: its producer is about to be dropped.
    fn forget(mut self) {
        self.open = false;
    }

    /// Makes a call, again where librdkafka says that it may be made again.
    fn call(
        &self,
        what: &str,
        call: impl Fn(&TransactionalProducer) -> Result<(), KafkaError>,
    ) -> Result<(), CommitError> {
        let until = Instant::now() + CALL_DEADLINE;
        loop {
            let Err(failed) = call(&self.transactions.producer) else { return Ok(()) };
            match error::judge(&failed) {
                Verdict::Abort => return Err(CommitError::Aborted(format!("{what}: {failed}"))),
                Verdict::Retry if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
                Verdict::Retry | Verdict::Fatal => return Err(fatal(what, &failed)),
            }
        }
    }

    /// The wrapper's own flush looks only every 100 ms whether all records have their outcome.
    fn wait_for_deliveries(&self) {
        let until = Instant::now() + CALL_DEADLINE;
        while self.transactions.producer.in_flight_count() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open
            && let Err(failed) = self.transactions.producer.abort_transaction(CALL_DEADLINE)
        {
            tracing::warn!(error = %failed, "a dropped transaction could not be aborted");
        }
    }
}

/// What a failed call means after which the producer can do nothing more.
fn fatal(what: &str, failed: &KafkaError) -> CommitError {
    let why = format!("{what}: {failed}");
    match failed.rdkafka_error_code() {
        Some(code) if error::is_fenced(code) => CommitError::Fenced(why),
        _ => CommitError::Fatal(why),
    }
}

/// The group's metadata, fetched on the thread that polls, for exactly these partitions.
fn metadata(link: &MemberLink, partitions: Vec<TopicPartition>) -> Result<Metadata, CommitError> {
    let (reply, metadata) = mpsc::channel();
    if !link.command(Command::Metadata { partitions, reply }) {
        return Err(CommitError::Fatal("the membership has ended".into()));
    }
    match metadata.recv_timeout(METADATA_DEADLINE) {
        Ok(metadata) => metadata.map_err(CommitError::Aborted),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(CommitError::Aborted("the consumer did not answer".into())),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(CommitError::Fatal("the membership has ended".into())),
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
        if let Err((failed, _)) = result
            && failed.rdkafka_error_code().is_some_and(error::is_refusal)
        {
            self.0.refused.lock().get_or_insert_with(|| format!("an output: {failed}"));
        }
    }
}
