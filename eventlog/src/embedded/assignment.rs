//! Which member of a group gets which partition: as even as can be, moving as few as possible.

use std::collections::{BTreeMap, BTreeSet};

use crate::TopicPartition;

/// A member, by its number within its group.
pub(crate) type MemberId = u64;

/// Gives every partition that some member wants to one that wants it.
///
/// A partition stays with its owner in `current` unless another member that wants it has at least
/// two fewer. The same input always gives the same output.
pub(crate) fn assign(
    members: &BTreeMap<MemberId, BTreeSet<TopicPartition>>,
    current: &BTreeMap<TopicPartition, MemberId>,
) -> BTreeMap<TopicPartition, MemberId> {
    let mut load: BTreeMap<MemberId, usize> = members.keys().map(|id| (*id, 0)).collect();
    let mut owners = BTreeMap::new();
    let all: BTreeSet<&TopicPartition> = members.values().flatten().collect();
    for partition in &all {
        let owner = current.get(partition);
        if let Some(owner) = owner.filter(|id| members.get(id).is_some_and(|wants| wants.contains(partition))) {
            owners.insert((*partition).clone(), *owner);
            *load.entry(*owner).or_default() += 1;
        }
    }
    for partition in all {
        if !owners.contains_key(partition)
            && let Some(owner) = least_loaded(partition, members, &load)
        {
            owners.insert(partition.clone(), owner);
            *load.entry(owner).or_default() += 1;
        }
    }
    // Every move makes the loads more even, so this ends.
    while let Some((partition, from, to)) = next_move(&owners, members, &load) {
        owners.insert(partition, to);
        *load.entry(from).or_default() -= 1;
        *load.entry(to).or_default() += 1;
    }
    owners
}

/// Of those who want a partition, the one that has the fewest.
fn least_loaded(
    partition: &TopicPartition,
    members: &BTreeMap<MemberId, BTreeSet<TopicPartition>>,
    load: &BTreeMap<MemberId, usize>,
) -> Option<MemberId> {
    let wanting = members.iter().filter(|(_, wants)| wants.contains(partition)).map(|(id, _)| *id);
    wanting.min_by_key(|id| (load.get(id).copied().unwrap_or(0), *id))
}

/// A partition whose owner has at least two more than another that wants it; from the most loaded
/// owner, the last of its partitions.
fn next_move(
    owners: &BTreeMap<TopicPartition, MemberId>,
    members: &BTreeMap<MemberId, BTreeSet<TopicPartition>>,
    load: &BTreeMap<MemberId, usize>,
) -> Option<(TopicPartition, MemberId, MemberId)> {
    let loaded = |id: &MemberId| load.get(id).copied().unwrap_or(0);
    owners
        .iter()
        .filter_map(|(partition, from)| {
            let to = least_loaded(partition, members, load)?;
            (loaded(from) >= loaded(&to) + 2).then_some((partition, *from, to))
        })
        .max_by_key(|(partition, from, _)| (loaded(from), *partition))
        .map(|(partition, from, to)| (partition.clone(), from, to))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partitions(topic: &str, count: i32) -> BTreeSet<TopicPartition> {
        (0..count).map(|number| TopicPartition::new(topic, number)).collect()
    }

    fn loads(owners: &BTreeMap<TopicPartition, MemberId>, members: impl Iterator<Item = MemberId>) -> Vec<usize> {
        members.map(|id| owners.values().filter(|owner| **owner == id).count()).collect()
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner_loads_are_even_and_few_move(
            count in 1_i32..40, before in 1_u64..7, leave in 0_u64..7, join in 0_u64..5,
        ) {
            let wants = partitions("t", count);
            let group = |ids: std::ops::Range<u64>| ids.map(|id| (id, wants.clone())).collect::<BTreeMap<_, _>>();
            let old = assign(&group(0..before), &BTreeMap::new());
            let first = leave.min(before + join - 1).min(before);
            let members = group(first..before + join);
            prop_assume!(!members.is_empty());
            let new = assign(&members, &old);
            prop_assert_eq!(new.len(), wants.len());
            let loads = loads(&new, members.keys().copied());
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
            // A partition moves only if its owner left or must share with a newcomer.
            if members.keys().all(|id| *id < before) {
                for (partition, owner) in &old {
                    prop_assert!(!members.contains_key(owner) || new[partition] == *owner);
                }
            }
            prop_assert_eq!(assign(&members, &new), new);
        }
    }

    #[test]
    fn a_member_gets_only_what_it_wants() {
        let members = BTreeMap::from([(1, partitions("a", 4)), (2, partitions("b", 2))]);
        let owners = assign(&members, &BTreeMap::new());
        assert!(owners.iter().all(|(partition, owner)| (&*partition.topic == "a") == (*owner == 1)));
    }
}
