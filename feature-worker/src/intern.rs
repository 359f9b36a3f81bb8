//! One copy of texts that many sessions hold: a game's task ids are the same in all of them.

use std::cell::RefCell;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

/// Texts that a thread remembers; a text of another hash takes the place of the one before.
const PLACES: usize = 4_096;

thread_local! {
    static TEXTS: RefCell<Vec<Option<Arc<str>>>> = RefCell::new(vec![None; PLACES]);
}

/// A text, and its hash; the same copy for who asked before on this thread, as a rule.
#[expect(clippy::cast_possible_truncation, reason = "a part of a hash is one, too")]
pub(crate) fn intern(text: &str) -> (Arc<str>, u64) {
    let hash = xxh3_64(text.as_bytes());
    let kept = TEXTS.with_borrow_mut(|texts| {
        // Of two bytes any may be one place of so many.
        let place = &mut texts[usize::from(hash as u16) % PLACES];
        match place {
            Some(kept) if **kept == *text => Arc::clone(kept),
            place => Arc::clone(place.insert(text.into())),
        }
    });
    (kept, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_was_and_twice_as_one_copy() {
        for number in 0..20_000 {
            let text = format!("task {number}");
            let ((first, hash), (second, again)) = (intern(&text), intern(&text));
            assert_eq!((&*first, hash), (&*text, again));
            assert!(Arc::ptr_eq(&first, &second));
        }
    }
}
