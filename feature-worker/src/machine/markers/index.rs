//! Finds entries by their session. Clients choose the ids, so nobody may know beforehand which of them fall together.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use uuid::Uuid;

use super::place::Place;

/// Tables of an index: one that grows goes through all that it holds while every record waits.
const SHARES: usize = 64;

/// Places by session. Sessions of one id that are of several tenants lie together.
#[derive(Debug)]
pub(super) struct Index {
    shares: [HashTable<Place>; SHARES],
    hashes: RandomState,
}

impl Default for Index {
    fn default() -> Self {
        Self { shares: std::array::from_fn(|_| HashTable::new()), hashes: RandomState::default() }
    }
}

impl Index {
    /// The place of a session's entry.
    pub(super) fn find(&self, session: Uuid, is_it: impl Fn(Place) -> bool) -> Option<Place> {
        let hash = self.hash(session);
        self.shares[share(hash)].find(hash, |place| is_it(*place)).copied()
    }

    /// Adds the place of an entry that is not there.
    pub(super) fn insert(&mut self, session: Uuid, place: Place, session_at: impl Fn(Place) -> Uuid) {
        let hash = self.hash(session);
        let hashes = &self.hashes;
        self.shares[share(hash)].insert_unique(hash, place, |place| hashes.hash_one(session_at(*place)));
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, session: Uuid, place: Place) {
        let hash = self.hash(session);
        if let Ok(found) = self.shares[share(hash)].find_entry(hash, |there| *there == place) {
            found.remove();
        }
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.shares.iter().map(HashTable::allocation_size).sum::<usize>() + size_of::<Self>()
    }

    fn hash(&self, session: Uuid) -> u64 {
        self.hashes.hash_one(session)
    }
}

/// Which table a hash belongs to: by bits that the table itself makes no use of.
fn share(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or(usize::MAX) % SHARES
}
