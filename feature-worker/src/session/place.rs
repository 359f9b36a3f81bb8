//! Finds the place of an event within its session, and folds what has its turn.

use schemas::Event;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Raw;

use super::buffer::Waiting;
use super::judge::{Arrival, Verdict, held, kept_whole};
use super::prefix::Place;
use super::tag::Tag;
use super::told::{Context, Unreadable, reread};
use super::{Order, Session};

/// Where an event under a seq goes.
pub(super) enum Spot {
    /// Straight into the fold.
    Next,
    /// Behind a gap.
    Behind,
    /// Where the fold has passed.
    Passed,
}

impl Session {
    pub(super) fn by_seq(
        &mut self,
        seq: u64,
        event: &Event<'_>,
        raw: Raw<'_>,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
    ) -> Result<Verdict, Unreadable> {
        let tag = Tag::of(event.event_id);
        match self.spot(seq, tag, arrival) {
            Err(verdict) => return Ok(verdict),
            Ok(Spot::Passed) => {
                self.fill(seq, kept_whole(event, raw, arrival));
                return Ok(Verdict::Held);
            }
            Ok(Spot::Next) => {
                self.fold(event, context);
                self.prefix.pass(tag, self.terms.events);
                self.advance(context)?;
            }
            Ok(Spot::Behind) if self.is_reopening() => {
                self.await_readback(seq, kept_whole(event, raw, arrival));
                return Ok(Verdict::Held);
            }
            Ok(Spot::Behind) => self.wait(seq, Waiting::Event(held(event, raw, arrival).into()), context)?,
        }
        Ok(Verdict::Applied)
    }

    pub(super) fn spot(&self, seq: u64, tag: Tag, arrival: &Arrival<'_>) -> Result<Spot, Verdict> {
        let conflict = Verdict::SetAside(Reason::SeqConflict);
        let same = |there: Tag| if there.matches(tag) { Verdict::Repeat } else { conflict };
        match self.prefix.at(seq) {
            Place::Event(there) => return Err(same(there)),
            Place::Forgotten => return Err(Verdict::Repeat),
            Place::Hole if !self.is_outgrown() => return Ok(Spot::Passed),
            Place::Skipped if arrival.redriven && !self.is_outgrown() => return Ok(Spot::Passed),
            Place::Hole | Place::Skipped | Place::Lost => return Err(Verdict::SetAside(Reason::Late)),
            Place::Ahead => {}
        }
        if let Some(there) = self.readback.as_ref().and_then(|readback| readback.under(seq)) {
            return Err(same(there));
        }
        match self.buffer.get(seq) {
            Some(Waiting::Event(there)) => return Err(same(there.tag())),
            None if self.is_beyond(seq, arrival) => return Err(Verdict::SetAside(Reason::Late)),
            // A refused event's place is its own, whenever it comes.
            Some(Waiting::Hole) | None => {}
        }
        Ok(if seq == self.prefix.next() && self.readback.is_none() { Spot::Next } else { Spot::Behind })
    }

    /// An event of a session without seq: its place is the next one.
    pub(super) fn by_log(
        &mut self,
        event: &Event<'_>,
        raw: Raw<'_>,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
    ) -> Verdict {
        if self.ids.contains(event.event_id) {
            return Verdict::Repeat;
        }
        if self.is_shut(arrival) {
            return Verdict::SetAside(Reason::Late);
        }
        if self.is_reopening() {
            self.ids.insert(event.event_id, self.terms.events);
            let place = arrival.offset.unsigned_abs();
            self.await_readback(place, kept_whole(event, raw, arrival));
            return Verdict::Held;
        }
        self.by_log_applied(event, arrival, context);
        Verdict::Applied
    }

    /// Takes in an event without seq that is no repeat.
    pub(super) fn by_log_applied(&mut self, event: &Event<'_>, arrival: &Arrival<'_>, context: &Context<'_>) {
        self.ids.insert(event.event_id, self.terms.events);
        if self.ids.is_worn() {
            // It is for reading the session back.
            self.sent_again.clear();
        } else if arrival.redriven {
            self.sent_again.insert(arrival.offset);
        }
        self.fold(event, context);
    }

    /// Folds the next event of the record.
    pub(super) fn fold(&mut self, event: &Event<'_>, context: &Context<'_>) {
        if let Some(owner) = &self.owner {
            self.told.apply(event, &owner.game, self.terms.fold, context);
        }
    }

    /// Folds what has waited for its turn, and passes a gap when too much waits behind it.
    pub(super) fn advance(&mut self, context: &Context<'_>) -> Result<(), Unreadable> {
        let Some(owner) = &self.owner else {
            self.pass_holes();
            return Ok(());
        };
        if self.order != Order::Seq || self.readback.is_some() {
            return Ok(());
        }
        loop {
            while let Some(waiting) = self.buffer.take(self.prefix.next()) {
                match waiting {
                    Waiting::Hole => self.prefix.pass(Tag::HOLE, self.terms.events),
                    Waiting::Event(held) => {
                        self.told.apply(&reread(&held.raw)?, &owner.game, self.terms.fold, context);
                        self.prefix.pass(held.tag(), self.terms.events);
                    }
                }
            }
            match self.buffer.first() {
                Some(first) if self.is_crowded() => self.prefix.skip_to(first),
                _ => return Ok(()),
            }
        }
    }

    pub(super) fn wait(&mut self, seq: u64, waiting: Waiting, context: &Context<'_>) -> Result<(), Unreadable> {
        self.buffer.insert(seq, waiting);
        self.advance(context)
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.buffer.exceeds(self.terms.buffer_events, self.terms.buffer_bytes)
    }
}
