//! When a session closes, reports and goes.
//!
//! All times are the log time of its partition, so that a replay judges as the day itself did.

use schemas::data::CloseReason;
use schemas::report::{Kind, Status};

use super::judge::Arrival;
use super::{Cause, Order, Session};

/// Least time between the first two revisions, in ms; it doubles from one to the next.
const FIRST_SPACING_MS: i64 = 1_000;
/// Most time between two revisions, in ms.
const MOST_SPACING_MS: i64 = 60_000;

/// What a deadline that has passed does to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It is closed now.
    Closed,
    /// Grace is over.
    Evicted,
}

impl Session {
    /// Whether it is closed: by an event, a deadline, or as a session of evidence alone.
    pub fn is_closed(&self) -> bool {
        self.closed || self.cause.is_some() || (!self.play && self.has_begun())
    }

    /// Whether an event has told whose session it is, and has its place.
    pub fn has_begun(&self) -> bool {
        self.owner.is_some()
            && (self.prefix.events() > 0
                || !self.ids.is_empty()
                || self.readback.is_some()
                || self.buffer.events().next().is_some())
    }

    /// Play, or evidence alone.
    pub fn kind(&self) -> Kind {
        if self.play { Kind::Play } else { Kind::Evidence }
    }

    /// When something becomes of it if nothing else comes: it closes, or its grace is over.
    pub fn deadline(&self) -> i64 {
        let (terms, trail) = (&self.terms, &self.trail);
        if self.is_closed() {
            let from = self.cause.map_or(trail.last_arrival, |cause| cause.at.max(trail.last_arrival));
            // Else whoever fills a gap now and then would keep it for ever. One that was brought back to
            // life has its cap behind it.
            let from = if self.reopened { from } else { from.min(self.cap()) };
            return from.saturating_add(terms.grace_ms);
        }
        self.cap().min(trail.last_arrival.saturating_add(terms.timeout_ms))
    }

    /// Lets its deadline pass: not while the log is being read back, for what it tells may move it.
    pub fn expire(&mut self) -> Expiry {
        if self.is_closed() {
            return Expiry::Evicted;
        }
        let at = self.deadline();
        let reason = if at >= self.cap() { CloseReason::TooLong } else { CloseReason::Timeout };
        self.cause = Some(Cause { reason, at });
        self.reported.pending = true;
        Expiry::Closed
    }

    /// When it is to be reported, in ms of log time; none where there is nothing to report as yet.
    pub fn report_due(&self) -> Option<i64> {
        let reported = &self.reported;
        if !reported.pending || !self.is_closed() || !self.has_begun() || self.readback.is_some() {
            return None;
        }
        let at_once = reported.revision == 0 || (self.is_settled() && !reported.is_final);
        Some(if at_once { i64::MIN } else { reported.at.saturating_add(spacing_ms(reported.revision)) })
    }

    /// How its next report stands, grace being over or not.
    pub fn status(&self, grace_over: bool) -> Status {
        if grace_over || self.is_settled() { Status::Final } else { Status::Provisional }
    }

    /// Whether no gap is left up to a close that has a seq.
    fn is_settled(&self) -> bool {
        self.order == Order::Seq && self.told.close.is_some() && !self.prefix.has_skipped()
    }

    /// Why it was closed: by its last close in the order of the record, else by a deadline.
    pub fn close_reason(&self, last_close: Option<CloseReason>) -> CloseReason {
        let ran_out = self.cause.map(|cause| cause.reason);
        // Evidence alone needs no close: it is complete as it stands, also where it came after its time-out,
        // which a hole or a close before it had begun.
        let ran_out = ran_out.filter(|reason| self.play || *reason != CloseReason::Timeout);
        last_close.or(ran_out).unwrap_or(CloseReason::Completed)
    }

    /// Whether it takes nothing more but what fills its gaps.
    pub(super) fn is_shut(&self, arrival: &Arrival<'_>) -> bool {
        !arrival.redriven && (arrival.log_time >= self.cap() || self.reopened)
    }

    /// Whether a seq that the fold has not come to is out of its reach: it lies beyond its end.
    pub(super) fn is_beyond(&self, seq: u64, arrival: &Arrival<'_>) -> bool {
        !arrival.redriven && self.end.is_some_and(|end| seq >= end)
    }

    /// Fixes its end when its cap has passed: from then on only gaps below it are filled.
    pub(super) fn cap_reach(&mut self, arrival: &Arrival<'_>) {
        if self.end.is_none() && arrival.log_time >= self.cap() {
            self.end = Some(self.reach());
        }
    }

    fn cap(&self) -> i64 {
        self.trail.first_arrival.saturating_add(self.terms.cap_ms)
    }
}

/// Least time from one revision to the next, in ms.
fn spacing_ms(revision: u64) -> i64 {
    let doublings = u32::try_from(revision.saturating_sub(1)).unwrap_or(u32::MAX).min(6);
    (FIRST_SPACING_MS << doublings).min(MOST_SPACING_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_spaced_from_one_second_to_sixty() {
        let spacings: Vec<_> = (1..10).map(spacing_ms).collect();
        assert_eq!(spacings, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    }
}
