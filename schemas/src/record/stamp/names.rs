//! Names that come again and again, judged and allocated once.

use std::collections::HashSet;
use std::hash::Hash;

use crate::id::{Game, Tenant};

/// So many of each are remembered; more are forgotten all at once.
const MOST: usize = 4_096;

/// The tenants and games that a reader has met.
#[derive(Debug, Default)]
pub struct Names {
    tenants: Met<Tenant>,
    games: Met<Game>,
}

impl Names {
    /// A tenant of that name; none where it is no tenant's.
    pub(super) fn tenant(&mut self, name: &str) -> Option<Tenant> {
        self.tenants.get(name, || Tenant::parse(name).ok())
    }

    /// A game of that name; none where it is no game's.
    pub(super) fn game(&mut self, name: &str) -> Option<Game> {
        self.games.get(name, || Game::parse(name).ok())
    }
}

#[derive(Debug)]
struct Met<T> {
    /// Mostly the next one, too.
    last: Option<T>,
    all: HashSet<T>,
}

impl<T> Default for Met<T> {
    fn default() -> Self {
        Self { last: None, all: HashSet::new() }
    }
}

impl<T: Clone + Eq + Hash + std::borrow::Borrow<str>> Met<T> {
    fn get(&mut self, name: &str, parse: impl FnOnce() -> Option<T>) -> Option<T> {
        if let Some(last) = self.last.as_ref().filter(|last| (*last).borrow() == name) {
            return Some(last.clone());
        }
        let found = if let Some(found) = self.all.get(name) {
            found.clone()
        } else {
            let fresh = parse()?;
            if self.all.len() >= MOST {
                self.all.clear();
            }
            self.all.insert(fresh.clone());
            fresh
        };
        self.last = Some(found.clone());
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_judged_once_and_kept_within_bounds() {
        let mut names = Names::default();
        let first = names.tenant("acme").unwrap();
        assert_eq!(names.tenant("other").unwrap().as_str(), "other");
        assert!(std::ptr::eq(first.as_str(), names.tenant("acme").unwrap().as_str()));
        assert!(names.tenant("Acme").is_none() && names.game("a game").is_none());
        assert_eq!(names.game("quest@test").unwrap().as_str(), "quest@test");
        for number in 0..2 * MOST {
            assert_eq!(names.tenant(&format!("t-{number}")).unwrap().as_str(), format!("t-{number}"));
        }
        assert!(names.tenants.all.len() <= MOST);
    }
}
