//! Liveness and readiness of a process, told by its parts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A part whose loop has not turned for so long counts as hung.
const HUNG_AFTER: Duration = Duration::from_secs(30);

/// What the parts of a process have said of themselves. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    inner: Arc<Mutex<State>>,
    hung_after: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self::hung_after(HUNG_AFTER)
    }
}

#[derive(Debug, Default)]
struct State {
    draining: bool,
    parts: BTreeMap<&'static str, Part>,
}

#[derive(Debug)]
struct Part {
    /// Why the part is not ready; none when it is.
    waiting: Option<String>,
    /// When its loop last turned; none for a part that has no loop.
    beat: Option<Instant>,
}

/// One part's handle on its own line in [`Health`].
#[derive(Clone, Debug)]
pub struct Component {
    name: &'static str,
    health: Health,
}

/// What a process answers when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the answer is yes.
    pub ok: bool,
    /// One line a part: its name, and `ok` or what is wrong.
    pub parts: Vec<(&'static str, String)>,
}

impl Health {
    /// Health without parts: alive and ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same where a part counts as hung after another time than 30 s.
    pub fn hung_after(time: Duration) -> Self {
        Self { inner: Arc::default(), hung_after: time }
    }

    /// Adds a part, not ready as yet.
    pub fn component(&self, name: &'static str) -> Component {
        self.lock().parts.insert(name, Part { waiting: Some("starting".into()), beat: None });
        Component { name, health: self.clone() }
    }

    /// Says that the process drains: it stays alive and is ready no more.
    pub fn draining(&self) {
        self.lock().draining = true;
    }

    /// Whether every part is ready and the process does not drain.
    pub fn readiness(&self) -> Verdict {
        let state = self.lock();
        let mut parts: Vec<_> = state
            .parts
            .iter()
            .map(|(name, part)| (*name, part.waiting.clone().unwrap_or_else(|| "ok".into())))
            .collect();
        if state.draining {
            parts.push(("process", "draining".into()));
        }
        let ok = !state.draining && state.parts.values().all(|part| part.waiting.is_none());
        Verdict { ok, parts }
    }

    /// Whether every loop turns.
    pub fn liveness(&self) -> Verdict {
        let state = self.lock();
        let hung = |part: &Part| part.beat.map(|beat| beat.elapsed()).filter(|age| *age > self.hung_after);
        let parts = state
            .parts
            .iter()
            .map(|(name, part)| {
                let word =
                    hung(part).map_or_else(|| "ok".into(), |age| format!("has not turned for {} s", age.as_secs()));
                (*name, word)
            })
            .collect();
        Verdict { ok: state.parts.values().all(|part| hung(part).is_none()), parts }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held left a plain value behind: still sound.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut Part)) {
        if let Some(part) = self.lock().parts.get_mut(name) {
            change(part);
        }
    }
}

impl Component {
    /// Says that this part is ready.
    pub fn ready(&self) {
        self.health.change(self.name, |part| part.waiting = None);
    }

    /// Says that this part is not ready, and why.
    pub fn not_ready(&self, why: impl Into<String>) {
        let why = why.into();
        self.health.change(self.name, |part| part.waiting = Some(why));
    }

    /// Says that this part's loop turns. A part that has beaten once must go on, or counts as hung.
    pub fn beat(&self) {
        self.health.change(self.name, |part| part.beat = Some(Instant::now()));
    }
}
