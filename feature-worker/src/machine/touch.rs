//! Changes what a partition holds of its sessions: what was is kept for an abort.

use super::layer::{Before, Layer};
use super::partition::Partition;
use super::slot::{Saved, Since, Slot};
use crate::state::{Entry, SessionKey};

impl Partition {
    /// The session under a key, as it may be changed by anything but its records alone: the next commit
    /// writes it.
    pub(super) fn touch(&mut self, key: &SessionKey) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key)?;
        self.open.remember(key, slot, self.layer);
        self.open.weigh(slot);
        slot.due = true;
        Some(slot)
    }

    /// The session under a key, as a record of it changes it: who reads the record again does the same.
    pub(super) fn follow(&mut self, key: &SessionKey, offset: i64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key)?;
        self.open.remember(key, slot, self.layer);
        if slot.saved.since.is_none() {
            let since = Since { offset, log_time: self.log_time };
            slot.saved.since = Some(since);
            self.behind.insert(since, key.clone());
        }
        Some(slot)
    }

    /// Reckons with a session that may bring a report.
    pub(super) fn weigh(&mut self, key: &SessionKey) {
        if let Some(slot) = self.slots.get_mut(key) {
            self.open.weigh(slot);
        }
    }

    /// Puts a session or marker under a key.
    pub(super) fn put(&mut self, key: &SessionKey, entry: Entry) {
        if let Some(slot) = self.touch(key) {
            let before = usize::from(slot.is_live());
            slot.entry = entry;
            slot.queued = i64::MAX;
            let now = usize::from(slot.is_live());
            self.live = self.live + now - before;
        } else {
            self.open.before.entry(key.clone()).or_insert(None);
            self.insert(key.clone(), Slot { layer: self.layer, ..Slot::new(entry, Saved::default()) });
            self.touch(key);
        }
    }

    /// Forgets a key.
    pub(super) fn forget(&mut self, key: &SessionKey) {
        if self.touch(key).is_some() {
            self.remove(key);
        }
    }

    /// Puts a slot in; one that was there gives way.
    pub(super) fn insert(&mut self, key: SessionKey, slot: Slot) {
        self.remove(&key);
        self.live += usize::from(slot.is_live());
        if let Some(since) = slot.saved.since {
            self.behind.insert(since, key.clone());
        }
        self.slots.insert(key, slot);
    }

    /// Takes a slot out.
    pub(super) fn remove(&mut self, key: &SessionKey) {
        if let Some(slot) = self.slots.remove(key) {
            self.live -= usize::from(slot.is_live());
            self.behind.remove(slot.saved.since);
        }
    }
}

impl Layer {
    /// Keeps what a session was before this layer.
    fn remember(&mut self, key: &SessionKey, slot: &mut Slot, layer: u64) {
        if slot.layer != layer {
            (slot.layer, slot.due, slot.weighed) = (layer, false, false);
            self.before.insert(key.clone(), Some(Before { entry: slot.entry.clone(), saved: slot.saved }));
        }
    }

    /// Reckons with a session's bytes, once.
    fn weigh(&mut self, slot: &mut Slot) {
        if !std::mem::replace(&mut slot.weighed, true) {
            self.sessions += 1;
            self.bytes += 2 * slot.saved.written;
        }
    }
}
