//! Keeps the state of one limit by key, in bounded room.

use std::collections::HashMap;

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use parking_lot::Mutex;

/// Parts, each under a lock of its own.
const PARTS: usize = 64;
/// Room that an emptied part keeps.
const KEPT: usize = 256;

/// When each key's allowance will be whole again. A key that is not here has all of its allowance.
///
/// At its cap the store takes no key more: such a key is let through and held to the wider limits only,
/// until the next sweep has made room. Those that are here stay held to theirs.
#[derive(Debug)]
pub(super) struct Store {
    parts: Vec<Mutex<HashMap<u64, u64>>>,
    cap: usize,
}

impl Store {
    /// For so many keys at most.
    pub(super) fn new(keys: usize) -> Self {
        Self { parts: (0..PARTS).map(|_| Mutex::default()).collect(), cap: keys.div_ceil(PARTS) }
    }

    /// So many keys would fit, of the memory that is held.
    #[cfg(test)]
    fn capacity(&self) -> usize {
        self.parts.iter().map(|part| part.lock().capacity()).sum()
    }

    fn part(&self, key: u64) -> &Mutex<HashMap<u64, u64>> {
        &self.parts[usize::from(key.to_le_bytes()[7]) % PARTS]
    }
}

impl StateStore for Store {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, judge: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut part = self.part(*key).lock();
        if let Some(state) = part.get_mut(key) {
            let (outcome, next) = judge(Some(Nanos::from(*state)))?;
            *state = next.into();
            return Ok(outcome);
        }
        let (outcome, next) = judge(None)?;
        if part.len() < self.cap {
            part.insert(*key, next.into());
        }
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<u64> for Store {
    fn retain_recent(&self, drop_below: Nanos) {
        let now: u64 = drop_below.into();
        for part in &self.parts {
            let mut part = part.lock();
            part.retain(|_, whole_at| *whole_at > now);
            if part.capacity() > KEPT.max(part.len() * 4) {
                let room = part.len() * 2;
                part.shrink_to(room);
            }
        }
    }

    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &Store, key: u64, whole_at: u64) {
        let judged: Result<(), ()> = store.measure_and_replace(&key, |_| Ok(((), Nanos::from(whole_at))));
        judged.unwrap();
    }

    fn spread(key: u64) -> u64 {
        key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_than_the_cap_and_its_room_is_given_back() {
        let store = Store::new(4_096);
        for key in 0..1_000_000 {
            put(&store, spread(key), 10);
        }
        assert!(store.len() <= 4_096);
        assert!(store.capacity() < 4_096 * 4);
        store.retain_recent(Nanos::from(9));
        assert!(store.len() > 3_000, "what is not whole yet stays");
        store.retain_recent(Nanos::from(10));
        assert!(store.is_empty());
        assert!(store.capacity() <= KEPT * PARTS);
    }

    #[test]
    fn who_is_known_stays_held_while_others_flood() {
        let store = Store::new(64);
        put(&store, 7, 99);
        for key in 0..10_000 {
            put(&store, spread(key), 10);
        }
        let seen: Result<u64, ()> = store.measure_and_replace(&7, |state| Ok((state.unwrap().into(), Nanos::from(1))));
        assert_eq!(seen, Ok(99));
    }
}
