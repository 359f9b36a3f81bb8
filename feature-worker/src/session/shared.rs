//! What many sessions have in common, and hold one copy of.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::LocalKey;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::terms::Terms;
use super::told::Rules;

/// So many copies a thread remembers: what games differ in is seldom more.
const MOST: usize = 64;

/// The latest copies, the newest last.
type Copies<T> = LocalKey<RefCell<Vec<Arc<T>>>>;

thread_local! {
    static TERMS: RefCell<Vec<Arc<Terms>>> = const { RefCell::new(Vec::new()) };
    static RULES: RefCell<Vec<Arc<Rules>>> = const { RefCell::new(Vec::new()) };
    static UNKNOWN: Arc<Terms> = Arc::default();
}

/// What sessions share.
pub(super) trait Shared: Sized {
    /// The same in the copy that others hold, as a rule.
    fn share(self) -> Arc<Self>;
}

impl Shared for Terms {
    fn share(self) -> Arc<Self> {
        copy_of(self, &TERMS)
    }
}

impl Shared for Rules {
    fn share(self) -> Arc<Self> {
        copy_of(self, &RULES)
    }
}

fn copy_of<T: PartialEq>(item: T, copies: &'static Copies<T>) -> Arc<T> {
    copies.with_borrow_mut(|copies| {
        if let Some(copy) = copies.iter().rev().find(|copy| ***copy == item) {
            return Arc::clone(copy);
        }
        if copies.len() == MOST {
            copies.remove(0);
        }
        let copy = Arc::new(item);
        copies.push(Arc::clone(&copy));
        copy
    })
}

/// Terms: written for people only. A session at rest holds them beside its bytes.
pub(super) mod terms {
    use super::{Arc, Deserialize, Deserializer, Serialize, Serializer, Shared, Terms, UNKNOWN};

    pub(crate) fn serialize<S: Serializer>(terms: &Arc<Terms>, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { terms.serialize(serializer) } else { serializer.serialize_unit() }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Terms>, D::Error> {
        if deserializer.is_human_readable() {
            return Terms::deserialize(deserializer).map(Shared::share);
        }
        <()>::deserialize(deserializer).map(|()| UNKNOWN.with(Arc::clone))
    }
}

/// Rules, in the same way.
pub(super) mod rules {
    use super::{Arc, Deserialize, Deserializer, Rules, Serialize, Serializer, Shared};

    #[expect(clippy::ref_option, reason = "serde asks so")]
    pub(crate) fn serialize<S: Serializer>(rules: &Option<Arc<Rules>>, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { rules.serialize(serializer) } else { serializer.serialize_unit() }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<Rules>>, D::Error> {
        if deserializer.is_human_readable() {
            return Ok(Option::<Rules>::deserialize(deserializer)?.map(Shared::share));
        }
        <()>::deserialize(deserializer).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_is_one_copy_and_what_is_not_is_not() {
        let rules = |number: i64| Rules { idle_ms: number, ..Rules::default() }.share();
        let first = rules(1);
        assert!(Arc::ptr_eq(&first, &rules(1)));
        for number in 0..200 {
            assert_eq!(rules(number).idle_ms, number);
        }
        RULES.with_borrow(|copies| assert_eq!(copies.len(), MOST));
    }
}
