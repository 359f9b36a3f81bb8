//! Ids and their bodies in two generations, so that old ones go without being looked for.

use std::collections::HashMap;
use std::mem;

use super::{Bounds, Key};

/// Fingerprints of bodies by key.
#[derive(Debug)]
pub(super) struct Generations {
    young: HashMap<Key, u64>,
    old: HashMap<Key, u64>,
    /// Since when the young one holds all: everything older lies in the old one.
    turned_ms: i64,
}

impl Generations {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), turned_ms: now_ms }
    }

    pub(super) fn get(&self, key: Key) -> Option<u64> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Answers with the time since which ids are known, if older ones have gone.
    pub(super) fn insert(&mut self, key: Key, body: u64, now_ms: i64, bounds: Bounds) -> Option<i64> {
        let full = self.young.len() >= half(bounds);
        let turned = if full { Some(self.let_go(now_ms)) } else { self.turn(now_ms, bounds) };
        self.young.insert(key, body);
        turned
    }

    /// Lets the old ones go when it is time; answers as [`Generations::insert`].
    pub(super) fn turn(&mut self, now_ms: i64, bounds: Bounds) -> Option<i64> {
        (now_ms - self.turned_ms >= bounds.window_ms).then(|| self.let_go(now_ms))
    }

    fn let_go(&mut self, now_ms: i64) -> i64 {
        self.old = mem::take(&mut self.young);
        mem::replace(&mut self.turned_ms, now_ms)
    }

    /// Puts an id in that is older than all that came before it; never lets another go. False where
    /// there is no room.
    pub(super) fn insert_older(&mut self, key: Key, body: u64, bounds: Bounds) -> bool {
        if self.get(key).is_some() {
            return true;
        }
        let half = half(bounds);
        let generation = if self.old.is_empty() && self.young.len() < half {
            &mut self.young
        } else if self.old.len() < half {
            &mut self.old
        } else {
            return false;
        };
        generation.insert(key, body);
        true
    }

    /// How many [`Generations::insert_older`] takes.
    pub(super) fn room(&self, bounds: Bounds) -> usize {
        let free = |generation: &HashMap<Key, u64>| half(bounds).saturating_sub(generation.len());
        if self.old.is_empty() { free(&self.young) + half(bounds) } else { free(&self.old) }
    }

    /// Says that all ids since `from_ms` have been put in.
    pub(super) fn whole_since(&mut self, from_ms: i64) {
        // Where older ones lie in the old generation already, the young one begins later than that.
        if self.old.is_empty() {
            self.turned_ms = self.turned_ms.min(from_ms);
        }
    }
}

/// Most ids of one generation.
fn half(bounds: Bounds) -> usize {
    (bounds.ids / 2).max(1)
}
