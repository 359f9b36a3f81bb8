//! What few markers have: gaps, holes, what a session was made of. A few ranges fit into an entry.

use std::ops::Range;
use std::sync::Arc;

use crate::session::marker::{Known, Marker};
use crate::varint::{self, Reader};

/// Most bytes of ranges within an entry; an entry without any takes at most 183.
const RANGES_BYTES: usize = 64;

/// What few markers have and no entry has room for.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside {
    pub(super) skipped: Vec<Range<u64>>,
    pub(super) holes: Vec<Range<u64>>,
    pub(super) known: Option<Arc<Known>>,
}

impl Aside {
    /// What an entry has no room for; none of most markers.
    pub(super) fn of(marker: &Marker) -> Option<Self> {
        let Marker { skipped, holes, known, .. } = marker;
        let aside = || Self { skipped: skipped.clone(), holes: holes.clone(), known: known.clone() };
        is_aside(marker, &ranges_of(marker)).then(aside)
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        let ranges = (self.skipped.capacity() + self.holes.capacity()) * size_of::<Range<u64>>();
        size_of::<Self>() + ranges + self.known.as_ref().map_or(0, |known| known.bytes())
    }
}

/// The gaps and holes of a marker, packed; nothing where it has none.
pub(super) fn ranges_of(marker: &Marker) -> Vec<u8> {
    let mut ranges = Vec::new();
    if !marker.skipped.is_empty() || !marker.holes.is_empty() {
        put_ranges(&mut ranges, &marker.skipped);
        put_ranges(&mut ranges, &marker.holes);
    }
    ranges
}

/// Whether something of a marker has to be kept aside.
pub(super) fn is_aside(marker: &Marker, ranges: &[u8]) -> bool {
    marker.known.is_some() || ranges.len() > RANGES_BYTES
}

/// Ranges in order: each by how far it begins from the end of the one before, and its length.
fn put_ranges(out: &mut Vec<u8>, ranges: &[Range<u64>]) {
    varint::put(out, ranges.len() as u64);
    let mut end = 0;
    for range in ranges {
        varint::put(out, range.start.wrapping_sub(end));
        varint::put(out, range.end.wrapping_sub(range.start));
        end = range.end;
    }
}

/// Reads ranges.
pub(super) fn ranges(numbers: &mut Reader<'_>) -> Vec<Range<u64>> {
    let count = numbers.number();
    let mut end: u64 = 0;
    let next = |_| {
        let start = end.wrapping_add(numbers.number());
        end = start.wrapping_add(numbers.number());
        start..end
    };
    (0..count).map(next).collect()
}
