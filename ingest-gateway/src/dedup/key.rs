//! Keys of events, and their hashes: clients choose the ids, so nobody may know beforehand which of them fall together.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, Hasher};

use foldhash::quality::RandomState;
use uuid::Uuid;

/// An event's key: its tenant's number in this process, and its id; hashed once.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    hash: u64,
    tenant: u32,
    id: [u8; 16],
}

/// Makes keys: all that are compared with each other come from one of these.
#[derive(Debug, Default)]
pub(super) struct Keys {
    tenants: HashMap<String, u32, RandomState>,
    hashes: RandomState,
}

/// Takes the hash that a key has already.
#[derive(Debug, Default)]
pub(super) struct Taken(u64);

impl Keys {
    /// The key of an event.
    pub(super) fn key(&mut self, tenant: &str, event_id: Uuid) -> Key {
        let next = u32::try_from(self.tenants.len()).unwrap_or(u32::MAX);
        let tenant = match self.tenants.get(tenant) {
            Some(number) => *number,
            None => *self.tenants.entry(tenant.to_owned()).or_insert(next),
        };
        let id = event_id.into_bytes();
        Key { hash: self.hash(tenant, id), tenant, id }
    }

    /// The hash of a key.
    pub(super) fn hash(&self, tenant: u32, id: [u8; 16]) -> u64 {
        self.hashes.hash_one((u128::from_ne_bytes(id), tenant))
    }
}

impl Key {
    pub(super) fn hash(self) -> u64 {
        self.hash
    }

    pub(super) fn tenant(self) -> u32 {
        self.tenant
    }

    pub(super) fn id(self) -> [u8; 16] {
        self.id
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.tenant == other.tenant
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hasher for Taken {
    fn write(&mut self, _: &[u8]) {
        // Keys write one number and nothing else.
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
