//! A row that grows at its end.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many of it are shared at once.
const CHUNK: usize = 256;
/// Room for so many more, where there is room for more at all.
const SPARE: usize = 4;

/// A row that grows at its end. A copy costs as much as its last part, whatever its length.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// What is full, [`CHUNK`] in each; none while nothing is.
    full: Option<Arc<Vec<Arc<[T]>>>>,
    rest: Vec<T>,
}

impl<T> Default for Row<T> {
    fn default() -> Self {
        Self { full: None, rest: Vec::new() }
    }
}

impl<T: Clone> Row<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.chunks().len() * CHUNK + self.rest.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.full.is_none() && self.rest.is_empty()
    }

    /// The one at a place.
    pub fn get(&self, at: usize) -> Option<&T> {
        match self.chunks().get(at / CHUNK) {
            Some(chunk) => chunk.get(at % CHUNK),
            None => self.rest.get(at - self.chunks().len() * CHUNK),
        }
    }

    /// Puts another in a place; none beyond the end.
    pub fn set(&mut self, at: usize, item: T) {
        let full = self.chunks().len();
        let place = if at / CHUNK < full {
            let chunk = self.full.as_mut().and_then(|chunks| Arc::make_mut(chunks).get_mut(at / CHUNK));
            chunk.and_then(|chunk| Arc::make_mut(chunk).get_mut(at % CHUNK))
        } else {
            self.rest.get_mut(at - full * CHUNK)
        };
        if let Some(place) = place {
            *place = item;
        }
    }

    /// Adds one at the end.
    pub fn push(&mut self, item: T) {
        if self.rest.len() == self.rest.capacity() {
            // Many rows stay short: doubling would leave them half empty.
            self.rest.reserve_exact((self.rest.len() / 4 + SPARE).min(CHUNK - self.rest.len()));
        }
        self.rest.push(item);
        if self.rest.len() == CHUNK {
            self.close_chunk();
        }
    }

    fn close_chunk(&mut self) {
        let chunk = std::mem::take(&mut self.rest).into();
        Arc::make_mut(self.full.get_or_insert_default()).push(chunk);
    }

    /// The last one.
    pub fn last(&self) -> Option<&T> {
        self.rest.last().or_else(|| self.chunks().last()?.last())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks().iter().flat_map(|chunk| chunk.iter()).chain(&self.rest)
    }

    fn chunks(&self) -> &[Arc<[T]>] {
        self.full.as_ref().map_or(&[], |chunks| chunks.as_slice())
    }
}

impl<T: Clone> FromIterator<T> for Row<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let mut row = Self::default();
        loop {
            let chunk = items.by_ref().take(CHUNK);
            row.rest = Vec::with_capacity((chunk.size_hint().0 + SPARE).min(CHUNK));
            row.rest.extend(chunk);
            if row.rest.len() < CHUNK {
                return row;
            }
            row.close_chunk();
        }
    }
}

impl<T: Clone + PartialEq> PartialEq for Row<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Clone + Eq> Eq for Row<T> {}

impl<T: Clone + Serialize> Serialize for Row<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, T: Clone + Deserialize<'de>> Deserialize<'de> for Row<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_what_was_put_in_and_a_copy_stays_what_it_was() {
        let mut row = Row::default();
        let mut plain = Vec::new();
        let mut copies = Vec::new();
        for n in 0..1_500_usize {
            if n % 97 == 0 {
                copies.push((row.clone(), plain.clone()));
            }
            row.push(n);
            plain.push(n);
            if n % 11 == 0 {
                row.set(n / 3, n + 10_000);
                plain[n / 3] = n + 10_000;
            }
            assert_eq!((row.len(), row.last(), row.get(n / 2)), (plain.len(), plain.last(), plain.get(n / 2)));
        }
        row.set(1_500, 0);
        copies.push((row.clone(), plain));
        for (row, plain) in copies {
            assert!(row.iter().eq(&plain) && row.iter().rev().eq(plain.iter().rev()));
            assert_eq!((row.get(plain.len()), row.is_empty()), (None, plain.is_empty()));
            let text = serde_json::to_string(&row).unwrap();
            assert_eq!(text, serde_json::to_string(&plain).unwrap());
            assert_eq!(serde_json::from_str::<Row<usize>>(&text).unwrap(), row);
        }
    }
}
