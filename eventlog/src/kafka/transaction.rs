//! Commits of a member: outputs and offsets in one Kafka transaction.
//!
//! The producer lives on a thread of its own, because librdkafka's transaction calls block. After a
//! fatal error the producer is dropped and every further commit is refused: the member joins again,
//! and its new producer fences whatever of the old one is still under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::deliveries::{Context, Deliveries};
use super::error::{self, Verdict};
use super::messages::{Command, MemberLink};
use super::options::{KafkaOptions, TRANSACTION_TIMEOUT};
use super::{Metadata, produce};
use crate::{AbortCause, Commit, CommitError, GroupOptions, LogError, NewRecord, TopicPartition};

/// So long may the cluster take to make ready for this member's transactions.
const INIT_DEADLINE: Duration = Duration::from_mins(1);
/// So long may a transaction take until its end is asked for, and a call beside one. Longer makes no sense: the
/// broker has given the transaction up by then.
const CALL_DEADLINE: Duration = TRANSACTION_TIMEOUT;
/// A call gets so long however little of a transaction's time is left: it has to be sent at all.
const LEAST_CALL: Duration = Duration::from_secs(1);
/// So long may an abort take for which a member that ends waits.
const LAST_ABORT: Duration = Duration::from_secs(2);

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
    /// So long may the end of a commit take.
    commit_deadline: Duration,
    /// The member has no more time: nothing is committed any more.
    abandoned: Arc<AtomicBool>,
}

/// An open transaction: ends by [`Transaction::commit`] or [`Transaction::abort`], and is aborted
/// when it is dropped.
struct Transaction<'a> {
    transactions: &'a Transactions,
    open: bool,
    /// When its end must have been asked for.
    until: Instant,
}

impl Transactions {
    /// Makes the producer and waits until the cluster has ended what its predecessor left open.
    pub(super) fn open(kafka: &KafkaOptions, options: &GroupOptions) -> Result<Self, LogError> {
        let GroupOptions { group, instance, .. } = options;
        let what = format!("the transactional producer {instance} of group {group}");
        let deliveries = Arc::<Deliveries>::default();
        let config = kafka.transactional(group, instance);
        let producer = TransactionalProducer::from_config_and_context(&config, Context(Arc::clone(&deliveries)))
            .map_err(|failed| error::of_call(&failed, &what))?;
        let until = Instant::now() + INIT_DEADLINE;
        loop {
            match producer.init_transactions(CALL_DEADLINE) {
                Ok(()) => {
                    return Ok(Self {
                        producer,
                        deliveries,
                        group: group.clone(),
                        commit_deadline: options.commit_deadline.min(TRANSACTION_TIMEOUT),
                        abandoned: Arc::default(),
                    });
                }
                Err(failed) if error::is_retriable(&failed) && Instant::now() < until => {}
                Err(failed) if error::is_retriable(&failed) => {
                    return Err(LogError::Unavailable(format!("{what}: {failed}")));
                }
                Err(failed) => return Err(never_ready(&failed, &what)),
            }
        }
    }

    /// Set, it has the commit under way aborted unless its end has been asked for, and every later one.
    pub(super) fn abandoned(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.abandoned)
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
        let group = self.group.clone();
        match outcome {
            Ok(()) => histogram!("playledger_log_commit_seconds", "group" => group).record(took.as_secs_f64()),
            Err(error) => {
                counter!("playledger_log_aborts_total", "group" => group, "cause" => error.cause()).increment(1);
            }
        }
    }

    fn carry_out(&self, commit: &Commit, link: &MemberLink) -> Result<(), CommitError> {
        self.still_wanted()?;
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
        self.deliveries.forget();
        self.producer.begin_transaction().map_err(|failed| fatal("begin", &failed))?;
        Ok(Transaction { transactions: self, open: true, until: Instant::now() + CALL_DEADLINE })
    }

    fn still_wanted(&self) -> Result<(), CommitError> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(CommitError::aborted(AbortCause::Abandoned, "this member ends"));
        }
        Ok(())
    }
}

impl Transaction<'_> {
    fn append(&self, records: &[NewRecord]) -> Result<(), CommitError> {
        let producer = &self.transactions.producer;
        for record in records {
            self.transactions.still_wanted()?;
            while let Err((failed, _)) = producer.send(produce::outgoing(record, ())) {
                let full = failed.rdkafka_error_code() == Some(Code::QueueFull);
                if full && Instant::now() < self.until {
                    self.transactions.still_wanted()?;
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                let what = format!("an output to {}: {failed}", record.partition);
                let refused = failed.rdkafka_error_code().is_some_and(error::is_refusal);
                let cause = if full { AbortCause::Delivery } else { AbortCause::Other };
                return Err(if refused { CommitError::Refused(what) } else { CommitError::aborted(cause, what) });
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
        let partitions = offsets.iter().map(|(partition, _)| partition.clone()).collect();
        let metadata = metadata(link, partitions, self.left())?;
        self.transactions.still_wanted()?;
        self.call("send_offsets", self.left(), |producer, wait| {
            producer.send_offsets_to_transaction(&list, &metadata, wait)
        })
    }

    fn commit(mut self) -> Result<(), CommitError> {
        self.open = false;
        let wanted = self.wait_for_deliveries();
        let deadline = self.transactions.commit_deadline;
        let done = wanted.and_then(|()| self.call("commit", deadline, Producer::commit_transaction));
        match done {
            Err(CommitError::Aborted(abort)) => {
                let deliveries = Arc::clone(&self.transactions.deliveries);
                // Looked at first: what is purged by the abort has failed, too.
                let failed = deliveries.have_failed();
                self.abort()?;
                let refused = deliveries.refusal();
                Err(match refused {
                    Some(refused) => CommitError::Refused(refused),
                    None if failed => CommitError::aborted(AbortCause::Delivery, abort.why),
                    None => CommitError::Aborted(abort),
                })
            }
            done => done,
        }
    }

    fn abort(mut self) -> Result<(), CommitError> {
        self.open = false;
        let abandoned = self.transactions.abandoned.load(Ordering::Relaxed);
        let deadline = if abandoned { LAST_ABORT } else { CALL_DEADLINE };
        self.call("abort", deadline, Producer::abort_transaction).map_err(|failed| match failed {
            CommitError::Aborted(abort) => CommitError::Fatal(abort.why),
            failed => failed,
        })
    }

    /// What is left of its time.
    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).max(LEAST_CALL)
    }

    /// Leaves it as it is: its producer is about to be dropped.
    fn forget(mut self) {
        self.open = false;
    }

    /// Makes a call, again where librdkafka says that it may be made again.
    fn call(
        &self,
        what: &str,
        deadline: Duration,
        call: impl Fn(&TransactionalProducer, Duration) -> Result<(), KafkaError>,
    ) -> Result<(), CommitError> {
        let until = Instant::now() + deadline;
        loop {
            let left = until.saturating_duration_since(Instant::now()).max(LEAST_CALL.min(deadline));
            let Err(failed) = call(&self.transactions.producer, left) else { return Ok(()) };
            match error::judge(&failed) {
                Verdict::Abort => {
                    let cause = error::cause(failed.rdkafka_error_code());
                    return Err(CommitError::aborted(cause, format!("{what}: {failed}")));
                }
                Verdict::Retry if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
                Verdict::Retry | Verdict::Fatal => return Err(fatal(what, &failed)),
            }
        }
    }

    /// The wrapper's own flush looks only every 100 ms whether all records have their outcome.
    fn wait_for_deliveries(&self) -> Result<(), CommitError> {
        self.transactions.still_wanted()?;
        while self.transactions.producer.in_flight_count() > 0 && Instant::now() < self.until {
            std::thread::sleep(Duration::from_micros(200));
            self.transactions.still_wanted()?;
        }
        Ok(())
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

/// Why transactions cannot be had at all: a person must act where the credentials do not allow them.
fn never_ready(failed: &KafkaError, what: &str) -> LogError {
    match failed.rdkafka_error_code().map(|code| error::of_code(code, what)) {
        Some(told @ LogError::Invalid(_)) => told,
        _ => LogError::Fatal(format!("{what}: {failed}")),
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
fn metadata(link: &MemberLink, partitions: Vec<TopicPartition>, wait: Duration) -> Result<Metadata, CommitError> {
    let (reply, metadata) = mpsc::channel();
    if !link.command(Command::Metadata { partitions, reply }) {
        return Err(CommitError::Fatal("the membership has ended".into()));
    }
    match metadata.recv_timeout(wait) {
        Ok(metadata) => metadata.map_err(CommitError::Aborted),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(CommitError::aborted(AbortCause::Other, "the consumer did not answer"))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(CommitError::Fatal("the membership has ended".into())),
    }
}
