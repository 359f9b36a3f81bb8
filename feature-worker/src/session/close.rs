//! What a close does. It takes effect once under its id, in whatever bodies it comes.
//!
//! The close call makes the event's id from the session's, so one id may come with a seq, with
//! another, or with none, days apart. It stands by the lowest seq that it comes with, else at the
//! end: a body with a lower seq takes it there from the end or from behind a gap, and every body but
//! one is a repeat. So the order of arrival does not matter while each seq names one event. Where the
//! fold has passed one of its places the close stays there, and a session without seq goes by the
//! first body in its log; so does whoever reads the log again.

use schemas::Event;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Raw;
use uuid::Uuid;

use super::buffer::{Held, Waiting};
use super::judge::{Arrival, Released, Verdict, held, kept_whole};
use super::place::Spot;
use super::tag::Tag;
use super::told::{Context, Unreadable};
use super::{Order, Session};

/// Most closes of each kind that a session keeps.
pub(super) const MOST_CLOSES: usize = 256;
/// Most bytes of closes without seq that a session keeps.
pub(super) const MOST_CLOSE_BYTES: usize = 128 << 10;

impl Session {
    /// Judges a close of a session that has an owner.
    pub(super) fn close(
        &mut self,
        event: &Event<'_>,
        raw: Raw<'_>,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
    ) -> Result<Verdict, Unreadable> {
        if let Some(reason) = self.is_not_theirs(event, arrival) {
            return Ok(Verdict::SetAside(reason));
        }
        if let Some(verdict) = self.close_again(event, raw, arrival, context)? {
            return Ok(verdict);
        }
        match (self.order, event.seq) {
            (Order::Seq, Some(seq)) => {
                let verdict = self.by_seq(seq, event, raw, arrival, context)?;
                if verdict == Verdict::Applied {
                    self.stands_at(event.event_id, seq);
                }
                Ok(verdict)
            }
            // A close's place in the log is as good as a seq where nothing else counts.
            (Order::Log, Some(_)) => Ok(self.by_log(event, raw, arrival, context)),
            (_, None) | (Order::Open, _) => Ok(self.close_last(event, raw, arrival)),
        }
    }

    /// A close without seq: it stands after all else.
    fn close_last(&mut self, event: &Event<'_>, raw: Raw<'_>, arrival: &Arrival<'_>) -> Verdict {
        if self.is_shut(arrival) || self.has_many_closes() {
            return Verdict::SetAside(Reason::Late);
        }
        if let Some(readback) = self.readback.as_mut().filter(|readback| readback.is_reopening()) {
            readback.add_close(kept_whole(event, raw, arrival));
            return Verdict::Held;
        }
        self.closes.insert(event.event_id, held(event, raw, arrival));
        Verdict::Applied
    }

    /// A close that its session has, in this body or another; none if it is new.
    fn close_again(
        &mut self,
        event: &Event<'_>,
        raw: Raw<'_>,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
    ) -> Result<Option<Verdict>, Unreadable> {
        let id = event.event_id;
        let waits = self.readback.as_ref().and_then(|readback| readback.close(id));
        let stands = self.ends.get(&id).copied();
        let is_last = self.closes.contains_key(&id);
        if waits.is_none() && stands.is_none() && !is_last && !(self.order == Order::Log && self.ids.contains(id)) {
            return Ok(None);
        }
        let same_place = match self.order {
            Order::Log => is_last == event.seq.is_none(),
            _ => [waits, stands.map(Some), is_last.then_some(None)].contains(&Some(event.seq)),
        };
        // Where it lies in the log in other bodies, the log alone no longer tells by which it stands.
        self.trail.strays |= !same_place;
        if let (Order::Seq, Some(seq), None) = (self.order, event.seq, waits)
            && self.may_move(id, stands, seq)
            && matches!(self.spot(seq, Tag::of(id), arrival), Ok(Spot::Next | Spot::Behind))
        {
            match stands {
                Some(at) => drop(self.buffer.take(at)),
                None => drop(self.closes.remove(&id)),
            }
            self.by_seq(seq, event, raw, arrival, context)?;
            self.moved(id, seq, arrival.offset);
        }
        Ok(Some(Verdict::Repeat))
    }

    /// Whether a close that stands there, or last, may stand at `seq` instead.
    fn may_move(&self, id: Uuid, stands: Option<u64>, seq: u64) -> bool {
        stands.is_none_or(|at| seq < at && matches!(self.buffer.get(at), Some(Waiting::Event(there)) if there.id == id))
    }

    /// A close has been taken to a seq: what stood elsewhere stands there now.
    pub(super) fn moved(&mut self, id: Uuid, seq: u64, offset: i64) {
        self.stands_at(id, seq);
        self.trail.strays = true;
        self.trail.last_offset = self.trail.last_offset.max(offset);
        self.reported.pending = true;
    }

    /// Remembers where a close stands.
    pub(super) fn stands_at(&mut self, id: Uuid, seq: u64) {
        if self.ends.len() < MOST_CLOSES || self.ends.contains_key(&id) {
            self.ends.insert(id, seq);
        }
    }

    /// A close without seq that waited for the log.
    pub(super) fn take_close(&mut self, held: Held) -> Released {
        let verdict = if self.closes.contains_key(&held.id) {
            Verdict::Repeat
        } else if self.ends.contains_key(&held.id) || self.ids.contains(held.id) {
            self.trail.strays = true;
            Verdict::Repeat
        } else if self.has_many_closes() {
            Verdict::SetAside(Reason::Late)
        } else {
            self.closes.insert(held.id, held.clone());
            Verdict::Applied
        };
        Released { held, verdict }
    }

    /// Whether its closes without seq are more than any client has a use for.
    pub(super) fn has_many_closes(&self) -> bool {
        let bytes: usize = self.closes.values().map(|held| held.raw.get().len()).sum();
        self.closes.len() >= MOST_CLOSES || bytes >= MOST_CLOSE_BYTES
    }
}
