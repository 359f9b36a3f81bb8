//! Time: gaps between events, each paused, idle or active as a whole.

use serde::{Deserialize, Serialize};

/// What an event does to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Ends no gap, unless the session begins or ends with it.
    Heartbeat,
    /// The session is paused.
    Pause,
    /// The session goes on.
    Resume,
    /// The player looks elsewhere.
    FocusLost,
    /// The player looks back.
    FocusGained,
    /// The player acts: who acts is back, whether or not the client said so.
    Action,
    /// Ends a gap and no more.
    Other,
}

/// Sums of a session's gaps, in ms of the client's clock, which is held where it steps back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Time {
    #[serde(rename = "n")]
    events: u64,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    first: Option<i64>,
    #[serde(rename = "l", default)]
    last: i64,
    /// Time of the last event that ends a gap.
    #[serde(rename = "m", default)]
    mark: i64,
    /// The last event was a heartbeat: the gap from `mark` is open.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    open: bool,
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    out_of_order: u64,
    #[serde(rename = "ap", default, skip_serializing_if = "std::ops::Not::not")]
    paused: bool,
    #[serde(rename = "au", default, skip_serializing_if = "std::ops::Not::not")]
    unfocused: bool,
    #[serde(rename = "a", default)]
    active_ms: i64,
    #[serde(rename = "i", default)]
    idle_ms: i64,
    #[serde(rename = "p", default)]
    paused_ms: i64,
    #[serde(rename = "li", default)]
    longest_idle_ms: i64,
    /// Idle gaps and starts of being away.
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    distractions: u64,
    /// Active time since the last idle gap or start of being away.
    #[serde(rename = "r", default)]
    run_ms: i64,
    #[serde(rename = "lr", default)]
    longest_run_ms: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
pub(super) fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Time {
    /// Takes in an event at `at`; answers with the time that it counts at.
    pub(super) fn apply(&mut self, at: Option<i64>, mark: Mark, idle_ms: i64) -> i64 {
        self.events += 1;
        let Some(first) = self.first else {
            // An untimed close in front of all others takes the time of what follows.
            let Some(at) = at else { return 0 };
            (self.first, self.last, self.mark) = (Some(at), at, at);
            self.turn(mark);
            return at;
        };
        debug_assert!(first <= self.last);
        let at = at.unwrap_or(self.last);
        self.out_of_order += u64::from(at < self.last);
        self.last = self.last.max(at);
        self.open = mark == Mark::Heartbeat;
        if !self.open {
            self.close_gap(idle_ms);
            self.turn(mark);
        }
        self.last
    }

    /// The same with the open gap closed: the session ends with its last event, a heartbeat too.
    pub(super) fn ended(&self, idle_ms: i64) -> Self {
        let mut ended = self.clone();
        if ended.open {
            ended.close_gap(idle_ms);
            ended.open = false;
        }
        ended.longest_run_ms = ended.longest_run_ms.max(ended.run_ms);
        ended
    }

    fn close_gap(&mut self, idle_ms: i64) {
        let length = self.last - self.mark;
        self.mark = self.last;
        if self.away() {
            self.paused_ms += length;
        } else if length > idle_ms {
            self.idle_ms += length;
            self.longest_idle_ms = self.longest_idle_ms.max(length);
            self.distractions += 1;
            self.end_run();
        } else {
            self.active_ms += length;
            self.run_ms += length;
        }
    }

    fn turn(&mut self, mark: Mark) {
        let before = self.away();
        match mark {
            Mark::Pause => self.paused = true,
            Mark::Resume => self.paused = false,
            Mark::FocusLost => self.unfocused = true,
            Mark::FocusGained => self.unfocused = false,
            Mark::Action => (self.paused, self.unfocused) = (false, false),
            Mark::Heartbeat | Mark::Other => {}
        }
        if self.away() && !before {
            self.distractions += 1;
            self.end_run();
        }
    }

    fn end_run(&mut self) {
        self.longest_run_ms = self.longest_run_ms.max(self.run_ms);
        self.run_ms = 0;
    }

    fn away(&self) -> bool {
        self.paused || self.unfocused
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn first(&self) -> Option<i64> {
        self.first
    }

    pub(super) fn last(&self) -> Option<i64> {
        self.first.map(|_| self.last)
    }

    pub(super) fn duration_ms(&self) -> i64 {
        self.last - self.first.unwrap_or(self.last)
    }

    /// Time not away so far, in ms.
    pub(super) fn unpaused_ms(&self) -> i64 {
        self.active_ms + self.idle_ms
    }

    pub(super) fn active_ms(&self) -> i64 {
        self.active_ms
    }

    pub(super) fn idle_ms(&self) -> i64 {
        self.idle_ms
    }

    pub(super) fn paused_ms(&self) -> i64 {
        self.paused_ms
    }

    /// Only of what [`Time::ended`] gives.
    pub(super) fn longest_focus_ms(&self) -> i64 {
        self.longest_run_ms
    }

    pub(super) fn longest_idle_ms(&self) -> i64 {
        self.longest_idle_ms
    }

    pub(super) fn distractions(&self) -> u64 {
        self.distractions
    }

    pub(super) fn out_of_order(&self) -> u64 {
        self.out_of_order
    }
}
