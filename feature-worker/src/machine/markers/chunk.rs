//! A few dozen entries side by side.

use super::pack::{self, Base, Entry};
use super::place::CHUNK;

/// Bytes that a chunk begins with: few markers are to take little room.
const FIRST_BYTES: usize = 256;

/// Entries side by side.
#[derive(Debug)]
pub(super) struct Chunk {
    base: Base,
    bytes: Vec<u8>,
    alive: usize,
    /// Bytes of entries that were taken out.
    gaps: usize,
    /// Log time at which the first of its sessions went, or an earlier one.
    earliest: i64,
}

impl Chunk {
    pub(super) fn new(base: Base) -> Self {
        Self { base, bytes: Vec::new(), alive: 0, gaps: 0, earliest: i64::MAX }
    }

    pub(super) fn base(&self) -> Base {
        self.base
    }

    /// Whether an entry of so many bytes fits.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes <= CHUNK
    }

    /// Adds the entry of a session that went at `time`; answers with where it lies.
    pub(super) fn push(&mut self, entry: &[u8], time: i64) -> usize {
        let at = self.bytes.len();
        let needed = at + entry.len();
        if self.bytes.capacity() < needed {
            let capacity = (self.bytes.capacity() * 2).clamp(FIRST_BYTES, CHUNK).max(needed);
            self.bytes.reserve_exact(capacity - at);
        }
        self.bytes.extend_from_slice(entry);
        self.alive += 1;
        self.earliest = self.earliest.min(time);
        at
    }

    pub(super) fn entry(&self, at: usize) -> Entry<'_> {
        Entry::at(&self.bytes, at)
    }

    /// Takes an entry out; answers with its bytes.
    pub(super) fn kill(&mut self, at: usize) -> usize {
        pack::kill(&mut self.bytes, at);
        let bytes = self.entry(at).len();
        self.alive -= 1;
        self.gaps += bytes;
        bytes
    }

    /// Where its entries lie.
    pub(super) fn alive(&self) -> impl Iterator<Item = usize> {
        let mut next = 0;
        let all = std::iter::from_fn(move || {
            let at = next;
            let entry = (at < self.bytes.len()).then(|| self.entry(at))?;
            next += entry.len();
            Some((at, entry))
        });
        all.filter(|(_, entry)| !entry.is_dead()).map(|(at, _)| at)
    }

    /// The entry whose session went first, and when.
    pub(super) fn first(&self) -> Option<(usize, i64)> {
        let times = self.alive().map(|at| (at, self.entry(at).last_log_time(self.base)));
        times.min_by_key(|(_, time)| *time)
    }

    pub(super) fn earliest(&self) -> i64 {
        self.earliest
    }

    pub(super) fn set_earliest(&mut self, earliest: i64) {
        self.earliest = earliest;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.alive == 0
    }

    pub(super) fn is_mostly_gaps(&self) -> bool {
        2 * self.gaps >= self.bytes.len()
    }

    /// Bytes of entries and gaps.
    pub(super) fn written(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn gaps(&self) -> usize {
        self.gaps
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity()
    }
}
