//! Whether a name stands twice in an object: few names are compared one by one, many are sorted at the end.

use xxhash_rust::xxh3::xxh3_64;

use super::string::{Span, unescape};

/// So many names of an object are compared one by one.
const FEW: usize = 16;

/// The names of all objects that are open.
#[derive(Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Clone, Copy)]
struct Key {
    /// Hash of the name, escapes resolved.
    tag: u64,
    name: Span,
}

impl Keys {
    /// Begins an object; what comes back marks its first name.
    pub(super) fn open(&self) -> usize {
        self.0.len()
    }

    /// Notes a name of the innermost object; true if it is known there already. Names beyond the first few
    /// are judged at the end.
    pub(super) fn note(&mut self, name: Span, mark: usize, text: &str) -> bool {
        let key = Key { tag: xxh3_64(resolve(name, text).as_bytes()), name };
        let known = &self.0[mark..];
        let doubled = known.len() < FEW && known.iter().any(|other| same(*other, key, text));
        self.0.push(key);
        doubled
    }

    /// Ends the innermost object; gives a name that stands in it twice, if it has many.
    pub(super) fn close(&mut self, mark: usize, text: &str) -> Option<Span> {
        let names = &mut self.0[mark..];
        let mut doubled = None;
        if names.len() > FEW {
            names.sort_unstable_by_key(|key| (key.tag, key.name.from));
            doubled = names.windows(2).find(|pair| same(pair[0], pair[1], text)).map(|pair| pair[1].name);
        }
        self.0.truncate(mark);
        doubled
    }
}

fn same(left: Key, right: Key, text: &str) -> bool {
    left.tag == right.tag && resolve(left.name, text) == resolve(right.name, text)
}

fn resolve(name: Span, text: &str) -> std::borrow::Cow<'_, str> {
    unescape(&text[name.from..name.to], name.escaped)
}
