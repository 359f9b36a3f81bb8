//! A set that only grows.

use std::sync::Arc;

/// So many are added before they are sorted.
const LOOSE: usize = 32;

/// A set that only grows: sorted parts, each at least twice as long as the next, and a few loose ones.
/// A copy costs as much as there are parts.
#[derive(Clone, Debug, Default)]
pub struct Set {
    parts: Vec<Arc<[u64]>>,
    loose: Vec<u64>,
}

impl Set {
    /// Whether it is among them.
    pub fn contains(&self, item: u64) -> bool {
        self.loose.contains(&item) || self.parts.iter().any(|part| part.binary_search(&item).is_ok())
    }

    /// Adds one; false when it was there.
    pub fn insert(&mut self, item: u64) -> bool {
        if self.contains(item) {
            return false;
        }
        self.loose.push(item);
        if self.loose.len() == LOOSE {
            let mut part = std::mem::take(&mut self.loose);
            part.sort_unstable();
            while let Some(before) = self.parts.pop_if(|before| before.len() < 2 * part.len()) {
                part = merged(&before, &part);
            }
            self.parts.push(part.into());
        }
        true
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum::<usize>() + self.loose.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.loose.is_empty()
    }

    /// All of them, in order.
    pub fn sorted(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.parts.iter().flat_map(|part| part.iter()).chain(&self.loose).copied().collect();
        all.sort_unstable();
        all
    }
}

impl FromIterator<u64> for Set {
    fn from_iter<I: IntoIterator<Item = u64>>(items: I) -> Self {
        let mut all: Vec<u64> = items.into_iter().collect();
        all.sort_unstable();
        all.dedup();
        if all.len() < LOOSE {
            Self { parts: Vec::new(), loose: all }
        } else {
            Self { parts: vec![all.into()], loose: Vec::new() }
        }
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.sorted() == other.sorted()
    }
}

impl Eq for Set {}

fn merged(one: &[u64], other: &[u64]) -> Vec<u64> {
    let mut all = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    while let Some(next) = match (one.peek(), other.peek()) {
        (Some(a), Some(b)) if a <= b => one.next(),
        (Some(_), None) => one.next(),
        _ => other.next(),
    } {
        all.push(*next);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_set_holds_what_was_added_and_a_copy_stays_what_it_was() {
        let (mut set, mut plain, mut copies) = (Set::default(), BTreeSet::new(), Vec::new());
        for n in 0..3_000_u64 {
            let item = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 2_500;
            if n % 251 == 0 {
                copies.push((set.clone(), plain.clone()));
            }
            assert_eq!(set.insert(item), plain.insert(item));
            assert_eq!(set.contains(n), plain.contains(&n));
            assert!(set.parts.len() <= 8, "{} parts", set.parts.len());
        }
        copies.push((set, plain));
        for (set, plain) in copies {
            let sorted = set.sorted();
            assert!(sorted.iter().eq(&plain));
            assert_eq!((set.len(), set.is_empty()), (plain.len(), plain.is_empty()));
            assert_eq!(sorted.into_iter().collect::<Set>(), set);
        }
    }
}
