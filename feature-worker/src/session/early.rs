//! Closes that come before any event: they can't say whose session it is.

use schemas::Event;
use schemas::record::quarantine::Reason;
use serde_json::value::RawValue;

use super::buffer::{Held, Waiting};
use super::judge::{Arrival, Released, Verdict, kept_whole};
use super::told::{Context, Unreadable, reread};
use super::{Order, Session};

impl Session {
    /// A close before any event: kept until an event says whose session it is.
    pub(super) fn early_close(
        &mut self,
        event: &Event<'_>,
        raw: &RawValue,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
    ) -> Result<Verdict, Unreadable> {
        let kept = kept_whole(event, raw, arrival);
        let known = match event.seq.and_then(|seq| self.buffer.get(seq)) {
            Some(Waiting::Event(there)) if there.id == event.event_id => return Ok(Verdict::Repeat),
            Some(Waiting::Event(_)) => return Ok(Verdict::SetAside(Reason::SeqConflict)),
            _ => event.seq.is_none() && self.closes.contains_key(&event.event_id),
        };
        if known {
            return Ok(Verdict::Repeat);
        }
        if self.is_crowded() {
            return Ok(Verdict::SetAside(Reason::NoSession));
        }
        match event.seq {
            Some(seq) => self.wait(seq, Waiting::Event(kept), context)?,
            None => {
                self.closes.insert(event.event_id, kept);
            }
        }
        Ok(Verdict::Held)
    }

    /// Judges the closes that came before the first event, now that it is known whose session it is.
    pub(super) fn release_closes(&mut self, context: &Context<'_>) -> Result<Vec<Released>, Unreadable> {
        let mut released = Vec::new();
        let Some(owner) = self.owner.clone() else { return Ok(released) };
        let theirs = |held: &Held| -> Result<Option<Reason>, Unreadable> {
            let event = reread(&held.raw)?;
            let game = held.game.as_ref().unwrap_or(&owner.game);
            Ok(owner.refuses(&event, game))
        };
        let (mut by_log, mut kept) = (Vec::new(), Vec::new());
        for (seq, waiting) in self.buffer.drain() {
            match (waiting, self.order) {
                (Waiting::Hole, Order::Seq) => kept.push((seq, Waiting::Hole)),
                (Waiting::Hole, _) => {}
                (Waiting::Event(held), order) => match theirs(&held)? {
                    Some(reason) => released.push(Released { held, verdict: Verdict::SetAside(reason) }),
                    None => {
                        released.push(Released { held: held.clone(), verdict: Verdict::Applied });
                        match order {
                            Order::Seq => kept.push((seq, Waiting::Event(held))),
                            _ => by_log.push(held),
                        }
                    }
                },
            }
        }
        for (seq, waiting) in kept {
            self.buffer.insert(seq, waiting);
        }
        by_log.sort_by_key(|held| held.offset);
        for held in by_log {
            self.ids.insert(held.id);
            self.told.apply(&reread(&held.raw)?, &owner.game, context);
        }
        for (id, held) in std::mem::take(&mut self.closes) {
            match theirs(&held)? {
                Some(reason) => released.push(Released { held, verdict: Verdict::SetAside(reason) }),
                None => {
                    released.push(Released { held: held.clone(), verdict: Verdict::Applied });
                    self.closes.insert(id, held);
                }
            }
        }
        self.closed = released.iter().any(|close| close.verdict == Verdict::Applied);
        self.advance(context)?;
        Ok(released)
    }
}
