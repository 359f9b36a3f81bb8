//! The coordinator of a group: members, generations, and partitions that move one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use crate::TopicPartition;
use crate::embedded::assignment::{MemberId, assign};

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Grows with each change of who has what: a commit under an older one is refused.
    pub(super) generation: u64,
    next_id: MemberId,
    members: BTreeMap<MemberId, Member>,
    owners: BTreeMap<TopicPartition, Owner>,
    /// What has been committed.
    pub(super) committed: BTreeMap<TopicPartition, i64>,
}

/// A member as its group knows it.
#[derive(Debug)]
struct Member {
    instance: String,
    wants: BTreeSet<TopicPartition>,
    client: Arc<Client>,
    /// The generation that it has heard of.
    synced: u64,
    /// Its end has been dropped without a word.
    is_gone: bool,
    silent_since: Option<Instant>,
    lost: Vec<TopicPartition>,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    member: MemberId,
    /// The member knows that it has it.
    told: bool,
    /// Since when it should be another's, and whether the member knows that.
    revoked: Option<(Instant, bool)>,
}

/// What a member has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    Take(Vec<TopicPartition>),
    Give(Vec<TopicPartition>),
    Lost(Vec<TopicPartition>),
}

/// Why a member is none any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// Another has joined under its name.
    Replaced,
    /// The group has not heard of it for too long.
    Missed,
}

impl Group {
    /// Adds a member. One of the same name is replaced at once, and what it had is the new one's.
    pub(super) fn join(&mut self, instance: &str, wants: BTreeSet<TopicPartition>, client: Arc<Client>) -> MemberId {
        let id = self.next_id;
        self.next_id += 1;
        let old = self.members.iter().find(|(_, member)| member.instance == instance).map(|(id, _)| *id);
        if let Some(old) = old {
            self.members.remove(&old);
            for owner in self.owners.values_mut().filter(|owner| owner.member == old) {
                *owner = Owner { member: id, told: false, revoked: None };
            }
        }
        let member = Member {
            instance: instance.to_owned(),
            wants,
            client,
            synced: 0,
            is_gone: false,
            silent_since: None,
            lost: Vec::new(),
        };
        self.members.insert(id, member);
        self.rebalance();
        id
    }

    /// Removes a member; what it had is free at once.
    pub(super) fn leave(&mut self, id: MemberId) {
        if self.members.remove(&id).is_some() {
            self.owners.retain(|_, owner| owner.member != id);
            self.rebalance();
        }
    }

    /// A member's end has been dropped: it falls silent.
    pub(super) fn fall_silent(&mut self, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.is_gone = true;
        }
    }

    /// What a member has to do next; it hears of the newest generation. Of what it could take only that
    /// for which `is_stable` holds.
    pub(super) fn poll(
        &mut self,
        id: MemberId,
        instance: &str,
        is_stable: impl Fn(&TopicPartition) -> bool,
    ) -> Result<Option<Order>, Gone> {
        let replaced = self.members.iter().any(|(other, member)| *other > id && member.instance == instance);
        let Some(member) = self.members.get_mut(&id) else {
            return Err(if replaced { Gone::Replaced } else { Gone::Missed });
        };
        member.synced = self.generation;
        let lost = std::mem::take(&mut member.lost);
        if !lost.is_empty() {
            return Ok(Some(Order::Lost(lost)));
        }
        let (mut give, mut take) = (Vec::new(), Vec::new());
        for (partition, owner) in self.owners.iter_mut().filter(|(_, owner)| owner.member == id) {
            match &mut owner.revoked {
                Some((_, is_known)) if owner.told && !*is_known => {
                    *is_known = true;
                    give.push(partition.clone());
                }
                None if !owner.told && is_stable(partition) => take.push(partition.clone()),
                _ => {}
            }
        }
        if !give.is_empty() {
            return Ok(Some(Order::Give(give)));
        }
        for partition in &take {
            if let Some(owner) = self.owners.get_mut(partition) {
                owner.told = true;
            }
        }
        Ok((!take.is_empty()).then_some(Order::Take(take)))
    }

    /// Whether something is on its way to a member that it has to wait for.
    pub(super) fn has_share_coming(&self, id: MemberId) -> bool {
        self.owners.values().any(|owner| owner.member == id && !owner.told)
    }

    /// The member has let these go.
    pub(super) fn release(&mut self, id: MemberId, given: &[TopicPartition]) {
        for partition in given {
            let lets_go = |owner: &Owner| owner.member == id && owner.revoked.is_some_and(|(_, told)| told);
            if self.owners.get(partition).is_some_and(lets_go) {
                self.owners.remove(partition);
            }
        }
        self.rebalance();
    }

    /// Whether a member may commit offsets: it has heard of the newest generation.
    pub(super) fn is_current(&self, id: MemberId) -> bool {
        self.members.get(&id).is_some_and(|member| member.synced == self.generation)
    }

    /// What heartbeats do: who lives hears of the newest generation, who has been silent for too long is
    /// missed, what has not been let go for too long is taken.
    pub(super) fn beat(&mut self, session: Duration, patience: Duration) -> bool {
        let (now, generation) = (Instant::now(), self.generation);
        let mut missed = Vec::new();
        for (id, member) in &mut self.members {
            if member.is_gone || member.client.is_silent() {
                let since = *member.silent_since.get_or_insert(now);
                if now.duration_since(since) >= session {
                    missed.push(*id);
                }
            } else {
                member.silent_since = None;
                // Who has yet to hear what it has lost has not joined anew.
                if member.lost.is_empty() {
                    member.synced = generation;
                }
            }
        }
        for id in &missed {
            self.leave(*id);
        }
        let overdue = |owner: &Owner| owner.revoked.is_some_and(|(since, _)| now.duration_since(since) >= patience);
        let taken: Vec<_> =
            self.owners.iter().filter(|(_, owner)| overdue(owner)).map(|(p, o)| (p.clone(), *o)).collect();
        for (partition, from) in &taken {
            self.owners.remove(partition);
            if let Some(member) = self.members.get_mut(&from.member).filter(|_| from.told) {
                member.lost.push(partition.clone());
            }
        }
        if !taken.is_empty() {
            self.rebalance();
        }
        !missed.is_empty() || !taken.is_empty()
    }

    /// Grants what is free and revokes what should be another's.
    fn rebalance(&mut self) {
        let now = Instant::now();
        self.generation += 1;
        let wants = self.members.iter().map(|(id, member)| (*id, member.wants.clone())).collect();
        // What its owner is already letting go counts as free, so that it is that which moves.
        let stays = |owner: &Owner| !owner.revoked.is_some_and(|(_, told)| told);
        let current =
            self.owners.iter().filter(|(_, owner)| stays(owner)).map(|(p, owner)| (p.clone(), owner.member)).collect();
        for (partition, member) in assign(&wants, &current) {
            let granted = Owner { member, told: false, revoked: None };
            match self.owners.get_mut(&partition) {
                None => drop(self.owners.insert(partition, granted)),
                Some(owner) if owner.revoked.is_some_and(|(_, told)| told) => {}
                Some(owner) if owner.member == member => owner.revoked = None,
                Some(owner) if !owner.told => *owner = granted,
                Some(owner) => owner.revoked = owner.revoked.or(Some((now, false))),
            }
        }
    }
}
