//! Whether a name stands twice in an object: few names are compared one by one, many are sorted at the end.

use super::string::Span;
use super::walk::Name;

/// So many names of an object are compared one by one.
const FEW: usize = 16;

/// The names of all objects that are open.
pub(super) struct Keys(Vec<Key>);

#[derive(Clone, Copy)]
struct Key {
    /// Tells most names apart, escapes resolved; equal tags say nothing. At first the name's hash, which is at hand.
    tag: u64,
    name: Span,
}

impl Keys {
    /// Of no object yet.
    pub(super) fn new() -> Self {
        // Room for what most events have.
        Self(Vec::with_capacity(2 * FEW))
    }

    /// Begins an object; what comes back marks its first name.
    pub(super) fn open(&self) -> usize {
        self.0.len()
    }

    /// Notes a name of the innermost object; true if it is known there already. Names beyond the first few
    /// are judged at the end.
    pub(super) fn note(&mut self, name: Name, mark: usize, text: &str) -> bool {
        let key = Key { tag: name.hash, name: name.span };
        let known = &self.0[mark..];
        let twin = |other: &Key| other.tag == key.tag && other.name.bytes(text) == key.name.bytes(text);
        let doubled = known.len() < FEW && known.iter().any(twin);
        self.0.push(key);
        doubled
    }

    /// Ends the innermost object; gives a name that stands in it twice, if it has many.
    pub(super) fn close(&mut self, mark: usize, text: &str) -> Option<Span> {
        let doubled = if self.0.len() - mark > FEW { doubled(&mut self.0[mark..], text) } else { None };
        self.0.truncate(mark);
        doubled
    }
}

/// The first name that stands twice, in the order of their tags.
fn doubled(names: &mut [Key], text: &str) -> Option<Span> {
    for key in &mut *names {
        key.tag = tag(&key.name.bytes(text));
    }
    let order = |left: &Key, right: &Key| {
        left.tag.cmp(&right.tag).then_with(|| left.name.bytes(text).cmp(&right.name.bytes(text)))
    };
    names.sort_unstable_by(order);
    let twins = names.windows(2).find(|pair| order(&pair[0], &pair[1]).is_eq());
    twins.map(|pair| if pair[0].name.from > pair[1].name.from { pair[0].name } else { pair[1].name })
}

/// The first and the last eight bytes and the length. Not the hash: which of several doubled names a client is told
/// of hangs on it.
fn tag(name: &[u8]) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let ends = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => word(name),
    };
    // An odd factor spreads the length over the word.
    ends ^ (name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
