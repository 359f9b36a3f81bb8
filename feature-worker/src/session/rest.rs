//! A session at rest: in one block of memory, until something comes of it.

use std::cell::RefCell;
use std::sync::Arc;

use super::told::Rules;
use super::{Session, Terms};
use crate::compact;

/// Most places that a session at rest may remember, counted in tags. What has more is not worth packing: it would take
/// longer than a copy that shares what has not changed.
const MOST_PLACES: usize = 1_024;
/// Most of its tasks, pieces of evidence and events that wait.
const MOST_PARTS: usize = 64;
/// Most bytes of those events.
const MOST_WAITING_BYTES: usize = 8 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A session at rest.
#[derive(Clone, Debug)]
pub struct Rest {
    /// All but what follows.
    bytes: Box<[u8]>,
    terms: Arc<Terms>,
    rules: Option<Arc<Rules>>,
    pace: Pace,
    waiting: (u32, u32),
}

/// When a session is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// By log time, in ms: when it is closed or evicted.
    pub deadline: i64,
    /// By log time, in ms: when its next revision is due, if one is.
    pub report_due: Option<i64>,
    /// Whether it waits for the log to be read back.
    pub reads: bool,
    /// Whether it may be shown as one that runs.
    pub runs: bool,
    /// Whether a snapshot of it is still to be taken away.
    pub lingers: bool,
}

impl Session {
    /// When it is to be looked at again.
    pub fn pace(&self) -> Pace {
        let is_closed = self.is_closed();
        Pace {
            deadline: self.deadline(),
            report_due: self.report_due(),
            reads: self.readback.is_some(),
            runs: !is_closed && self.owner.is_some(),
            lingers: is_closed && self.reported.live,
        }
    }

    /// Events and holes that wait behind a gap, and the events' bytes.
    pub fn waiting(&self) -> (usize, usize) {
        (self.buffer.len(), self.buffer.bytes())
    }

    /// Whether it may be put to rest: it is small, and asks nothing of the log.
    fn is_light(&self) -> bool {
        let closes = self.early.len() + self.closes.len() + self.ends.len() + self.sent_again.len();
        self.readback.is_none()
            && self.prefix.cost() + self.ids.len() <= MOST_PLACES
            && self.told.parts() + self.buffer.len() + closes <= MOST_PARTS
            && self.buffer.bytes() <= MOST_WAITING_BYTES
    }
}

impl Rest {
    /// Puts a session to rest, if it may be.
    pub fn of(session: &Session) -> Option<Self> {
        if !session.is_light() {
            return None;
        }
        let bytes = SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            compact::to_bytes(session, scratch).ok().map(|()| scratch.as_slice().into())
        })?;
        let (events, bytes_waiting) = session.waiting();
        let waiting = (u32::try_from(events).ok()?, u32::try_from(bytes_waiting).ok()?);
        let (terms, rules) = (Arc::clone(&session.terms), session.told.rules.clone());
        let rest = Self { bytes, terms, rules, pace: session.pace(), waiting };
        #[cfg(test)]
        rest.check(session);
        Some(rest)
    }

    /// The session.
    ///
    /// # Panics
    /// Never: these are the bytes of a session that this process has written.
    pub fn session(&self) -> Box<Session> {
        #[expect(clippy::expect_used, reason = "what was packed is read by the same code in the same process")]
        let mut session: Box<Session> = Box::new(compact::from_bytes(&self.bytes).expect("a session that was packed"));
        session.terms = Arc::clone(&self.terms);
        session.told.rules.clone_from(&self.rules);
        session
    }

    /// When it is to be looked at again.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Events and holes that wait behind a gap, and the events' bytes.
    pub fn waiting(&self) -> (usize, usize) {
        (self.waiting.0 as usize, self.waiting.1 as usize)
    }

    /// What was packed is what was there, as far as a state tells: one in sixteen is looked at.
    #[cfg(test)]
    fn check(&self, session: &Session) {
        if session.trail.last_offset % 16 != 0 {
            return;
        }
        let read = self.session();
        assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(session).unwrap());
        assert_eq!((read.pace(), read.waiting()), (session.pace(), session.waiting()));
    }
}
