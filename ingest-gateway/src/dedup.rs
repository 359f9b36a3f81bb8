//! Knows which events the log holds already: an exact set over a bounded window. Pure.
//!
//! Ids live in two generations. A new id goes into the young one; when that is old or full it
//! becomes the old one and the former old one goes. So an id is known for at least the window's
//! length, unless there are more ids than it may hold.

mod generations;
mod ids;
mod key;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use uuid::Uuid;

use generations::Generations;
pub use key::Key;
use key::{Keys, Taken};

/// How far the window reaches.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For so many milliseconds an id is known at least.
    pub window_ms: i64,
    /// At most so many ids are known.
    pub ids: usize,
}

/// What an id turned out to be. `F` is whatever tells how the append of the first one ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim<F> {
    /// Nobody has it: it is the caller's now, who must [`Window::settle`] it.
    Fresh,
    /// The log holds it.
    Known {
        /// With this body.
        same_body: bool,
    },
    /// Another request is appending it.
    InFlight {
        /// With this body.
        same_body: bool,
        /// How that ends.
        flight: F,
    },
    /// It was appended with another body, and nobody knows whether the log has that: it is not claimed.
    Doubtful,
}

/// How an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The log has it.
    Kept,
    /// The log has it not.
    NotKept,
    /// Nobody knows: the same body may be appended again, another one may not.
    Unknown,
}

/// The window. `F` as in [`Claim`].
#[derive(Debug)]
pub struct Window<F> {
    bounds: Bounds,
    keys: Keys,
    kept: Generations,
    /// Appended with an unknown outcome, and not yet again with a known one.
    unsettled: Generations,
    in_flight: HashMap<Key, (u64, F), BuildHasherDefault<Taken>>,
    /// Since when every id that was kept is known.
    covers_from_ms: i64,
}

impl<F: Clone> Window<F> {
    /// A window that knows nothing at `now_ms`.
    pub fn new(bounds: Bounds, now_ms: i64) -> Self {
        Self {
            bounds,
            keys: Keys::default(),
            kept: Generations::new(now_ms),
            unsettled: Generations::new(now_ms),
            in_flight: HashMap::default(),
            covers_from_ms: now_ms,
        }
    }

    /// The key of an event.
    pub fn key(&mut self, tenant: &str, event_id: Uuid) -> Key {
        self.keys.key(tenant, event_id)
    }

    /// Claims an event for a request whose own append ends as `flight` tells.
    pub fn claim(&mut self, key: Key, body: u64, flight: &F) -> Claim<F> {
        let seen = self.look(key, body);
        if matches!(seen, Claim::Fresh) {
            self.in_flight.insert(key, (body, flight.clone()));
        }
        seen
    }

    /// As [`Window::claim`], for an event that stands for the same whatever its body says: any body is the
    /// same, and what is in doubt is claimed afresh.
    pub fn claim_any_body(&mut self, key: Key, body: u64, flight: &F) -> Claim<F> {
        match self.claim(key, body, flight) {
            Claim::Fresh => Claim::Fresh,
            Claim::Known { .. } => Claim::Known { same_body: true },
            Claim::InFlight { flight, .. } => Claim::InFlight { same_body: true, flight },
            Claim::Doubtful => {
                self.in_flight.insert(key, (body, flight.clone()));
                Claim::Fresh
            }
        }
    }

    /// What [`Window::claim`] would say; changes nothing.
    pub fn look(&self, key: Key, body: u64) -> Claim<F> {
        if let Some(known) = self.kept.get(key) {
            return Claim::Known { same_body: known == body };
        }
        if let Some((known, flight)) = self.in_flight.get(&key) {
            return Claim::InFlight { same_body: *known == body, flight: flight.clone() };
        }
        match self.unsettled.get(key) {
            Some(known) if known != body => Claim::Doubtful,
            _ => Claim::Fresh,
        }
    }

    /// Ends a claim that said [`Claim::Fresh`].
    pub fn settle(&mut self, key: Key, settled: Settled, now_ms: i64) {
        let Some((body, _)) = self.in_flight.remove(&key) else { return };
        match settled {
            Settled::Kept => self.remember(key, body, now_ms),
            Settled::NotKept => {}
            Settled::Unknown => {
                self.unsettled.replace(key, body, now_ms, self.bounds, &self.keys);
            }
        }
    }

    /// Learns of an event that the log holds. The first body that is told of an id stands.
    pub fn remember(&mut self, key: Key, body: u64, now_ms: i64) {
        if let Some(turned_ms) = self.kept.insert(key, body, now_ms, self.bounds, &self.keys) {
            self.covers_from_ms = self.covers_from_ms.max(turned_ms);
        }
    }

    /// Lets ids go that are older than the window, whether or not new ones come.
    pub fn turn(&mut self, now_ms: i64) {
        if let Some(turned_ms) = self.kept.turn(now_ms, self.bounds) {
            self.covers_from_ms = self.covers_from_ms.max(turned_ms);
        }
        self.unsettled.turn(now_ms, self.bounds);
    }

    /// Forgets which events the log holds and covers nothing before `now_ms`: so begins a reading back.
    pub fn restart(&mut self, now_ms: i64) {
        self.kept = Generations::new(now_ms);
        self.covers_from_ms = now_ms;
    }

    /// Learns of an event that the log holds and that is older than all that are known. Never lets a
    /// newer one go: false where the window holds as many as it may.
    pub fn remember_older(&mut self, key: Key, body: u64) -> bool {
        self.kept.insert_older(key, body, self.bounds, &self.keys)
    }

    /// How many events [`Window::remember_older`] has room for.
    pub fn room(&self) -> usize {
        self.kept.room(self.bounds)
    }

    /// Says that all that was kept since `from_ms` has been remembered.
    pub fn covers_from(&mut self, from_ms: i64) {
        self.covers_from_ms = self.covers_from_ms.min(from_ms);
        self.kept.whole_since(from_ms);
    }

    /// For how many milliseconds back every id that was kept is known.
    pub fn covered_ms(&self, now_ms: i64) -> i64 {
        (now_ms - self.covers_from_ms).max(0)
    }

    /// How many ids it holds.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
