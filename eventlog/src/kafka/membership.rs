//! A member of a group, as the task sees it.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::oneshot;

use super::consumer::Member;
use super::context::MemberContext;
use super::error;
use super::held::{Fate, Owned};
use super::link::{Link, ROOM_BYTES, Received};
use super::messages::{Command, Content, Item, MemberLink, Notice};
use super::native::EventQueue;
use super::observer::Observer;
use super::options::KafkaOptions;
use super::slots::Slots;
use super::transaction::{Job, Transactions};
use crate::{Commit, CommitError, Committer, GroupEvent, GroupOptions, LogError, Membership, TopicPartition};

/// So long may leaving take; then the thread is left to itself.
const LEAVE_DEADLINE: Duration = Duration::from_secs(10);
/// No commit takes longer unless its thread hangs: each of its calls has a deadline, and all of them come to less.
const COMMIT_WATCHDOG: Duration = Duration::from_mins(1);

/// The task's end of a membership.
pub(super) struct KafkaMembership {
    link: Arc<MemberLink>,
    owned: Owned,
    fetches: u64,
    committer: Arc<KafkaCommitter>,
    ended: Option<oneshot::Receiver<()>>,
}

/// The task's end of the commits.
struct KafkaCommitter {
    link: Arc<MemberLink>,
    /// None for a member that commits offsets only.
    jobs: Option<mpsc::Sender<Job>>,
    /// Tells the commits' thread that the member has no more time.
    abandoned: Arc<AtomicBool>,
}

/// Joins a group; blocks.
pub(super) fn join(
    kafka: &KafkaOptions,
    observer: &Arc<Observer>,
    options: GroupOptions,
) -> Result<KafkaMembership, LogError> {
    for topic in &options.topics {
        observer.topic(topic)?;
    }
    // First of all: it ends what a predecessor of this name has left open.
    let transactions = if options.transactional { Some(Transactions::open(kafka, &options)?) } else { None };
    let what = format!("group {}", options.group);
    let failed = |failed: rdkafka::error::KafkaError| error::of_call(&failed, &what);
    let config = kafka.member(&options.group, &options.instance, options.read_committed);
    let consumer = BaseConsumer::from_config_and_context(&config, MemberContext).map_err(failed)?;
    let queue = EventQueue::of_consumer(consumer.client().native_ptr())
        .ok_or_else(|| LogError::Fatal("the consumer has no queue".into()))?;
    let topics: Vec<&str> = options.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(failed)?;
    let queue = Arc::new(queue);
    let link = Arc::new(Link::new(Arc::clone(&queue), ROOM_BYTES));
    let member = Member {
        queue,
        consumer,
        link: Arc::clone(&link),
        observer: Arc::clone(observer),
        group: options.group,
        instance: options.instance,
        headers: options.headers,
        topics: options.topics,
        slots: Slots::default(),
        assignments: 0,
        rebalances: VecDeque::new(),
        going: None,
        progress: HashSet::new(),
        commits: VecDeque::new(),
        joined: false,
        lost: None,
        leaving: None,
        full_since: None,
        held: false,
    };
    let (end, ended) = oneshot::channel();
    spawn("log-member", move || {
        member.run();
        // Nobody may wait for it.
        let _ = end.send(());
    })?;
    let abandoned = transactions.as_ref().map(Transactions::abandoned).unwrap_or_default();
    let jobs = transactions.map(|transactions| start_transactions(transactions, &link)).transpose()?;
    let committer = Arc::new(KafkaCommitter { link: Arc::clone(&link), jobs, abandoned });
    Ok(KafkaMembership { link, owned: Owned::default(), fetches: 0, committer, ended: Some(ended) })
}

fn start_transactions(transactions: Transactions, link: &Arc<MemberLink>) -> Result<mpsc::Sender<Job>, LogError> {
    let (jobs, waiting) = mpsc::channel();
    let link = Arc::clone(link);
    spawn("log-commits", move || transactions.run(&waiting, &link))?;
    Ok(jobs)
}

pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), LogError> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(drop).map_err(|failed| LogError::Fatal(format!("no thread can be started: {failed}")))
}

#[async_trait]
impl Membership for KafkaMembership {
    async fn next(&mut self) -> Result<GroupEvent, LogError> {
        if let Some(notice) = self.link.next_notice() {
            return self.noticed(notice);
        }
        if let Some(item) = self.owned.next() {
            return Ok(event(item));
        }
        loop {
            match self.link.receive().await {
                Received::Notice(notice) => return self.noticed(notice),
                Received::Item(item) => match self.owned.judge(item) {
                    Fate::Now(item) => return Ok(event(item)),
                    Fate::Kept => {}
                    // Where the thread has ended the next turn tells.
                    Fate::Enough(partition) => drop(self.link.command(Command::Hold { partition, held: true })),
                },
                Received::Ended => return Err(LogError::Fatal("the membership has ended".into())),
            }
        }
    }

    fn fetch_from(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.fetches += 1;
        if !self.owned.fetch(partition, self.fetches) {
            return Err(stranger(partition));
        }
        self.tell(Command::Fetch { partition: partition.clone(), offset, epoch: self.fetches })
    }

    fn hold(&mut self, partition: &TopicPartition, held: bool) -> Result<(), LogError> {
        if !self.owned.has(partition) {
            return Err(stranger(partition));
        }
        if self.owned.hold(partition, held) {
            return self.tell(Command::Hold { partition: partition.clone(), held: false });
        }
        Ok(())
    }

    fn committer(&self) -> Arc<dyn Committer> {
        Arc::clone(&self.committer) as Arc<dyn Committer>
    }

    async fn leave(mut self: Box<Self>) -> Result<(), LogError> {
        self.end(Command::Leave, "leaving the group").await
    }

    async fn stay(mut self: Box<Self>) -> Result<(), LogError> {
        // A static member that closes says nothing to its group.
        self.end(Command::Stop, "ending the membership").await
    }
}

impl KafkaMembership {
    fn noticed(&mut self, notice: Notice) -> Result<GroupEvent, LogError> {
        match notice {
            Notice::Assigned(assignments) => {
                self.owned.add(assignments.iter().map(|assignment| assignment.partition.clone()));
                Ok(GroupEvent::Assigned(assignments))
            }
            Notice::Revoked { partitions, lost, release } => {
                self.owned.remove(&partitions);
                Ok(GroupEvent::Revoked { partitions, lost, release })
            }
            Notice::Failed(error) => Err(error),
        }
    }

    fn tell(&self, command: Command) -> Result<(), LogError> {
        if self.link.command(command) { Ok(()) } else { Err(LogError::Fatal("the membership has ended".into())) }
    }

    /// Has the thread end, and waits for it. What it tells meanwhile is dropped, and with it the hold on what goes.
    async fn end(&mut self, command: Command, what: &str) -> Result<(), LogError> {
        let Some(ended) = self.ended.take() else { return Ok(()) };
        self.link.command(command);
        let dropped = async {
            while !matches!(self.link.receive().await, Received::Ended) {}
            std::future::pending::<()>().await;
        };
        let ended = async {
            tokio::select! {
                _ = ended => {}
                () = dropped => {}
            }
        };
        tokio::time::timeout(LEAVE_DEADLINE, ended).await.map_err(|_| error::late(what, LEAVE_DEADLINE))
    }
}

/// What an item that is to be handed out says.
fn event(item: Item) -> GroupEvent {
    match item.content {
        Content::Records(batch) => GroupEvent::Records(batch),
        Content::CaughtUp { partition, position } => GroupEvent::CaughtUp { partition, position },
    }
}

fn stranger(partition: &TopicPartition) -> LogError {
    LogError::NotFound(format!("{partition} among this member's partitions"))
}

impl Drop for KafkaMembership {
    fn drop(&mut self) {
        // After `leave` the thread has ended already, or hangs and is left to itself.
        self.link.command(Command::Stop);
    }
}

#[async_trait]
impl Committer for KafkaCommitter {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let (reply, outcome) = oneshot::channel();
        let taken = match &self.jobs {
            Some(jobs) => jobs.send(Job { commit, reply }).is_ok(),
            None if commit.outputs.is_empty() => self.link.command(Command::Commit { offsets: commit.offsets, reply }),
            None => return Err(CommitError::Refused("a member that is not transactional commits no outputs".into())),
        };
        if !taken {
            return Err(CommitError::Fatal("the membership has ended".into()));
        }
        match tokio::time::timeout(COMMIT_WATCHDOG, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(CommitError::Fatal("the membership ended before the outcome was known".into())),
            // Offsets alone are sent by the client for as long as no broker answers: nothing hangs.
            Err(_) if self.jobs.is_none() => Err(CommitError::Fatal(format!("no outcome after {COMMIT_WATCHDOG:?}"))),
            Err(_) => Err(CommitError::Hung(format!("no outcome after {COMMIT_WATCHDOG:?}"))),
        }
    }

    async fn abandon(&self) {
        let Some(jobs) = &self.jobs else { return };
        self.abandoned.store(true, Ordering::Relaxed);
        let (reply, outcome) = oneshot::channel();
        // Commits are carried out one after the other: the answer to this one says that none is under way.
        if jobs.send(Job { commit: Commit::default(), reply }).is_ok() {
            // It is refused, or the thread has ended: both will do.
            let _ = outcome.await;
        }
    }
}
