//! What is kept of evicted sessions: entries of some sixty bytes, for 32 days.
//!
//! Entries lie in small chunks in the order in which they came, which is nearly that in which they go. A
//! chunk knows when the first of its entries goes, so only chunks stand in line, and is given back with
//! the last of them. An entry that is taken out earlier leaves a gap; where gaps are many, the others
//! move on.

mod aside;
mod chunk;
mod index;
mod names;
mod pack;
mod place;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use aside::Aside;
use chunk::Chunk;
use index::Index;
use names::Names;
use pack::{Base, Entry, LONGEST};
use place::{CHUNK, Place};

use crate::session::marker::{MARKER_MS, Marker};
use crate::state::SessionKey;

/// So many bytes of gaps are let be, beside an eighth of all.
const LET_BE: usize = 16 * CHUNK;

/// Markers by session.
#[derive(Debug, Default)]
pub(super) struct Markers {
    index: Index,
    chunks: Vec<Chunk>,
    /// Numbers of chunks that hold nothing.
    free: Vec<usize>,
    /// Where the next entry goes.
    open: Option<usize>,
    /// Chunks by the log time at which the first of their sessions went, or an earlier one.
    by_time: BTreeSet<(i64, usize)>,
    names: Names,
    aside: HashMap<Place, Box<Aside>>,
    len: usize,
    /// Bytes of entries and gaps, and of gaps alone.
    written: usize,
    gaps: usize,
}

impl Markers {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The marker of a session.
    pub(super) fn get(&self, key: &SessionKey) -> Option<Marker> {
        Some(self.read(self.place(key)?))
    }

    /// Whether there is a marker of a session.
    pub(super) fn contains(&self, key: &SessionKey) -> bool {
        self.place(key).is_some()
    }

    /// Keeps a marker; one that was there gives way.
    pub(super) fn insert(&mut self, key: &SessionKey, marker: &Marker) {
        self.remove(key);
        let name = self.names.number(&key.tenant, &marker.owner.game);
        let mut entry = Vec::with_capacity(LONGEST);
        let open = self.open.filter(|number| {
            pack::pack(&mut entry, self.chunks[*number].base(), key.session, name, marker);
            self.chunks[*number].has_room(entry.len())
        });
        let number = open.unwrap_or_else(|| {
            let base = Base::of(marker);
            pack::pack(&mut entry, base, key.session, name, marker);
            self.open_chunk(base)
        });
        let before = self.chunks[number].earliest();
        let place = Place::new(number, self.chunks[number].push(&entry, marker.last_log_time));
        if let Some(aside) = Aside::of(marker) {
            self.aside.insert(place, Box::new(aside));
        }
        let earliest = self.chunks[number].earliest();
        if before != earliest {
            self.by_time.remove(&(before, number));
            self.by_time.insert((earliest, number));
        }
        let chunks = &self.chunks;
        self.index.insert(key.session, place, |place| entry_at(chunks, place).session());
        self.written += entry.len();
        self.len += 1;
    }

    /// Takes a marker out.
    pub(super) fn remove(&mut self, key: &SessionKey) -> Option<Marker> {
        let place = self.place(key)?;
        let marker = self.read(place);
        self.take_out(key, place);
        Some(marker)
    }

    /// A marker whose time has come at `until` of log time, if there is one.
    pub(super) fn due(&mut self, until: i64) -> Option<SessionKey> {
        loop {
            let (known, number) = *self.by_time.first()?;
            if known.saturating_add(MARKER_MS) > until {
                return None;
            }
            let (at, earliest) = self.chunks[number].first()?;
            if earliest == known {
                return Some(self.key_at(Place::new(number, at)));
            }
            // The first has gone already.
            self.chunks[number].set_earliest(earliest);
            self.by_time.remove(&(known, number));
            self.by_time.insert((earliest, number));
        }
    }

    /// Bytes in memory, but for what the allocator adds.
    pub(super) fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(Chunk::bytes).sum();
        let aside: usize = self.aside.values().map(|aside| aside.bytes()).sum();
        let aside_places = self.aside.capacity() * (size_of::<(Place, Box<Aside>)>() + 1);
        // A tree's nodes are half full at least.
        let in_line = self.by_time.len() * size_of::<(i64, usize)>() * 2;
        let spare = (self.chunks.capacity() - self.chunks.len()) * size_of::<Chunk>();
        let free = self.free.capacity() * size_of::<usize>();
        self.index.bytes() + chunks + spare + self.names.bytes() + aside + aside_places + in_line + free
    }

    fn place(&self, key: &SessionKey) -> Option<Place> {
        self.index.find(key.session, |place| {
            let entry = entry_at(&self.chunks, place);
            entry.session() == key.session && self.names.of(entry.name()).0 == key.tenant
        })
    }

    fn key_at(&self, place: Place) -> SessionKey {
        let entry = entry_at(&self.chunks, place);
        SessionKey { tenant: self.names.of(entry.name()).0.clone(), session: entry.session() }
    }

    fn read(&self, place: Place) -> Marker {
        let entry = entry_at(&self.chunks, place);
        let (_, game) = self.names.of(entry.name());
        entry.unpack(self.chunks[place.chunk()].base(), game, self.aside.get(&place).map(|aside| &**aside))
    }

    /// An empty chunk, for what is kept from now on.
    fn open_chunk(&mut self, base: Base) -> usize {
        let number = self.free.pop().unwrap_or(self.chunks.len());
        match self.chunks.get_mut(number) {
            Some(chunk) => *chunk = Chunk::new(base),
            None => self.chunks.push(Chunk::new(base)),
        }
        self.open = Some(number);
        number
    }

    fn take_out(&mut self, key: &SessionKey, place: Place) {
        let number = place.chunk();
        self.index.remove(key.session, place);
        if entry_at(&self.chunks, place).has_aside() {
            self.aside.remove(&place);
        }
        self.gaps += self.chunks[number].kill(place.at());
        self.len -= 1;
        let chunk = &self.chunks[number];
        if chunk.is_empty() {
            self.give_back(number);
        } else if chunk.is_mostly_gaps() && self.gaps > self.written / 8 + LET_BE {
            self.move_on(number);
        }
    }

    /// Gives a chunk back; its entries are lost.
    fn give_back(&mut self, number: usize) {
        let chunk = std::mem::replace(&mut self.chunks[number], Chunk::new(Base::default()));
        self.written -= chunk.written();
        self.gaps -= chunk.gaps();
        self.by_time.remove(&(chunk.earliest(), number));
        self.open = self.open.filter(|open| *open != number);
        self.free.push(number);
    }

    /// Moves what is left in a chunk to others, and gives it back.
    fn move_on(&mut self, number: usize) {
        let places: Vec<Place> = self.chunks[number].alive().map(|at| Place::new(number, at)).collect();
        let left: Vec<(SessionKey, Marker)> =
            places.iter().map(|place| (self.key_at(*place), self.read(*place))).collect();
        for ((key, _), place) in left.iter().zip(places) {
            self.index.remove(key.session, place);
            self.aside.remove(&place);
        }
        self.len -= left.len();
        self.give_back(number);
        for (key, marker) in &left {
            self.insert(key, marker);
        }
    }

    /// All of them, in no order that matters.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<(SessionKey, Marker)> {
        let places = self.chunks.iter().enumerate();
        let places = places.flat_map(|(number, chunk)| chunk.alive().map(move |at| Place::new(number, at)));
        places.map(|place| (self.key_at(place), self.read(place))).collect()
    }
}

fn entry_at(chunks: &[Chunk], place: Place) -> Entry<'_> {
    chunks[place.chunk()].entry(place.at())
}
