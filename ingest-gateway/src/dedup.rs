//! Knows which events the log holds already: an exact set over a bounded window. Pure.
//!
//! Ids live in two generations. A new id goes into the young one; when that is old or full it
//! becomes the old one and the former old one goes. So an id is known for at least the window's
//! length, unless there are more ids than it may hold.

use std::collections::HashMap;
use std::mem;

use uuid::Uuid;

/// How far the window reaches.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For so many milliseconds an id is known at least.
    pub window_ms: i64,
    /// At most so many ids are known.
    pub ids: usize,
}

/// An event's key: its tenant's number in this process, and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Number of the tenant, by [`Window::tenant`].
    tenant: u32,
    /// Bytes instead of a number: half of the padding goes.
    id: [u8; 16],
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
    tenants: HashMap<String, u32>,
    kept: Generations,
    /// Appended with an unknown outcome, and not yet again with a known one.
    unsettled: Generations,
    in_flight: HashMap<Key, (u64, F)>,
    /// Since when every id that was kept is known.
    covers_from_ms: i64,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, u64>,
    old: HashMap<Key, u64>,
    turned_ms: i64,
}

impl<F: Clone> Window<F> {
    /// A window that knows nothing at `now_ms`.
    pub fn new(bounds: Bounds, now_ms: i64) -> Self {
        let generations = || Generations { turned_ms: now_ms, ..Generations::default() };
        Self {
            bounds,
            tenants: HashMap::new(),
            kept: generations(),
            unsettled: generations(),
            in_flight: HashMap::new(),
            covers_from_ms: now_ms,
        }
    }

    /// The key of an event.
    pub fn key(&mut self, tenant: &str, event_id: Uuid) -> Key {
        let next = u32::try_from(self.tenants.len()).unwrap_or(u32::MAX);
        let tenant = match self.tenants.get(tenant) {
            Some(number) => *number,
            None => *self.tenants.entry(tenant.to_owned()).or_insert(next),
        };
        Key { tenant, id: event_id.into_bytes() }
    }

    /// Claims an event for a request whose own append ends as `flight` tells.
    pub fn claim(&mut self, key: Key, body: u64, flight: &F) -> Claim<F> {
        let seen = self.look(key, body);
        if matches!(seen, Claim::Fresh) {
            self.in_flight.insert(key, (body, flight.clone()));
        }
        seen
    }

    /// As [`Window::claim`], for an event that stands for the same whatever its body says: what is in
    /// doubt with another body is claimed afresh.
    pub fn claim_any_body(&mut self, key: Key, body: u64, flight: &F) -> Claim<F> {
        let seen = self.claim(key, body, flight);
        if !matches!(seen, Claim::Doubtful) {
            return seen;
        }
        self.in_flight.insert(key, (body, flight.clone()));
        Claim::Fresh
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
                self.unsettled.insert(key, body, now_ms, self.bounds);
            }
        }
    }

    /// Learns of an event that the log holds. The first body that is told of an id stands.
    pub fn remember(&mut self, key: Key, body: u64, now_ms: i64) {
        if self.kept.get(key).is_some() {
            return;
        }
        if let Some(turned_ms) = self.kept.insert(key, body, now_ms, self.bounds) {
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

    /// Says that all that was kept since `from_ms` has been remembered.
    pub fn covers_from(&mut self, from_ms: i64) {
        self.covers_from_ms = self.covers_from_ms.min(from_ms);
    }

    /// For how many milliseconds back every id that was kept is known.
    pub fn covered_ms(&self, now_ms: i64) -> i64 {
        (now_ms - self.covers_from_ms).max(0)
    }

    /// How many ids it holds.
    pub fn len(&self) -> usize {
        self.kept.young.len() + self.kept.old.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Generations {
    fn get(&self, key: Key) -> Option<u64> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    /// Answers with the time since which ids are known, if older ones have gone.
    fn insert(&mut self, key: Key, body: u64, now_ms: i64, bounds: Bounds) -> Option<i64> {
        let turned = self.turn(now_ms, bounds);
        self.young.insert(key, body);
        turned
    }

    fn turn(&mut self, now_ms: i64, bounds: Bounds) -> Option<i64> {
        let full = self.young.len() >= (bounds.ids / 2).max(1);
        if !full && now_ms - self.turned_ms < bounds.window_ms {
            return None;
        }
        self.old = mem::take(&mut self.young);
        Some(mem::replace(&mut self.turned_ms, now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn window(ids: usize) -> Window<u8> {
        Window::new(Bounds { window_ms: 10 * MINUTE, ids }, 0)
    }

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_kept_event_is_known_by_its_body() {
        let mut window = window(100);
        let key = window.key("acme", id(1));
        assert_eq!(window.claim(key, 7, &0), Claim::Fresh);
        window.settle(key, Settled::Kept, 1);
        assert_eq!(window.claim(key, 7, &0), Claim::Known { same_body: true });
        assert_eq!(window.claim(key, 8, &0), Claim::Known { same_body: false });
        let other = window.key("other", id(1));
        assert_eq!(window.claim(other, 8, &0), Claim::Fresh, "an id is unique within a tenant only");
    }

    #[test]
    fn a_repeat_of_one_in_flight_learns_how_that_ends() {
        let mut window = window(100);
        let key = window.key("acme", id(1));
        assert_eq!(window.claim(key, 7, &1), Claim::Fresh);
        assert_eq!(window.claim(key, 7, &2), Claim::InFlight { same_body: true, flight: 1 });
        assert_eq!(window.claim(key, 8, &2), Claim::InFlight { same_body: false, flight: 1 });
        window.settle(key, Settled::NotKept, 1);
        assert_eq!(window.claim(key, 8, &2), Claim::Fresh, "what was not kept binds nobody");
    }

    #[test]
    fn after_an_unknown_outcome_the_same_body_may_come_again_and_no_other() {
        let mut window = window(100);
        let key = window.key("acme", id(1));
        window.claim(key, 7, &1);
        window.settle(key, Settled::Unknown, 1);
        assert_eq!(window.claim(key, 8, &2), Claim::Doubtful);
        assert_eq!(window.claim(key, 7, &2), Claim::Fresh, "what is in doubt has not been claimed");
        window.settle(key, Settled::Kept, 2);
        assert_eq!(window.claim(key, 7, &3), Claim::Known { same_body: true });
        assert_eq!(window.claim(key, 8, &3), Claim::Known { same_body: false });
    }

    #[test]
    fn a_claim_in_spite_of_doubt_is_one_like_any_other() {
        let mut window = window(100);
        let key = window.key("acme", id(1));
        window.claim(key, 7, &1);
        window.settle(key, Settled::Unknown, 1);
        assert_eq!(window.claim_any_body(key, 8, &2), Claim::Fresh);
        assert_eq!(window.claim_any_body(key, 9, &3), Claim::InFlight { same_body: false, flight: 2 });
        window.settle(key, Settled::Kept, 2);
        assert_eq!(window.claim_any_body(key, 9, &3), Claim::Known { same_body: false });
    }

    #[test]
    fn an_id_is_known_for_the_whole_window_and_not_for_ever() {
        let mut window = window(100);
        let key = window.key("acme", id(1));
        window.remember(key, 7, 9 * MINUTE);
        window.turn(10 * MINUTE);
        window.turn(19 * MINUTE);
        assert_eq!(window.look(key, 7), Claim::Known { same_body: true });
        window.turn(20 * MINUTE);
        assert_eq!(window.look(key, 7), Claim::Fresh);
    }

    #[test]
    fn the_bound_on_ids_holds_and_the_window_says_what_it_covers() {
        let mut window = window(100);
        for number in 0..1_000_i64 {
            let key = window.key("acme", id(u128::try_from(number).unwrap()));
            window.remember(key, 7, number);
            assert!(window.len() <= 100);
        }
        assert!(window.covered_ms(1_000) <= 100, "{}", window.covered_ms(1_000));
        let last = window.key("acme", id(999));
        assert_eq!(window.look(last, 7), Claim::Known { same_body: true });
    }
}
