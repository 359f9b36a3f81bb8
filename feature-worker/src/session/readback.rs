//! What a session asks of the log, where an event belongs to a place that the fold has passed.
//!
//! The event is kept in the state until the log has been read ([`super::rebuild`]), so that nothing
//! is lost in between; meanwhile the session folds nothing, reports nothing and does not expire. What
//! becomes of a record never depends on how long that takes: a verdict that hangs on the answer, or
//! for which there is no room, is not given before it.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::buffer::Held;
use super::judge::Arrival;
use super::marker::Marker;
use super::prefix::{Place, Prefix};
use super::tag::Tag;
use super::{Order, Session, Trail};

/// What a session asks of the log, and the events that wait for the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadBack {
    /// First offset to read.
    pub from: i64,
    /// One past the last offset to read.
    pub until: i64,
    /// By seq; by offset where the session has none.
    pub(super) waiting: BTreeMap<u64, Held>,
    /// Those of the seqs that lay in a gap that was passed; the others were refused events' places.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) skipped: BTreeSet<u64>,
    /// Closes without seq.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) closes: BTreeMap<Uuid, Held>,
    /// What the session was before it was brought back to life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<Box<Marker>>,
}

impl ReadBack {
    /// Asks for all of a live session.
    pub fn of(trail: &Trail) -> Self {
        Self {
            from: trail.first_offset,
            until: trail.last_offset + 1,
            waiting: BTreeMap::new(),
            skipped: BTreeSet::new(),
            closes: BTreeMap::new(),
            marker: None,
        }
    }

    /// Asks for all of an evicted session.
    pub fn reopening(marker: &Marker) -> Self {
        Self {
            from: marker.first_offset,
            until: marker.last_offset + 1,
            waiting: BTreeMap::new(),
            skipped: BTreeSet::new(),
            closes: BTreeMap::new(),
            marker: Some(Box::new(marker.clone())),
        }
    }

    /// Whether it is an evicted session that is asked for.
    pub fn is_reopening(&self) -> bool {
        self.marker.is_some()
    }

    /// Keeps an event until the log has been read.
    pub fn add(&mut self, place: u64, held: Held) {
        self.waiting.insert(place, held);
    }

    /// Keeps a close without seq until the log has been read.
    pub fn add_close(&mut self, held: Held) {
        self.closes.insert(held.id, held);
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.closes.len()
    }

    /// Whether none waits: the session itself is asked for.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the events that wait.
    pub fn bytes(&self) -> usize {
        self.waiting.values().chain(self.closes.values()).map(|held| held.raw.get().len()).sum()
    }

    /// The highest place of an event that waits.
    pub fn last(&self) -> Option<u64> {
        self.waiting.last_key_value().map(|(place, _)| *place)
    }

    /// How many events wait for places that the fold has not come to.
    pub fn ahead(&self, next: u64) -> usize {
        self.waiting.range(next..).count()
    }

    /// The place of a close that waits: its seq, or none without; by offset where no event has a seq.
    pub fn close(&self, id: Uuid) -> Option<Option<u64>> {
        if self.closes.contains_key(&id) {
            return Some(None);
        }
        self.waiting.iter().find(|(_, held)| held.id == id).map(|(place, _)| Some(*place))
    }

    /// The closes without seq that wait, in the order of the log.
    pub fn closes_in_order(&self) -> Vec<Held> {
        let mut closes: Vec<_> = self.closes.values().cloned().collect();
        closes.sort_by_key(|held| held.offset);
        closes
    }

    /// The tag of the event that waits under a seq.
    pub fn under(&self, seq: u64) -> Option<Tag> {
        self.waiting.get(&seq).map(Held::tag)
    }
}

impl Session {
    /// Whether it was evicted and the log has yet to tell what it was.
    pub fn is_reopening(&self) -> bool {
        self.readback.as_ref().is_some_and(|readback| readback.is_reopening())
    }

    /// Whether an event has to wait where it is until the log has been read.
    pub fn must_wait(&self, event: &Event<'_>, arrival: &Arrival<'_>) -> bool {
        self.readback.is_some()
            && (self.is_laden()
                || self.may_stand_elsewhere(event)
                || (event.seq.is_some() && self.may_outgrow())
                || (self.is_reopening() && self.hangs_on_log(event, arrival)))
    }

    /// Whether it may outgrow its bound, or forget, with what waits: how far depends on what becomes of that.
    fn may_outgrow(&self) -> bool {
        let (remembered, most) = (self.remembered(), self.terms.most_remembered());
        let waiting = self.readback.as_ref().map_or(0, |readback| readback.len());
        let least = remembered.saturating_sub(waiting.saturating_mul(Prefix::MOST_COST));
        remembered + Prefix::MOST_COST > self.terms.events.saturating_mul(2) || (least <= most && remembered > most)
    }

    /// Whether it is another body of a close that its session has: which one stands depends on how far
    /// the fold comes with the answer.
    fn may_stand_elsewhere(&self, event: &Event<'_>) -> bool {
        let id = event.event_id;
        let is_known = || self.closes.contains_key(&id) || self.ends.get(&id).is_some_and(|at| event.seq != Some(*at));
        event.is_close() && event.seq.is_some() && is_known()
    }

    /// Whether so much waits for the log that the state has no room for more.
    pub fn is_laden(&self) -> bool {
        let terms = &self.terms;
        self.readback.as_ref().is_some_and(|readback| {
            readback.len() + self.buffer.len() > terms.buffer_events
                || readback.bytes() + self.buffer.bytes() > terms.buffer_bytes
        })
    }

    /// Whether only the log can tell a repeat of what the session was from something new.
    fn hangs_on_log(&self, event: &Event<'_>, arrival: &Arrival<'_>) -> bool {
        if self.is_not_theirs(event, arrival).is_some() {
            return false;
        }
        let Some(readback) = &self.readback else { return false };
        // A close that waits may turn out to be a repeat, and leave its place to another.
        let other = |seq| readback.waiting.get(seq).is_some_and(|held| held.id != event.event_id);
        let elsewhere = || event.is_close() && readback.close(event.event_id).is_some_and(|place| place != event.seq);
        match (self.order, event.seq) {
            // The session may have the same close elsewhere.
            (Order::Seq, Some(seq)) => event.is_close() || other(&seq) || self.is_unread(event),
            (Order::Seq, None) => event.is_close() && (!arrival.redriven || elsewhere()),
            // What is sent again waits in the state, as long as there is certainly room for it.
            _ => {
                let before = readback.marker.as_ref().map_or(0, |marker| marker.events);
                !arrival.redriven || self.ids.len() as u64 + before >= 2 * self.terms.events as u64 || elsewhere()
            }
        }
    }

    /// Whether an event stands under its seq of which only the log can tell whether it is the same.
    pub fn is_unread(&self, event: &Event<'_>) -> bool {
        event.seq.is_some_and(|seq| self.prefix.at(seq) == Place::Event(Tag::UNREAD))
    }

    pub(super) fn await_readback(&mut self, place: u64, held: Held) {
        self.ask().add(place, held);
    }

    /// Fills a place that the fold has passed; the event waits until the log has been read.
    pub(super) fn fill(&mut self, seq: u64, held: Held) {
        if self.prefix.at(seq) == Place::Skipped {
            self.ask().skipped.insert(seq);
        }
        self.prefix.fill(seq, held.tag());
        self.await_readback(seq, held);
    }

    fn ask(&mut self) -> &mut ReadBack {
        let trail = &self.trail;
        self.readback.get_or_insert_with(|| ReadBack::of(trail).into())
    }
}
