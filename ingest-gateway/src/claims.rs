//! The events that a request has claimed, until it is known whether the log has them.

use std::sync::Arc;

use tokio::sync::watch;

use crate::dedup::{Key, Settled};
use crate::gateway::Gateway;

/// A request's claims. Dropped unsettled, their outcome is unknown: a repeat is safe then, too.
pub struct Claims {
    gateway: Arc<Gateway>,
    keys: Vec<Key>,
    /// Tells those who follow.
    tell: watch::Sender<Option<Settled>>,
}

impl Claims {
    /// No claims yet; `tell` belongs to the flight that they are claimed with.
    pub fn new(gateway: Arc<Gateway>, tell: watch::Sender<Option<Settled>>) -> Self {
        Self { gateway, keys: Vec::new(), tell }
    }

    /// Adds a claim.
    pub fn add(&mut self, key: Key) {
        self.keys.push(key);
    }

    /// Ends all of them.
    pub fn settle(mut self, settled: Settled) {
        self.end(settled);
    }

    fn end(&mut self, settled: Settled) {
        let now_ms = self.gateway.clock.monotonic_ms();
        let mut window = self.gateway.window.lock();
        for key in self.keys.drain(..) {
            window.settle(key, settled, now_ms);
        }
        drop(window);
        self.tell.send_replace(Some(settled));
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            self.end(Settled::Unknown);
        }
    }
}
