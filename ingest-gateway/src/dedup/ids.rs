//! A set of ids and their bodies: entries in the order in which they came, and an index of them.
//!
//! What a table of millions costs is going to memory for it. An index of four bytes an id is small enough to
//! stay near the processor, and tells most new ids apart without a look at an entry; new entries lie side by side.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use super::key::{Key, Keys};

/// Fingerprints of bodies by key.
#[derive(Debug)]
pub(super) struct Ids {
    /// Places in `entries`: many tables, each for its share of the hashes. A table that grows goes through all
    /// that it holds while every request waits; a small one has soon done that.
    index: [HashTable<u32>; SHARES],
    entries: Vec<Entry>,
}

/// Tables of an index.
const SHARES: usize = 64;

/// Bytes instead of numbers: nothing is lost to padding.
#[derive(Debug)]
struct Entry {
    tenant: u32,
    id: [u8; 16],
    body: [u8; 8],
}

impl Ids {
    /// Most ids of one set.
    pub(super) const MOST: usize = u32::MAX as usize;

    /// An empty set with room for so many.
    pub(super) fn with_capacity(ids: usize) -> Self {
        // Shares are not quite alike.
        let share = if ids == 0 { 0 } else { ids / SHARES + ids / SHARES / 8 + 1 };
        Self { index: std::array::from_fn(|_| HashTable::with_capacity(share)), entries: Vec::with_capacity(ids) }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, key: Key) -> Option<u64> {
        // Most of the time the older set is empty, and this is all that it costs.
        if self.is_empty() {
            return None;
        }
        let place = self.index[share(key.hash())].find(key.hash(), |place| self.entries[*place as usize].is_of(key))?;
        Some(u64::from_ne_bytes(self.entries[*place as usize].body))
    }

    /// Puts an id in; one that is known keeps its body.
    pub(super) fn insert(&mut self, key: Key, body: u64, keys: &Keys) {
        let entries = &mut self.entries;
        let is_it = |place: &u32| entries[*place as usize].is_of(key);
        let hash_of = |place: &u32| keys.hash(entries[*place as usize].tenant, entries[*place as usize].id);
        if let Place::Vacant(vacant) = self.index[share(key.hash())].entry(key.hash(), is_it, hash_of)
            && let Ok(place) = u32::try_from(entries.len())
        {
            vacant.insert(place);
            entries.push(Entry { tenant: key.tenant(), id: key.id(), body: body.to_ne_bytes() });
        }
    }

    /// Puts an id in with this body, whatever is known of it.
    pub(super) fn replace(&mut self, key: Key, body: u64, keys: &Keys) {
        let entries = &mut self.entries;
        match self.index[share(key.hash())].find(key.hash(), |place| entries[*place as usize].is_of(key)) {
            Some(place) => entries[*place as usize].body = body.to_ne_bytes(),
            None => self.insert(key, body, keys),
        }
    }
}

/// Which table a hash belongs to: by bits that the table itself makes no use of.
fn share(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or(usize::MAX) % SHARES
}

impl Entry {
    fn is_of(&self, key: Key) -> bool {
        self.id == key.id() && self.tenant == key.tenant()
    }
}
