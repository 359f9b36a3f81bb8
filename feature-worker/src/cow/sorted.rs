//! A map in the order of its keys.

use std::borrow::Borrow;
use std::sync::Arc;

/// Most entries that are copied at once.
const CHUNK: usize = 32;
/// The same of a map that has few.
const SMALL_CHUNK: usize = 8;
/// So many are few: beyond, a copy would have too many chunks to share.
const FEW: usize = 64;

/// A map in the order of its keys. A copy costs as much as it has chunks; a change copies one of them.
#[derive(Clone, Debug)]
pub struct Sorted<K, V> {
    /// In order; none is empty.
    chunks: Vec<Arc<Vec<(K, V)>>>,
    len: usize,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> Sorted<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What stands under a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        position(chunk, key).ok().map(|at| &chunk[at].1)
    }

    /// What stands under a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let index = self.chunk_of(key);
        let chunk = self.chunks.get_mut(index)?;
        let at = position(chunk, key).ok()?;
        Some(&mut Arc::make_mut(chunk)[at].1)
    }

    /// Puts something under a key; answers with what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let index = self.chunk_of(&key);
        let is_last = index + 1 >= self.chunks.len();
        let Some(shared) = self.chunks.get_mut(index) else {
            self.chunks.push(Arc::new(vec![(key, value)]));
            self.len += 1;
            return None;
        };
        let most = if self.len < FEW { SMALL_CHUNK } else { CHUNK };
        let chunk = Arc::make_mut(shared);
        match position(chunk, &key) {
            Ok(at) => return Some(std::mem::replace(&mut chunk[at].1, value)),
            Err(at) => {
                // Many maps stay as small as they are: doubling would leave them half empty.
                if chunk.len() == chunk.capacity() {
                    chunk.reserve_exact(chunk.len() / 4 + 1);
                }
                chunk.insert(at, (key, value));
            }
        }
        self.len += 1;
        if chunk.len() > most {
            // Keys that come in order fill each chunk.
            let ordered = is_last && chunk.last().map(|(last, _)| last) > chunk.get(most - 1).map(|(last, _)| last);
            let rest = chunk.split_off(if ordered { most } else { most / 2 });
            self.chunks.insert(index + 1, Arc::new(rest));
        }
        None
    }

    /// Takes out what stands under a key.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let index = self.chunk_of(key);
        let chunk = self.chunks.get_mut(index)?;
        let at = position(chunk, key).ok()?;
        let (_, value) = Arc::make_mut(chunk).remove(at);
        if chunk.is_empty() {
            self.chunks.remove(index);
        }
        self.len -= 1;
        Some(value)
    }

    /// All entries, by key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).map(|(key, value)| (key, value))
    }

    /// The chunk that holds a key, or would.
    fn chunk_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        self.chunks
            .partition_point(|chunk| chunk.first().is_some_and(|(first, _)| first.borrow() <= key))
            .saturating_sub(1)
    }
}

fn position<K: Borrow<Q>, V, Q: Ord + ?Sized>(chunk: &[(K, V)], key: &Q) -> Result<usize, usize> {
    chunk.binary_search_by(|(there, _)| there.borrow().cmp(key))
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Sorted<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut sorted = Self::default();
        for (key, value) in entries {
            sorted.insert(key, value);
        }
        sorted
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for Sorted<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_map_holds_what_was_put_in_and_a_copy_stays_what_it_was() {
        for step in [1_u64, 0x9e37_79b9_7f4a_7c15] {
            let (mut map, mut plain, mut copies) = (Sorted::default(), BTreeMap::new(), Vec::new());
            for n in 0..4_000_u64 {
                let key = n.wrapping_mul(step) % 1_000;
                if n % 301 == 0 {
                    copies.push((map.clone(), plain.clone()));
                }
                if n % 3 == 2 {
                    let gone = (key * 7) % 1_000;
                    assert_eq!(map.remove(&gone), plain.remove(&gone));
                } else {
                    assert_eq!(map.insert(key, n), plain.insert(key, n));
                }
                if let Some(value) = map.get_mut(&(n % 500)) {
                    *value += 1;
                }
                plain.entry(n % 500).and_modify(|value| *value += 1);
                assert_eq!((map.get(&key), map.len()), (plain.get(&key), plain.len()));
            }
            copies.push((map, plain));
            for (map, plain) in copies {
                assert!(map.iter().eq(&plain) && map.iter().rev().eq(plain.iter().rev()));
                assert_eq!(map.is_empty(), plain.is_empty());
                assert!(map.chunks.iter().all(|chunk| (1..=CHUNK).contains(&chunk.len())));
                assert_eq!(plain.into_iter().collect::<Sorted<_, _>>(), map);
            }
        }
    }
}
