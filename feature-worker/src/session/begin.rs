//! How a session begins: the first event that is no close says whose it is. Closes and holes may come before.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::Event;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Raw;

use super::buffer::{Buffer, Held, Waiting};
use super::close::{MOST_CLOSE_BYTES, MOST_CLOSES};
use super::judge::{Arrival, Judgement, Released, Verdict, held, kept_whole};
use super::prefix::{Place, Prefix};
use super::tag::Tag;
use super::told::{Context, Unreadable, reread};
use super::{Order, Owner, Session};

impl Session {
    /// A close before any event: kept until an event says whose session it is. A stranger's stands in
    /// nobody's way, though it came first, under the same seq and id.
    pub(super) fn early_close(
        &mut self,
        event: &Event<'_>,
        raw: Raw<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Judgement, Unreadable> {
        self.gather_early();
        let mut known = None;
        for (index, held) in self.early.iter().enumerate().filter(|(_, held)| held.id == event.event_id) {
            let there = reread(&held.raw)?;
            if held.game.as_ref() == Some(arrival.game) && there.player_id.as_str() == event.player_id.as_str() {
                known = Some((index, there.seq));
            }
        }
        if let Some((index, seq)) = known {
            self.trail.strays |= seq != event.seq;
            // The body with the lowest seq is the one that stands.
            if event.seq.is_none_or(|new| seq.is_some_and(|old| old <= new)) {
                return Ok(Verdict::Repeat.into());
            }
            let gives_way = self.early.remove(index);
            self.early.push(kept_whole(event, raw, arrival));
            let released = vec![Released { held: gives_way, verdict: Verdict::Repeat }];
            return Ok(Judgement { verdict: Verdict::Held, released });
        }
        let bytes: usize = self.early.iter().map(|held| held.raw.get().len()).sum();
        if self.early.len() >= MOST_CLOSES || bytes >= MOST_CLOSE_BYTES {
            return Ok(Verdict::SetAside(Reason::NoSession).into());
        }
        self.early.push(kept_whole(event, raw, arrival));
        Ok(Verdict::Held.into())
    }

    /// The first event that is no close: whose session it is, and whether its events are counted.
    pub(super) fn first(
        &mut self,
        event: &Event<'_>,
        raw: Raw<'_>,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
    ) -> Result<Judgement, Unreadable> {
        if self.is_shut(arrival) || self.is_lost(event.seq) {
            return Ok(Verdict::SetAside(Reason::Late).into());
        }
        self.gather_early();
        let owner = Owner { game: arrival.game.clone(), player: event.player_id.clone().into_owned() };
        // An event that finds its place taken is none of the session's, and tells nothing of it.
        if event.seq.is_some() && owner.has_closed_under(event.seq, &self.early)? {
            return Ok(Verdict::SetAside(Reason::SeqConflict).into());
        }
        let early = std::mem::take(&mut self.early);
        let (mut closes, mut released) = owner.take_up(early)?;
        if event.seq.is_some() {
            closes = self.without_lost(closes, &mut released)?;
        }
        self.closed = !closes.is_empty();
        self.owner = Some(owner.into());
        match event.seq {
            Some(seq) => self.begin_by_seq((seq, event, raw), closes, arrival, context, &mut released)?,
            None => self.begin_by_log(event, arrival, closes, context, &mut released)?,
        }
        released.sort_by_key(|released| released.held.offset);
        Ok(Judgement { verdict: Verdict::Applied, released })
    }

    /// Every event to its place; nothing has been folded as yet, so holes that were passed are no bar.
    fn begin_by_seq(
        &mut self,
        (seq, event, raw): (u64, &Event<'_>, Raw<'_>),
        closes: Vec<Held>,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
        released: &mut Vec<Released>,
    ) -> Result<(), Unreadable> {
        self.order = Order::Seq;
        if closes.is_empty() && seq == self.prefix.next() {
            self.buffer.take(seq);
            self.fold(event, context);
            self.prefix.pass(Tag::of(event.event_id), self.terms.events);
            return self.advance(context);
        }
        let mut placed = BTreeMap::from([(seq, held(event, raw, arrival))]);
        for close in closes {
            let verdict = match reread(&close.raw)?.seq {
                Some(seq) if placed.contains_key(&seq) => Verdict::SetAside(Reason::SeqConflict),
                Some(seq) => {
                    self.stands_at(close.id, seq);
                    placed.insert(seq, close.known());
                    Verdict::Applied
                }
                None => {
                    self.closes.insert(close.id, close.known());
                    Verdict::Applied
                }
            };
            self.trail.strays |= verdict != Verdict::Applied;
            released.push(Released { held: close, verdict });
        }
        for (seq, held) in placed {
            if seq < self.prefix.next() {
                self.fold(&reread(&held.raw)?, context);
                self.prefix.fill(seq, held.tag());
            } else {
                self.buffer.insert(seq, Waiting::Event(held.into()));
            }
        }
        self.advance(context)
    }

    /// Closes with a seq stand where they came, before the first event; holes are nothing.
    fn begin_by_log(
        &mut self,
        event: &Event<'_>,
        arrival: &Arrival<'_>,
        closes: Vec<Held>,
        context: &Context<'_>,
        released: &mut Vec<Released>,
    ) -> Result<(), Unreadable> {
        self.order = Order::Log;
        self.prefix = Prefix::default();
        self.buffer = Buffer::default();
        for close in closes {
            let told = reread(&close.raw)?;
            if told.seq.is_some() {
                self.ids.insert(close.id, self.terms.events);
                self.fold(&told, context);
            } else {
                self.closes.insert(close.id, close.known());
            }
            released.push(Released { held: close, verdict: Verdict::Applied });
        }
        self.by_log_applied(event, arrival, context);
        Ok(())
    }

    /// Takes out the closes that no event has claimed.
    pub fn take_early(&mut self) -> Vec<Held> {
        self.gather_early();
        std::mem::take(&mut self.early)
    }

    /// The release before kept early closes by seq and id.
    fn gather_early(&mut self) {
        if self.closes.is_empty() && self.buffer.events().next().is_none() {
            return;
        }
        for (seq, waiting) in self.buffer.drain() {
            match waiting {
                Waiting::Event(held) => self.early.push(Arc::unwrap_or_clone(held)),
                Waiting::Hole => self.buffer.insert(seq, waiting),
            }
        }
        self.early.extend(std::mem::take(&mut self.closes).into_values());
        self.early.sort_by_key(|held| held.offset);
    }

    /// Passes holes in line; there is no event as yet.
    pub(super) fn pass_holes(&mut self) {
        while let Some(Waiting::Hole) = self.buffer.get(self.prefix.next()) {
            self.buffer.take(self.prefix.next());
            self.prefix.pass(Tag::HOLE, self.terms.events);
        }
    }

    /// Those of the closes for which there is a place; the others are late.
    fn without_lost(&mut self, closes: Vec<Held>, released: &mut Vec<Released>) -> Result<Vec<Held>, Unreadable> {
        let mut placed = Vec::new();
        for held in closes {
            if self.is_lost(reread(&held.raw)?.seq) {
                self.trail.strays = true;
                released.push(Released { held, verdict: Verdict::SetAside(Reason::Late) });
            } else {
                placed.push(held);
            }
        }
        Ok(placed)
    }

    /// Whether a seq lies among holes that are forgotten one by one: so many came before the first event.
    fn is_lost(&self, seq: Option<u64>) -> bool {
        seq.is_some_and(|seq| self.prefix.at(seq) == Place::Lost)
    }
}

impl Owner {
    /// Whether one of the closes is this owner's and has this seq.
    fn has_closed_under(&self, seq: Option<u64>, closes: &[Held]) -> Result<bool, Unreadable> {
        for held in closes {
            let close = reread(&held.raw)?;
            if close.seq == seq && self.refuses(&close, held.game.as_ref().unwrap_or(&self.game)).is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which of the closes are this owner's; the others are set aside.
    fn take_up(&self, closes: Vec<Held>) -> Result<(Vec<Held>, Vec<Released>), Unreadable> {
        let (mut theirs, mut refused) = (Vec::new(), Vec::new());
        for held in closes {
            match self.refuses(&reread(&held.raw)?, held.game.as_ref().unwrap_or(&self.game)) {
                None => theirs.push(held),
                Some(reason) => refused.push(Released { held, verdict: Verdict::SetAside(reason) }),
            }
        }
        Ok((theirs, refused))
    }
}

impl Held {
    /// The same without what only the quarantine would want to know.
    fn known(&self) -> Self {
        Self { game: None, request_id: None, ..self.clone() }
    }
}
