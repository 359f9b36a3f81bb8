//! The coordinator of a group's members in this process: who owns what, and hand-over in two steps.
//!
//! A partition is granted, then claimed in the file by its new owner, then owned. It leaves its
//! owner only when the owner has let it go, or has not done so for too long. A group lives in one
//! process: where a member joins from a second one, the claims in the file fence the first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::assignment::{MemberId, assign};
use crate::TopicPartition;

/// A group that has, or had, members in this process.
pub(super) struct Group {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// What a member has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Claim these, then [`Group::confirm`].
    Take(Vec<TopicPartition>),
    /// Let these go, then [`Group::release`].
    Give(Vec<TopicPartition>),
    /// These were taken away.
    Lost(Vec<TopicPartition>),
}

/// The membership is over: another member has the same name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fenced;

#[derive(Default)]
struct State {
    members: BTreeMap<MemberId, Member>,
    owners: BTreeMap<TopicPartition, Owner>,
    next_id: MemberId,
}

struct Member {
    instance: Arc<str>,
    wants: BTreeSet<TopicPartition>,
    lost: Vec<TopicPartition>,
}

#[derive(Clone, Copy)]
struct Owner {
    member: MemberId,
    stage: Stage,
    revoked: Option<Revoked>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The member does not know of it yet.
    Granted,
    /// It may be claiming it in the file now.
    Claiming,
    /// It has it.
    Owned,
}

#[derive(Clone, Copy)]
struct Revoked {
    since: Instant,
    /// The member knows, so that it cannot be taken back.
    told: bool,
}

impl Default for Group {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Group {
    /// Adds a member; one of the same name is fenced and its partitions go to the new one.
    pub(super) fn join(&self, instance: Arc<str>, wants: BTreeSet<TopicPartition>, now: Instant) -> MemberId {
        self.change(|state| {
            let id = state.next_id;
            state.next_id += 1;
            let old = state.members.iter().find(|(_, member)| member.instance == instance).map(|(id, _)| *id);
            if let Some(old) = old {
                state.members.remove(&old);
                for owner in state.owners.values_mut().filter(|owner| owner.member == old) {
                    *owner = Owner { member: id, stage: Stage::Granted, revoked: None };
                }
            }
            state.members.insert(id, Member { instance, wants, lost: Vec::new() });
            state.rebalance(now);
            id
        })
    }

    /// Removes a member; what it had is free at once.
    pub(super) fn leave(&self, id: MemberId, now: Instant) {
        self.change(|state| {
            state.members.remove(&id);
            state.owners.retain(|_, owner| owner.member != id);
            state.rebalance(now);
        });
    }

    /// What a member has to do next. Takes from others what they have not let go within `patience`.
    pub(super) fn poll(&self, id: MemberId, now: Instant, patience: Duration) -> Result<Option<Order>, Fenced> {
        let mut state = self.state.lock();
        if state.take_overdue(now, patience) {
            self.changed.send_modify(|version| *version = version.wrapping_add(1));
        }
        let member = state.members.get_mut(&id).ok_or(Fenced)?;
        let lost = std::mem::take(&mut member.lost);
        if !lost.is_empty() {
            return Ok(Some(Order::Lost(lost)));
        }
        let give = state.tell_revoked(id);
        if !give.is_empty() {
            return Ok(Some(Order::Give(give)));
        }
        let mut take = Vec::new();
        for (partition, owner) in state.owners.iter_mut().filter(|(_, owner)| owner.member == id) {
            if owner.stage != Stage::Owned && owner.revoked.is_none() {
                owner.stage = Stage::Claiming;
                take.push(partition.clone());
            }
        }
        Ok((!take.is_empty()).then_some(Order::Take(take)))
    }

    /// The member has claimed these in the file; says which of them it may keep.
    pub(super) fn confirm(&self, id: MemberId, claimed: &[TopicPartition], now: Instant) -> Vec<TopicPartition> {
        self.change(|state| {
            let mut kept = Vec::new();
            for partition in claimed {
                let Some(owner) = state.owners.get_mut(partition).filter(|owner| owner.member == id) else { continue };
                if owner.revoked.is_some() {
                    state.owners.remove(partition);
                } else {
                    owner.stage = Stage::Owned;
                    kept.push(partition.clone());
                }
            }
            state.rebalance(now);
            kept
        })
    }

    /// The member has let these go.
    pub(super) fn release(&self, id: MemberId, given: &[TopicPartition], now: Instant) {
        self.change(|state| {
            for partition in given {
                if state.owners.get(partition).is_some_and(|o| o.member == id && o.revoked.is_some_and(|r| r.told)) {
                    state.owners.remove(partition);
                }
            }
            state.rebalance(now);
        });
    }

    /// Tells of every change from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
        result
    }
}

impl State {
    /// Grants what is free and revokes what should be another's.
    fn rebalance(&mut self, now: Instant) {
        let wants = self.members.iter().map(|(id, member)| (*id, member.wants.clone())).collect();
        // What its owner is already letting go counts as free, so that it is that which moves.
        let staying = |owner: &&Owner| !owner.revoked.is_some_and(|revoked| revoked.told);
        let current = self.owners.iter().filter(|(_, o)| staying(o)).map(|(p, o)| (p.clone(), o.member)).collect();
        for (partition, target) in assign(&wants, &current) {
            let granted = Owner { member: target, stage: Stage::Granted, revoked: None };
            match self.owners.get_mut(&partition) {
                None => drop(self.owners.insert(partition, granted)),
                Some(owner) if owner.revoked.is_some_and(|revoked| revoked.told) => {}
                Some(owner) if owner.member == target => owner.revoked = None,
                Some(owner) if owner.stage == Stage::Granted => *owner = granted,
                Some(owner) => owner.revoked = owner.revoked.or(Some(Revoked { since: now, told: false })),
            }
        }
    }

    /// Takes away what has not been let go in time; true if there was any.
    fn take_overdue(&mut self, now: Instant, patience: Duration) -> bool {
        let overdue = |owner: &Owner| owner.revoked.is_some_and(|r| now.saturating_duration_since(r.since) >= patience);
        let taken: Vec<_> =
            self.owners.iter().filter(|(_, owner)| overdue(owner)).map(|(p, o)| (p.clone(), o.member)).collect();
        for (partition, from) in &taken {
            self.owners.remove(partition);
            if let Some(member) = self.members.get_mut(from) {
                member.lost.push(partition.clone());
            }
        }
        if !taken.is_empty() {
            self.rebalance(now);
        }
        !taken.is_empty()
    }

    /// What the member must let go and has not been told of yet.
    fn tell_revoked(&mut self, id: MemberId) -> Vec<TopicPartition> {
        let mut give = Vec::new();
        for (partition, owner) in self.owners.iter_mut().filter(|(_, owner)| owner.member == id) {
            // A claim that was under way is confirmed, or begun anew, before it can be let go.
            if owner.stage == Stage::Owned
                && let Some(revoked) = owner.revoked.as_mut().filter(|revoked| !revoked.told)
            {
                revoked.told = true;
                give.push(partition.clone());
            }
        }
        give
    }
}
