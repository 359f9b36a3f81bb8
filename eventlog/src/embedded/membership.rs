//! A member of a group: claims partitions in the file, reads them, lets them go.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use metrics::counter;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::Handle;
use super::assignment::MemberId;
use super::committer::{Claim, Claims, EmbeddedCommitter, Member};
use super::failure::Failure;
use super::feed::Feed;
use super::groups::{Fenced, Group, Order};
use super::store::Store;
use crate::{Assignment, Batch, Committer, GroupEvent, GroupOptions, LogError, Membership, Release, TopicPartition};

/// How often a waiting member looks whether another keeps partitions for too long.
const LOOK: Duration = Duration::from_secs(1);

/// A membership; dropped, it leaves its group.
pub(super) struct EmbeddedMembership {
    handle: Arc<Handle>,
    seat: Arc<Seat>,
    changes: watch::Receiver<u64>,
    tails: watch::Receiver<u64>,
    /// What is being read; a partition is here from [`Membership::fetch_from`] on.
    feeds: Vec<Reading>,
    /// Partitions that nothing is handed out of for now.
    held: HashSet<TopicPartition>,
    /// How often a start was named.
    fetches: u64,
    /// Whose turn it is.
    turn: usize,
    /// A claim or a read under way. It goes on though [`Membership::next`] is dropped: who asks in
    /// snatches shorter than the disk takes gets on all the same.
    work: Option<AbortOnDropHandle<Done>>,
    /// It has been told what its share is, be it empty.
    told_share: bool,
}

/// A member's place in its group, shared with those who wait for a [`Release`].
struct Seat {
    group: Arc<Group>,
    id: MemberId,
    member: Arc<Member>,
}

struct Reading {
    /// Which of the starts named this is.
    fetch: u64,
    feed: Feed,
    /// What was read when the partition was held already.
    waiting: Option<Batch>,
    /// It has been told that the end was reached, and nothing came since.
    told: bool,
    /// The last read brought nothing, while the end seen by anybody was this: until that changes, or a
    /// while has passed, there is no use in reading again.
    vain: Option<i64>,
}

impl Reading {
    fn has_news(&self, store: &Store) -> bool {
        self.vain != Some(store.tails.end(self.feed.part)) && self.feed.has_news(store)
    }
}

/// What came of the work.
enum Done {
    Claimed {
        granted: Vec<TopicPartition>,
        claims: Result<Claims, LogError>,
    },
    Read {
        fetch: u64,
        /// The end that was known before: what is appended during the read must not be taken for read.
        known: i64,
        feed: Feed,
        batch: Result<Option<Batch>, LogError>,
    },
}

impl Seat {
    /// Counts what changes hands.
    fn count(&self, event: &GroupEvent) {
        let kind = match event {
            GroupEvent::Assigned(_) => "assigned",
            GroupEvent::Revoked { lost: false, .. } => "revoked",
            GroupEvent::Revoked { lost: true, .. } => "lost",
            GroupEvent::Records(_) | GroupEvent::CaughtUp { .. } => return,
        };
        let group = Arc::clone(&self.member.group);
        counter!("playledger_log_rebalances_total", "group" => group, "kind" => kind).increment(1);
    }
}

impl EmbeddedMembership {
    pub(super) async fn join(handle: Arc<Handle>, options: GroupOptions) -> Result<Self, LogError> {
        let mut wants = BTreeSet::new();
        for name in &options.topics {
            let topic = handle.store.topic(name).await?;
            let name: Arc<str> = Arc::from(name.as_str());
            wants.extend((0..topic.spec.partitions).map(|number| TopicPartition::new(Arc::clone(&name), number)));
        }
        let group = Arc::clone(handle.store.groups.lock().entry(options.group.clone()).or_default());
        let member = Arc::new(Member::enrol(&handle.store, &options).await?);
        let (changes, tails) = (group.subscribe(), handle.store.tails.subscribe());
        let id = group.join(Arc::clone(&member.instance), wants, Instant::now());
        let seat = Arc::new(Seat { group, id, member });
        Ok(Self {
            handle,
            seat,
            changes,
            tails,
            feeds: Vec::new(),
            held: HashSet::new(),
            fetches: 0,
            turn: 0,
            work: None,
            told_share: false,
        })
    }

    /// Does what the group orders; tells of it what is known at once.
    fn follow(&mut self, order: Order) -> Option<GroupEvent> {
        match order {
            Order::Take(granted) => {
                let (handle, member) = (Arc::clone(&self.handle), Arc::clone(&self.seat.member));
                self.start(async move {
                    let claims = member.claim(&handle.store, &granted).await;
                    Done::Claimed { granted, claims }
                });
                None
            }
            Order::Give(partitions) => {
                self.forget(&partitions);
                let (release, released) = Release::new();
                let (seat, given) = (Arc::clone(&self.seat), partitions.clone());
                // Apart, because it may be let go while nobody asks for the next event.
                tokio::spawn(async move {
                    // Called or dropped: both let go.
                    let _ = released.await;
                    seat.member.disown(&given);
                    seat.group.release(seat.id, &given, Instant::now());
                });
                Some(GroupEvent::Revoked { partitions, lost: false, release })
            }
            Order::Lost(partitions) => {
                self.forget(&partitions);
                self.seat.member.disown(&partitions);
                let (release, _) = Release::new();
                Some(GroupEvent::Revoked { partitions, lost: true, release })
            }
        }
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.feeds.retain(|reading| !partitions.contains(&reading.feed.partition));
        self.held.retain(|partition| !partitions.contains(partition));
    }

    fn start(&mut self, work: impl Future<Output = Done> + Send + 'static) {
        self.work = Some(AbortOnDropHandle::new(tokio::spawn(work)));
    }

    fn done(&mut self, done: Done) -> Result<Option<GroupEvent>, LogError> {
        match done {
            Done::Claimed { granted, claims } => Ok(self.taken(&granted, claims?)),
            Done::Read { fetch, known, feed, batch } => {
                // A partition that has gone or has been moved since is not read from there any more.
                let Some(reading) = self.feeds.iter_mut().find(|reading| reading.fetch == fetch) else {
                    return Ok(None);
                };
                reading.feed = feed;
                let batch = batch?;
                reading.told &= batch.is_none();
                reading.vain = batch.is_none().then_some(known);
                if self.held.contains(&reading.feed.partition) {
                    reading.waiting = batch;
                    return Ok(None);
                }
                Ok(batch.map(GroupEvent::Records))
            }
        }
    }

    /// What was granted has been claimed in the file.
    fn taken(&mut self, granted: &[TopicPartition], claims: Claims) -> Option<GroupEvent> {
        let kept = self.seat.group.confirm(self.seat.id, granted, Instant::now());
        let mut assigned = Vec::with_capacity(kept.len());
        for (partition, claim, committed) in claims {
            if kept.contains(&partition) {
                self.seat.member.own(partition.clone(), claim);
                assigned.push(Assignment { partition, committed });
            }
        }
        assigned.sort_unstable_by(|a, b| a.partition.cmp(&b.partition));
        self.told_share |= !assigned.is_empty();
        (!assigned.is_empty()).then_some(GroupEvent::Assigned(assigned))
    }

    /// Starts to read the next partition that has news, or tells that one has been read to its end.
    fn read(&mut self) -> Option<GroupEvent> {
        for _ in 0..self.feeds.len() {
            let turn = self.turn % self.feeds.len();
            self.turn = turn + 1;
            let reading = &mut self.feeds[turn];
            if self.held.contains(&reading.feed.partition) {
                continue;
            }
            if let Some(batch) = reading.waiting.take() {
                return Some(GroupEvent::Records(batch));
            }
            if reading.has_news(&self.handle.store) {
                let (handle, fetch, mut feed) = (Arc::clone(&self.handle), reading.fetch, reading.feed.clone());
                let known = handle.store.tails.end(feed.part);
                self.start(async move {
                    let batch = feed.pull(&handle.store).await;
                    Done::Read { fetch, known, feed, batch }
                });
                return None;
            }
            if !reading.told {
                reading.told = true;
                let (partition, position) = (reading.feed.partition.clone(), reading.feed.position);
                return Some(GroupEvent::CaughtUp { partition, position });
            }
        }
        None
    }
}

#[async_trait]
impl Membership for EmbeddedMembership {
    async fn next(&mut self) -> Result<GroupEvent, LogError> {
        loop {
            let worked = self.work.is_some();
            let event = if let Some(work) = &mut self.work {
                let done = work.await;
                self.work = None;
                self.done(done.map_err(|error| LogError::Fatal(format!("a task of the log ended: {error}")))?)?
            } else {
                self.changes.mark_unchanged();
                self.tails.mark_unchanged();
                let patience = self.handle.store.options.revoke_patience;
                match self.seat.group.poll(self.seat.id, Instant::now(), patience) {
                    Err(Fenced) => return Err(self.seat.member.fenced()),
                    Ok(Some(order)) => self.follow(order),
                    Ok(None) if !self.told_share => {
                        self.told_share = true;
                        Some(GroupEvent::Assigned(Vec::new()))
                    }
                    Ok(None) => self.read(),
                }
            };
            if let Some(event) = event {
                self.seat.count(&event);
                return Ok(event);
            }
            // More may be ready where something was done, though there was nothing to tell of it.
            if self.work.is_some() || worked {
                continue;
            }
            if self.changes.has_changed().unwrap_or(false) {
                continue;
            }
            // Both senders live as long as this member's handle and seat.
            tokio::select! {
                () = self.handle.store.closing.cancelled() => return Err(Failure::closed().into_log_error()),
                _ = self.changes.changed() => {}
                _ = self.tails.changed() => {}
                () = tokio::time::sleep(LOOK) => self.feeds.iter_mut().for_each(|reading| reading.vain = None),
            }
        }
    }

    fn fetch_from(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        let Some(Claim { part, .. }) = self.seat.member.claim_of(partition) else {
            return Err(LogError::NotFound(format!("{partition} among those of {}", self.seat.member.instance)));
        };
        self.feeds.retain(|reading| reading.feed.partition != *partition);
        self.fetches += 1;
        let feed = Feed::new(partition.clone(), part, offset, None);
        self.feeds.push(Reading { fetch: self.fetches, feed, waiting: None, told: false, vain: None });
        Ok(())
    }

    fn hold(&mut self, partition: &TopicPartition, held: bool) -> Result<(), LogError> {
        if self.seat.member.claim_of(partition).is_none() {
            return Err(LogError::NotFound(format!("{partition} among those of {}", self.seat.member.instance)));
        }
        if held {
            self.held.insert(partition.clone());
        } else {
            self.held.remove(partition);
        }
        Ok(())
    }

    fn committer(&self) -> Arc<dyn Committer> {
        Arc::new(EmbeddedCommitter::new(Arc::clone(&self.handle), Arc::clone(&self.seat.member)))
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        // Dropping it leaves.
        Ok(())
    }
}

impl Drop for EmbeddedMembership {
    fn drop(&mut self) {
        self.seat.member.retire();
        self.seat.group.leave(self.seat.id, Instant::now());
    }
}
