//! A member of a group, as the task sees it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::oneshot;

use super::consumer::{Command, Content, Item, Member, MemberLink, Notice};
use super::context::MemberContext;
use super::error;
use super::link::{Link, Received};
use super::native::EventQueue;
use super::observer::Observer;
use super::options::KafkaOptions;
use super::slots::Slots;
use super::transaction::{Job, Transactions};
use crate::{Commit, CommitError, Committer, GroupEvent, GroupOptions, LogError, Membership, TopicPartition};

/// So long may leaving take; then the thread is left to itself.
const LEAVE_DEADLINE: Duration = Duration::from_secs(10);
/// No commit takes longer unless its thread hangs.
const COMMIT_WATCHDOG: Duration = Duration::from_mins(1);

/// The task's end of a membership.
pub(super) struct KafkaMembership {
    link: Arc<MemberLink>,
    /// Owned partitions, each with the number of its last fetch; what belongs to another is stale.
    owned: HashMap<TopicPartition, u64>,
    fetches: u64,
    committer: Arc<KafkaCommitter>,
    ended: Option<oneshot::Receiver<()>>,
}

/// The task's end of the commits.
struct KafkaCommitter {
    link: Arc<MemberLink>,
    /// None for a member that commits offsets only.
    jobs: Option<mpsc::Sender<Job>>,
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
    let transactions =
        if options.transactional { Some(Transactions::open(kafka, &options.group, &options.instance)?) } else { None };
    let what = format!("group {}", options.group);
    let failed = |failed: rdkafka::error::KafkaError| error::of_call(&failed, &what);
    let config = kafka.member(&options.group, &options.instance, options.read_committed);
    let consumer = BaseConsumer::from_config_and_context(&config, MemberContext).map_err(failed)?;
    let queue = EventQueue::of_consumer(consumer.client().native_ptr())
        .ok_or_else(|| LogError::Fatal("the consumer has no queue".into()))?;
    let topics: Vec<&str> = options.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(failed)?;
    let queue = Arc::new(queue);
    let link = Arc::new(Link::new(Arc::clone(&queue)));
    let member = Member {
        queue,
        consumer,
        link: Arc::clone(&link),
        observer: Arc::clone(observer),
        group: options.group,
        instance: options.instance,
        topics: options.topics,
        slots: Slots::default(),
        progress: HashSet::new(),
        commits: VecDeque::new(),
        joined: false,
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
    let jobs = transactions.map(|transactions| start_transactions(transactions, &link)).transpose()?;
    let committer = Arc::new(KafkaCommitter { link: Arc::clone(&link), jobs });
    Ok(KafkaMembership { link, owned: HashMap::new(), fetches: 0, committer, ended: Some(ended) })
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
        loop {
            match self.link.receive().await {
                Received::Notice(Notice::Assigned(assignments)) => {
                    self.owned.extend(assignments.iter().map(|assignment| (assignment.partition.clone(), 0)));
                    return Ok(GroupEvent::Assigned(assignments));
                }
                Received::Notice(Notice::Revoked { partitions, lost, release }) => {
                    self.owned.retain(|partition, _| !partitions.contains(partition));
                    return Ok(GroupEvent::Revoked { partitions, lost, release });
                }
                Received::Notice(Notice::Failed(error)) => return Err(error),
                Received::Item(item) => {
                    if let Some(event) = self.current(item) {
                        return Ok(event);
                    }
                }
                Received::Ended => return Err(LogError::Fatal("the membership has ended".into())),
            }
        }
    }

    fn fetch_from(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        let Some(fetch) = self.owned.get_mut(partition) else {
            return Err(LogError::NotFound(format!("{partition} among this member's partitions")));
        };
        self.fetches += 1;
        *fetch = self.fetches;
        let command = Command::Fetch { partition: partition.clone(), offset, epoch: self.fetches };
        if self.link.command(command) { Ok(()) } else { Err(LogError::Fatal("the membership has ended".into())) }
    }

    fn committer(&self) -> Arc<dyn Committer> {
        Arc::clone(&self.committer) as Arc<dyn Committer>
    }

    async fn leave(mut self: Box<Self>) -> Result<(), LogError> {
        let Some(ended) = self.ended.take() else { return Ok(()) };
        self.link.command(Command::Leave);
        match tokio::time::timeout(LEAVE_DEADLINE, ended).await {
            Ok(_) => Ok(()),
            Err(_) => Err(error::late("leaving the group", LEAVE_DEADLINE)),
        }
    }
}

impl KafkaMembership {
    /// The event of an item, unless its partition has gone or has been moved since.
    fn current(&self, item: Item) -> Option<GroupEvent> {
        let partition = match &item.content {
            Content::Records(batch) => &batch.partition,
            Content::CaughtUp { partition, .. } => partition,
        };
        if self.owned.get(partition) != Some(&item.epoch) {
            return None;
        }
        Some(match item.content {
            Content::Records(batch) => GroupEvent::Records(batch),
            Content::CaughtUp { partition, position } => GroupEvent::CaughtUp { partition, position },
        })
    }
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
            Err(_) => Err(CommitError::Fatal(format!("no outcome after {COMMIT_WATCHDOG:?}"))),
        }
    }
}
