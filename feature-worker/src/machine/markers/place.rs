//! Where an entry lies.

/// A chunk's size in bytes, as a power of two.
const CHUNK_BITS: u32 = 12;
/// A chunk's size, in bytes: small enough to be gone through for each marker whose time has come.
pub(super) const CHUNK: usize = 1 << CHUNK_BITS;

/// A chunk, and the place in it: five bytes reach further than any memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place([u8; 5]);

impl Place {
    pub(super) fn new(chunk: usize, at: usize) -> Self {
        let number = (chunk << CHUNK_BITS | at).to_le_bytes();
        let mut place = [0; 5];
        place.copy_from_slice(&number[..5]);
        Self(place)
    }

    pub(super) fn chunk(self) -> usize {
        self.number() >> CHUNK_BITS
    }

    pub(super) fn at(self) -> usize {
        self.number() & (CHUNK - 1)
    }

    fn number(self) -> usize {
        let mut number = [0; size_of::<usize>()];
        number[..5].copy_from_slice(&self.0);
        usize::from_le_bytes(number)
    }
}
