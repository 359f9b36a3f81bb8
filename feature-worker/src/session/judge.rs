//! Judges each record of a session: it takes a place, tells again what was known, or is set aside.

use schemas::Event;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Raw;

use super::buffer::{Held, Waiting};
use super::prefix::Place;
use super::tag::Tag;
use super::told::{Context, Unreadable};
use super::{Order, Owner, Session};

/// How a record came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Its offset in play.events.
    pub offset: i64,
    /// When it was received, in ms since the epoch.
    pub received_at: i64,
    /// The partition's log time, in ms: never before `received_at`.
    pub log_time: i64,
    /// When the client says that it sent the request, in ms.
    pub sent_at: Option<i64>,
    /// The client's version.
    pub app_version: Option<&'a str>,
    /// The request that brought it.
    pub request_id: &'a str,
    /// Of which game.
    pub game: &'a schemas::Game,
    /// Whether it was sent again out of the quarantine.
    pub redriven: bool,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes a place in its session.
    Applied,
    /// It tells again what is known.
    Repeat,
    /// It is kept and judged later: counted then, as one of [`Judgement::released`].
    Held,
    /// It goes to the quarantine.
    SetAside(Reason),
}

/// What becomes of a record, and of those that waited for it.
#[derive(Debug)]
pub struct Judgement {
    /// Of the record itself.
    pub verdict: Verdict,
    /// Of what was held before.
    pub released: Vec<Released>,
}

/// A record that was held and is judged now.
#[derive(Debug)]
pub struct Released {
    /// The record.
    pub held: Held,
    /// Any but [`Verdict::Held`].
    pub verdict: Verdict,
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, released: Vec::new() }
    }
}

impl Session {
    /// Judges an event and takes it in.
    ///
    /// # Errors
    /// When a kept event can't be read again.
    pub fn event(
        &mut self,
        event: &Event<'_>,
        raw: Raw<'_>,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
    ) -> Result<Judgement, Unreadable> {
        self.cap_reach(arrival);
        let judgement = if self.owner.is_none() && event.is_close() {
            self.early_close(event, raw, arrival)?
        } else if event.is_close() {
            self.close(event, raw, arrival, context)?.into()
        } else if self.owner.is_none() {
            self.first(event, raw, arrival, context)?
        } else {
            self.further(event, raw, arrival, context)?.into()
        };
        self.trace(judgement.verdict, event, arrival);
        Ok(judgement)
    }

    /// Takes in a refused event's place. A hole under a taken seq is nothing.
    ///
    /// # Errors
    /// When a kept event can't be read again.
    pub fn hole(&mut self, seq: u64, arrival: &Arrival<'_>, context: &Context<'_>) -> Result<(), Unreadable> {
        self.cap_reach(arrival);
        let counts = self.order != Order::Log && !self.reopened;
        let known = self.prefix.at(seq) != Place::Ahead || self.buffer.get(seq).is_some();
        let late = self.is_beyond(seq, arrival);
        let is_next = seq == self.prefix.next() && self.readback.is_none();
        let crowded = self.order == Order::Open && !is_next && self.is_crowded();
        if !counts || known || late || crowded {
            return Ok(());
        }
        if is_next {
            self.prefix.pass(Tag::HOLE, self.terms.events);
            self.advance(context)?;
        } else {
            self.wait(seq, Waiting::Hole, context)?;
        }
        self.is_there(arrival.offset, arrival.received_at);
        Ok(())
    }

    /// An event of a session that has an owner.
    fn further(
        &mut self,
        event: &Event<'_>,
        raw: Raw<'_>,
        arrival: &Arrival<'_>,
        context: &Context<'_>,
    ) -> Result<Verdict, Unreadable> {
        if let Some(reason) = self.is_not_theirs(event, arrival) {
            return Ok(Verdict::SetAside(reason));
        }
        match (self.order, event.seq) {
            (Order::Seq, Some(seq)) => self.by_seq(seq, event, raw, arrival, context),
            (Order::Log, None) => Ok(self.by_log(event, raw, arrival, context)),
            _ => Ok(Verdict::SetAside(Reason::SeqMixed)),
        }
    }

    pub(super) fn is_not_theirs(&self, event: &Event<'_>, arrival: &Arrival<'_>) -> Option<Reason> {
        self.owner.as_ref()?.refuses(event, arrival.game)
    }

    /// Keeps what a record tells beside its event.
    fn trace(&mut self, verdict: Verdict, event: &Event<'_>, arrival: &Arrival<'_>) {
        if !matches!(verdict, Verdict::SetAside(_)) {
            let skew = arrival.sent_at.map(|sent| arrival.received_at - sent);
            self.trail.skew_ms = self.trail.skew_ms.min(skew).or(self.trail.skew_ms).or(skew);
        }
        match verdict {
            Verdict::SetAside(_) => self.trail.strays = true,
            Verdict::Repeat => self.trail.repeats += 1,
            Verdict::Applied | Verdict::Held => {
                if self.trail.app_version.is_none() {
                    self.trail.app_version = arrival.app_version.map(Into::into);
                }
                // What waits for the log has yet to take a place.
                if verdict == Verdict::Applied || self.readback.is_none() {
                    self.took_place(event, arrival.offset, arrival.received_at);
                }
            }
        }
    }

    /// An event has taken a place, or waits for the first event to tell whether it does.
    pub(super) fn took_place(&mut self, event: &Event<'_>, offset: i64, received_at: i64) {
        self.closed |= event.is_close();
        self.play |= !event.is_close() && !event.is_evidence();
        self.is_there(offset, received_at);
    }

    fn is_there(&mut self, offset: i64, received_at: i64) {
        self.trail.last_offset = self.trail.last_offset.max(offset);
        self.trail.last_arrival = self.trail.last_arrival.max(received_at);
        self.reported.pending = true;
    }
}

impl Owner {
    /// Why an event is none of this owner's session; none if it is.
    pub(super) fn refuses(&self, event: &Event<'_>, game: &schemas::Game) -> Option<Reason> {
        if self.game != *game {
            return Some(Reason::GameMismatch);
        }
        (self.player.as_str() != event.player_id.as_str()).then_some(Reason::PlayerMismatch)
    }
}

/// The event as it is kept until its turn comes.
pub(super) fn held(event: &Event<'_>, raw: Raw<'_>, arrival: &Arrival<'_>) -> Held {
    Held {
        offset: arrival.offset,
        received_at: arrival.received_at,
        game: None,
        request_id: None,
        raw: raw.into(),
        id: event.event_id,
    }
}

/// As [`held`], with what the quarantine would want to know.
pub(super) fn kept_whole(event: &Event<'_>, raw: Raw<'_>, arrival: &Arrival<'_>) -> Held {
    Held {
        game: Some(arrival.game.clone()),
        request_id: Some(arrival.request_id.to_owned()),
        ..held(event, raw, arrival)
    }
}
