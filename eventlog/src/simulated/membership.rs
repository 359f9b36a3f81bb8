//! A member of a group: takes and gives partitions, and reads them.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::client::Point;
use super::cluster::State;
use super::committer::{Seat, SimulatedCommitter};
use super::groups::{Gone, Order};
use super::producers::is_unstable;
use super::{SimulatedLog, out_of_range, refusal};
use crate::{Assignment, Batch, Committer, GroupEvent, GroupOptions, LogError, Membership, Release, TopicPartition};

/// A membership; dropped without leaving, it is missed in time.
pub(super) struct SimulatedMembership {
    log: SimulatedLog,
    seat: Arc<Seat>,
    wants: BTreeSet<TopicPartition>,
    feeds: Vec<Feed>,
    /// Partitions that nothing is handed out of for now.
    held: BTreeSet<TopicPartition>,
    turn: usize,
    told_share: bool,
}

/// A partition that is being read.
struct Feed {
    partition: TopicPartition,
    position: i64,
    /// What has come is handed out then.
    ready: Option<Instant>,
    /// It has been told that the end was reached, and nothing has come since.
    told: bool,
}

impl SimulatedMembership {
    pub(super) async fn join(log: &SimulatedLog, options: GroupOptions) -> Result<Self, LogError> {
        let mut wants = BTreeSet::new();
        for name in &options.topics {
            let count = log.cluster.look(|state| state.topics.get(name).map(|topic| topic.spec.partitions));
            let count = count.ok_or_else(|| LogError::NotFound(name.clone()))?;
            let name: Arc<str> = name.as_str().into();
            wants.extend((0..count).map(|number| TopicPartition::new(Arc::clone(&name), number)));
        }
        let id = Seat::transactional_id(&options);
        let epoch = if options.transactional { log.cluster.until(|state| state.enlist(&id)).await } else { 0 };
        log.cluster.change(|_| ());
        let member = enrol(log, &options, &wants);
        let seat = Arc::new(Seat {
            options,
            id: Mutex::new(member),
            owned: Mutex::default(),
            epoch,
            is_over: AtomicBool::new(false),
        });
        Ok(Self { log: log.clone(), seat, wants, feeds: Vec::new(), held: BTreeSet::new(), turn: 0, told_share: false })
    }

    /// What the group wants of this member, if anything.
    fn order(&mut self) -> Result<Option<GroupEvent>, LogError> {
        let Seat { options, id, .. } = &*self.seat;
        let member = *id.lock();
        let order = self.log.cluster.quietly(|state| {
            let State { groups, producers, .. } = state;
            let Some(group) = groups.get_mut(&options.group) else { return Err(Gone::Missed) };
            group.poll(member, &options.instance, |partition| !is_unstable(producers, &options.group, partition))
        });
        match order {
            Ok(None) => Ok(None),
            Ok(Some(Order::Take(partitions))) => Ok(Some(self.take(partitions))),
            Ok(Some(Order::Give(partitions))) => Ok(Some(self.give(partitions))),
            Ok(Some(Order::Lost(partitions))) => Ok(Some(self.lose(partitions))),
            Err(Gone::Replaced) => Err(LogError::Invalid(format!(
                "a newer member named {} has joined group {}: this one is fenced",
                options.instance, options.group
            ))),
            Err(Gone::Missed) => {
                // What was its own is another's; it joins again by itself.
                *id.lock() = enrol(&self.log, options, &self.wants);
                let lost: Vec<_> = self.seat.owned.lock().iter().cloned().collect();
                Ok((!lost.is_empty()).then(|| self.lose(lost)))
            }
        }
    }

    fn take(&mut self, partitions: Vec<TopicPartition>) -> GroupEvent {
        self.told_share = true;
        self.seat.owned.lock().extend(partitions.iter().cloned());
        let group = &self.seat.options.group;
        let committed = |partition: &TopicPartition| {
            self.log.cluster.look(|state| state.groups.get(group)?.committed.get(partition).copied())
        };
        let assigned = partitions.into_iter().map(|partition| {
            let committed = committed(&partition);
            Assignment { partition, committed }
        });
        GroupEvent::Assigned(assigned.collect())
    }

    fn give(&mut self, partitions: Vec<TopicPartition>) -> GroupEvent {
        self.forget(&partitions);
        let (release, released) = Release::new();
        let (log, seat, given) = (self.log.clone(), Arc::clone(&self.seat), partitions.clone());
        let member = *seat.id.lock();
        tokio::spawn(async move {
            // Called or dropped: both let go, unless the process is dead.
            let _ = released.await;
            log.client.awake().await;
            if *seat.id.lock() == member {
                seat.owned.lock().retain(|partition| !given.contains(partition));
            }
            log.cluster.change(|state| {
                if let Some(group) = state.groups.get_mut(&seat.options.group) {
                    group.release(member, &given);
                }
            });
        });
        GroupEvent::Revoked { partitions, lost: false, release }
    }

    fn lose(&mut self, partitions: Vec<TopicPartition>) -> GroupEvent {
        self.forget(&partitions);
        self.seat.owned.lock().retain(|partition| !partitions.contains(partition));
        let (release, _) = Release::new();
        GroupEvent::Revoked { partitions, lost: true, release }
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.feeds.retain(|feed| !partitions.contains(&feed.partition));
        self.held.retain(|partition| !partitions.contains(partition));
    }

    /// The next batch that is ready, or word that a partition has been read to its end.
    fn read(&mut self, now: Instant) -> Result<Option<GroupEvent>, LogError> {
        let (cluster, options) = (&self.log.cluster, self.log.cluster.options);
        for _ in 0..self.feeds.len() {
            let turn = self.turn % self.feeds.len();
            self.turn = turn + 1;
            let feed = &mut self.feeds[turn];
            if self.held.contains(&feed.partition) {
                continue;
            }
            let read_committed = self.seat.options.read_committed;
            let (range, end) = cluster.look(|state| {
                state.found(&feed.partition).map(|known| (known.range(), known.end_of(read_committed)))
            })?;
            if feed.position < range.low || feed.position > range.high {
                return Err(out_of_range(&feed.partition, feed.position, range));
            }
            if feed.position >= end {
                if !std::mem::replace(&mut feed.told, true) {
                    let (partition, position) = (feed.partition.clone(), feed.position);
                    return Ok(Some(GroupEvent::CaughtUp { partition, position }));
                }
                continue;
            }
            feed.told = false;
            let ready = *feed.ready.get_or_insert_with(|| now + cluster.chance(|chance| chance.up_to(options.latency)));
            if ready > now {
                continue;
            }
            feed.ready = None;
            let most = cluster.chance(|chance| chance.below(options.batch)) + 1;
            let read = cluster
                .look(|state| state.partition(&feed.partition)?.read(feed.position, i64::MAX, read_committed, most));
            if let Some((records, next_offset)) = read {
                feed.position = next_offset;
                return Ok(Some(GroupEvent::Records(Batch {
                    partition: feed.partition.clone(),
                    records,
                    next_offset,
                })));
            }
        }
        Ok(None)
    }

    /// When the next of what has come is handed out.
    fn due(&self) -> Option<Instant> {
        self.feeds.iter().filter(|feed| !self.held.contains(&feed.partition)).filter_map(|feed| feed.ready).min()
    }
}

fn enrol(log: &SimulatedLog, options: &GroupOptions, wants: &BTreeSet<TopicPartition>) -> u64 {
    log.cluster.change(|state| {
        let group = state.groups.entry(options.group.clone()).or_default();
        group.join(&options.instance, wants.clone(), Arc::clone(&log.client))
    })
}

#[async_trait]
impl Membership for SimulatedMembership {
    async fn next(&mut self) -> Result<GroupEvent, LogError> {
        let cluster = Arc::clone(&self.log.cluster);
        loop {
            refusal(self.log.client.at(Point::Next).await)?;
            let mut changed = pin!(cluster.changed());
            changed.as_mut().enable();
            if let Some(event) = self.order()? {
                return Ok(event);
            }
            let waits = self.log.cluster.look(|state| {
                let group = state.groups.get(&self.seat.options.group);
                group.is_some_and(|group| group.has_share_coming(*self.seat.id.lock()))
            });
            if !self.told_share && !waits {
                self.told_share = true;
                return Ok(GroupEvent::Assigned(Vec::new()));
            }
            if let Some(event) = self.read(Instant::now())? {
                return Ok(event);
            }
            let due = self.due();
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = wait => {}
            }
        }
    }

    fn fetch_from(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        if !self.seat.owned.lock().contains(partition) {
            return Err(LogError::NotFound(format!("{partition} among those of {}", self.seat.options.instance)));
        }
        self.feeds.retain(|feed| feed.partition != *partition);
        self.feeds.push(Feed { partition: partition.clone(), position: offset, ready: None, told: false });
        Ok(())
    }

    fn hold(&mut self, partition: &TopicPartition, held: bool) -> Result<(), LogError> {
        if !self.seat.owned.lock().contains(partition) {
            return Err(LogError::NotFound(format!("{partition} among those of {}", self.seat.options.instance)));
        }
        if held {
            self.held.insert(partition.clone());
        } else {
            self.held.remove(partition);
        }
        Ok(())
    }

    fn committer(&self) -> Arc<dyn Committer> {
        Arc::new(SimulatedCommitter { log: self.log.clone(), seat: Arc::clone(&self.seat) })
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        self.log.client.awake().await;
        self.seat.is_over.store(true, Ordering::Release);
        let member = *self.seat.id.lock();
        self.log.cluster.change(|state| {
            if let Some(group) = state.groups.get_mut(&self.seat.options.group) {
                group.leave(member);
            }
        });
        Ok(())
    }

    /// Dropped, it falls silent: it is missed in time, unless another joins under its name before.
    async fn stay(self: Box<Self>) -> Result<(), LogError> {
        self.log.client.awake().await;
        Ok(())
    }
}

impl Drop for SimulatedMembership {
    fn drop(&mut self) {
        self.seat.is_over.store(true, Ordering::Release);
        let member = *self.seat.id.lock();
        self.log.cluster.change(|state| {
            if let Some(group) = state.groups.get_mut(&self.seat.options.group) {
                group.fall_silent(member);
            }
        });
    }
}
