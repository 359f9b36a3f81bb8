//! Ids and their bodies in two generations, so that old ones go without being looked for.

use std::mem;

use super::Bounds;
use super::ids::Ids;
use super::key::{Key, Keys};

/// Fingerprints of bodies by key.
#[derive(Debug)]
pub(super) struct Generations {
    young: Ids,
    old: Ids,
    /// Since when the young one holds all: everything older lies in the old one.
    turned_ms: i64,
}

impl Generations {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { young: Ids::with_capacity(0), old: Ids::with_capacity(0), turned_ms: now_ms }
    }

    pub(super) fn get(&self, key: Key) -> Option<u64> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Puts an id in that is not known; one that is keeps its body. Answers with the time since which ids
    /// are known, if older ones have gone.
    pub(super) fn insert(&mut self, key: Key, body: u64, now_ms: i64, bounds: Bounds, keys: &Keys) -> Option<i64> {
        if self.old.get(key).is_some() {
            return None;
        }
        let mut turned = None;
        if self.is_due(now_ms, bounds) {
            if self.young.get(key).is_some() {
                return None;
            }
            turned = Some(self.let_go(now_ms));
        }
        self.young.insert(key, body, keys);
        turned
    }

    /// Puts an id in with this body, whatever is known of it.
    pub(super) fn replace(&mut self, key: Key, body: u64, now_ms: i64, bounds: Bounds, keys: &Keys) {
        if self.is_due(now_ms, bounds) {
            self.let_go(now_ms);
        }
        self.young.replace(key, body, keys);
    }

    /// Lets the old ones go when it is time; answers as [`Generations::insert`].
    pub(super) fn turn(&mut self, now_ms: i64, bounds: Bounds) -> Option<i64> {
        self.is_old(now_ms, bounds).then(|| self.let_go(now_ms))
    }

    fn is_due(&self, now_ms: i64, bounds: Bounds) -> bool {
        self.young.len() >= half(bounds) || self.is_old(now_ms, bounds)
    }

    fn is_old(&self, now_ms: i64, bounds: Bounds) -> bool {
        now_ms - self.turned_ms >= bounds.window_ms
    }

    fn let_go(&mut self, now_ms: i64) -> i64 {
        // The next one will be about as large: it need not grow step by step.
        let next = Ids::with_capacity(self.young.len());
        self.old = mem::replace(&mut self.young, next);
        mem::replace(&mut self.turned_ms, now_ms)
    }

    /// Puts an id in that is older than all that came before it; never lets another go. False where
    /// there is no room.
    pub(super) fn insert_older(&mut self, key: Key, body: u64, bounds: Bounds, keys: &Keys) -> bool {
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
        generation.insert(key, body, keys);
        true
    }

    /// How many [`Generations::insert_older`] takes.
    pub(super) fn room(&self, bounds: Bounds) -> usize {
        let free = |generation: &Ids| half(bounds).saturating_sub(generation.len());
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
    (bounds.ids / 2).clamp(1, Ids::MOST)
}
