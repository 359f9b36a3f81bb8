//! Changes what a partition holds of its sessions: what was is kept for an abort.

use super::layer::{Before, Layer};
use super::partition::Partition;
use super::slot::{Saved, Since, Slot};
use crate::session::Session;
use crate::session::marker::Marker;
use crate::state::SessionKey;

impl Partition {
    /// The live session under a key, as it may be changed by anything but its records alone: the next
    /// commit writes it.
    pub(super) fn touch(&mut self, key: &SessionKey) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key)?;
        self.open.remember(key, slot, self.layer);
        self.open.weigh(slot);
        slot.due = true;
        Some(slot)
    }

    /// The live session under a key, as a record of it changes it: who reads the record again does the same.
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

    /// A session begins under a key; where there is a marker, it comes back to life.
    pub(super) fn begin(&mut self, key: &SessionKey, session: Session) {
        let marker = self.markers.remove(key);
        let saved = Saved { written: marker.as_ref().map_or(0, Marker::weight), ..Saved::default() };
        let before = marker.map_or(Before::Absent, |marker| Before::Marker(Box::new(marker)));
        self.open.before.entry(key.clone()).or_insert(before);
        let mut slot = Slot::new(Box::new(session), saved);
        slot.layer = self.layer;
        self.insert(key.clone(), slot);
        self.touch(key);
    }

    /// A marker takes the place of a live session.
    pub(super) fn retire(&mut self, key: &SessionKey, marker: &Marker) {
        self.touch(key);
        self.remove(key);
        self.markers.insert(key, marker);
    }

    /// Forgets a live session.
    pub(super) fn forget(&mut self, key: &SessionKey) {
        self.touch(key);
        self.remove(key);
    }

    /// Forgets a marker.
    pub(super) fn forget_marker(&mut self, key: &SessionKey) {
        if let Some(marker) = self.markers.remove(key) {
            self.open.before.entry(key.clone()).or_insert_with(|| Before::Marker(Box::new(marker)));
            self.open.sessions += 1;
        }
    }

    /// Puts a slot in; what was there gives way.
    pub(super) fn insert(&mut self, key: SessionKey, slot: Slot) {
        self.remove(&key);
        if let Some(since) = slot.saved.since {
            self.behind.insert(since, key.clone());
        }
        self.slots.insert(key, slot);
    }

    /// Takes out what is under a key, live or evicted.
    pub(super) fn remove(&mut self, key: &SessionKey) {
        if let Some(slot) = self.slots.remove(key) {
            self.behind.remove(slot.saved.since);
        } else {
            self.markers.remove(key);
        }
    }
}

impl Layer {
    /// Keeps what a session was before this layer.
    fn remember(&mut self, key: &SessionKey, slot: &mut Slot, layer: u64) {
        if slot.layer != layer {
            (slot.layer, slot.due, slot.weighed) = (layer, false, false);
            self.before.insert(key.clone(), Before::Live(slot.image(), slot.saved));
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
