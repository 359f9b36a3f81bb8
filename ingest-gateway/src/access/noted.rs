//! What the handlers of a request learn of it that its line tells.

use std::sync::{Arc, OnceLock};

use schemas::Game;

use crate::credentials::Credential;
use crate::outcomes::Counts;

/// Filled in while a request is handled, each part once.
#[derive(Debug, Default)]
pub struct Noted {
    credential: OnceLock<Arc<Credential>>,
    game: OnceLock<Game>,
    counts: OnceLock<Counts>,
}

impl Noted {
    /// Whose request it is. The first word on each part stands.
    pub fn is_of(&self, credential: &Arc<Credential>) {
        let _ = self.credential.set(Arc::clone(credential));
    }

    /// Which game it is for.
    pub fn is_for(&self, game: &Game) {
        let _ = self.game.set(game.clone());
    }

    /// What became of its events.
    pub fn ended(&self, counts: Counts) {
        let _ = self.counts.set(counts);
    }

    pub(super) fn credential(&self) -> Option<&Credential> {
        self.credential.get().map(|credential| &**credential)
    }

    pub(super) fn game(&self) -> Option<&Game> {
        self.game.get()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.get().copied().unwrap_or_default()
    }
}
