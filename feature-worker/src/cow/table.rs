//! A table whose entries change one by one.

use std::sync::Arc;

/// So many entries are shared at once, and copied when one of them changes.
const CHUNK: usize = 16;

/// A table whose entries change one by one. A copy costs as much as it has chunks; a change copies one of them.
#[derive(Clone, Debug)]
pub struct Table<T>(Vec<Arc<Vec<T>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Table<T> {
    /// The one at a place, to be changed.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.0.get_mut(at / CHUNK).and_then(|chunk| Arc::make_mut(chunk).get_mut(at % CHUNK))
    }

    /// Adds one at the end.
    pub fn push(&mut self, item: T) {
        match self.0.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(item),
            None => self.0.push(Arc::new(vec![item])),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|chunk| chunk.iter())
    }
}

impl<T: Clone> FromIterator<T> for Table<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter().peekable();
        let mut chunks = Vec::new();
        while items.peek().is_some() {
            chunks.push(Arc::new(items.by_ref().take(CHUNK).collect()));
        }
        Self(chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_what_was_put_in_and_a_copy_stays_what_it_was() {
        let (mut table, mut plain, mut copies) = (Table::default(), Vec::new(), Vec::new());
        for n in 0..100_usize {
            if n % 7 == 0 {
                copies.push((table.clone(), plain.clone()));
            }
            table.push(n);
            plain.push(n);
            *table.get_mut(n / 3).unwrap() += 1_000;
            plain[n / 3] += 1_000;
            assert_eq!(table.get_mut(n + 1), None);
        }
        copies.push((table, plain));
        assert!(copies.iter().all(|(table, plain)| table.iter().eq(plain)));
        for (_, mut plain) in copies {
            let mut table: Table<_> = plain.iter().copied().collect();
            table.push(7);
            plain.push(7);
            assert!(table.iter().eq(&plain));
        }
    }
}
