//! Closes that come before any event: they can't say whose session it is.

use schemas::Event;
use schemas::record::quarantine::Reason;
use serde_json::value::RawValue;

use super::buffer::{Held, Waiting};
use super::judge::{Arrival, Released, Verdict, kept_whole};
use super::prefix::Prefix;
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
        if self.is_crowded() || self.has_many_closes() {
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

    /// Judges the closes that came before the first event, now that it is known whose session it is. The
    /// fold goes on when that event has its place.
    pub(super) fn release_closes(&mut self, context: &Context<'_>) -> Result<Vec<Released>, Unreadable> {
        let Some(owner) = self.owner.clone() else { return Ok(Vec::new()) };
        let mut released = Vec::new();
        // A close that is the owner's stays; any other goes.
        let mut stays = |held: &Held| -> Result<bool, Unreadable> {
            let game = held.game.as_ref().unwrap_or(&owner.game);
            let refused = owner.refuses(&reread(&held.raw)?, game);
            let verdict = refused.map_or(Verdict::Applied, Verdict::SetAside);
            released.push(Released { held: held.clone(), verdict });
            Ok(refused.is_none())
        };
        let mut by_log = Vec::new();
        for (seq, waiting) in self.buffer.drain() {
            match waiting {
                Waiting::Hole if self.order == Order::Seq => self.buffer.insert(seq, waiting),
                Waiting::Hole => {}
                Waiting::Event(held) if !stays(&held)? => {}
                Waiting::Event(held) if self.order == Order::Log => by_log.push(held),
                Waiting::Event(_) => self.buffer.insert(seq, waiting),
            }
        }
        by_log.sort_by_key(|held| held.offset);
        for held in by_log {
            self.ids.insert(held.id);
            self.told.apply(&reread(&held.raw)?, &owner.game, context);
        }
        for (id, held) in std::mem::take(&mut self.closes) {
            if stays(&held)? {
                self.closes.insert(id, held);
            }
        }
        if self.order == Order::Log {
            self.prefix = Prefix::default();
        }
        self.closed = released.iter().any(|close| close.verdict == Verdict::Applied);
        Ok(released)
    }
}
