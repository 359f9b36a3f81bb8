//! Rebuilds a session from its records in the log.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use eventlog::Record;
use schemas::data::CloseReason;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::{Raw, Stamp};
use schemas::{Event, Text, Timestamp};
use uuid::Uuid;

use super::buffer::{Held, Waiting};
use super::ids::Ids;
use super::judge::{Released, Verdict};
use super::marker::Marker;
use super::prefix::Place;
use super::readback::ReadBack;
use super::tag::Tag;
use super::told::{Context, Told, Unreadable, reread};
use super::{Cause, Order, Session};

/// What came of reading the log.
#[derive(Debug)]
pub struct Reread {
    /// The events that waited.
    pub released: Vec<Released>,
    /// The log no longer holds the session, which stays what it was: evicted.
    pub evicted: Option<Marker>,
}

/// An event as the log tells it again.
struct Again<'a> {
    event: Event<'a>,
    raw: Raw<'a>,
    offset: i64,
    received_at: i64,
    sent_at: Option<i64>,
    app_version: Option<Text<'a>>,
}

impl Session {
    /// Rebuilds itself from its records in the log, as far as they were asked for, and judges what waited.
    ///
    /// # Errors
    /// When a kept event can't be read again.
    pub fn read_back(&mut self, records: &[Record], context: &Context<'_>) -> Result<Reread, Unreadable> {
        let Some(readback) = self.readback.take() else {
            return Ok(Reread { released: Vec::new(), evicted: None });
        };
        let told = self.theirs(records, &readback);
        let mut closes = self.closes_before(&told, &readback);
        let rebuilt = match self.order {
            Order::Seq => self.rebuild_by_seq(&told, &mut closes, &readback, context)?,
            Order::Log | Order::Open => self.rebuild_by_log(&told, &closes, &readback, context)?,
        };
        let Some(mut released) = rebuilt else {
            let given_up = self.give_up(*readback);
            self.advance(context)?;
            return Ok(given_up);
        };
        self.closes = closes;
        if let Some(marker) = &readback.marker {
            // The release before did not say so.
            (self.reopened, self.end) = (true, Some(marker.next));
            self.recover(&told);
        }
        for held in readback.closes_in_order() {
            released.push(self.take_close(held));
        }
        for Released { held, verdict } in &released {
            match verdict {
                Verdict::Applied => self.took_place(&reread(&held.raw)?, held.offset, held.received_at),
                _ => self.trail.repeats += u64::from(*verdict == Verdict::Repeat),
            }
        }
        self.advance(context)?;
        Ok(Reread { released, evicted: None })
    }

    /// Ends it as too long where it stands: its state has no room any more, and what waits for the log is late.
    pub fn cut_off(&mut self, at: i64) -> Reread {
        self.cause.get_or_insert(Cause { reason: CloseReason::TooLong, at });
        self.reported.pending = true;
        match self.readback.take() {
            Some(readback) => self.give_up(*readback),
            None => Reread { released: Vec::new(), evicted: None },
        }
    }

    /// The session's own events among the records, in the order of the log.
    fn theirs<'a>(&self, records: &'a [Record], readback: &ReadBack) -> Vec<Again<'a>> {
        let asked = records.iter().filter(|record| (readback.from..readback.until).contains(&record.offset));
        let told = asked.filter_map(|record| {
            // What could not be read then was set aside, and is no part of the session now.
            let stamp = Stamp::parse(record.value.as_deref()?).ok()?;
            let raw = stamp.event?;
            let event = schemas::parse::stamped(raw.get(), stamp.origin).ok()?;
            let owner = self.owner.as_ref()?;
            let theirs = owner.game == stamp.game && owner.player.as_str() == event.player_id.as_str();
            theirs.then_some(Again {
                event,
                raw,
                offset: record.offset,
                received_at: stamp.received_at.ms(),
                sent_at: stamp.sent_at.map(Timestamp::ms),
                app_version: stamp.app_version,
            })
        });
        told.collect()
    }

    /// Closes without seq that counted before what waits: a marker does not hold them.
    fn closes_before(&self, told: &[Again<'_>], readback: &ReadBack) -> BTreeMap<Uuid, Held> {
        let Some(marker) = &readback.marker else { return self.closes.clone() };
        let known = marker.known.as_deref();
        let mut closes = BTreeMap::new();
        for again in told.iter().filter(|again| again.event.is_close() && again.event.seq.is_none()) {
            let id = again.event.event_id;
            if known.is_none_or(|known| known.closes.contains(id)) {
                closes.entry(id).or_insert_with(|| again.held());
            }
        }
        closes
    }

    /// Folds the first event under each seq anew; none when the log lacks one.
    fn rebuild_by_seq(
        &mut self,
        told: &[Again<'_>],
        closes: &mut BTreeMap<Uuid, Held>,
        readback: &ReadBack,
        context: &Context<'_>,
    ) -> Result<Option<Vec<Released>>, Unreadable> {
        let mut found: BTreeMap<u64, &Event<'_>> = BTreeMap::new();
        for Again { event, .. } in told {
            let Some(seq) = event.seq else { continue };
            let fits = matches!(self.prefix.at(seq), Place::Event(tag) if tag.matches(Tag::of(event.event_id)));
            if fits && !readback.waiting.contains_key(&seq) {
                found.entry(seq).or_insert(event);
            }
        }
        let next = self.prefix.next();
        let filling = readback.waiting.range(..next).count();
        if (found.len() + filling) as u64 != self.prefix.events() {
            return Ok(None);
        }
        for (seq, event) in found.iter().filter(|(_, event)| event.is_close()) {
            self.stands_at(event.event_id, *seq);
        }
        let (mut released, mut filled) = (Vec::new(), Vec::new());
        for (seq, held) in &readback.waiting {
            let event = reread(&held.raw)?;
            let (verdict, takes_place) = self.place_of_waiting(*seq, &event, held, closes);
            if !takes_place {
                self.prefix.unfill(*seq, readback.skipped.contains(seq));
            } else if *seq < next {
                filled.push((*seq, event));
            } else {
                self.buffer.insert(*seq, Waiting::Event(held.clone().into()));
            }
            released.push(Released { held: held.clone(), verdict });
        }
        found.extend(filled.iter().map(|(seq, event)| (*seq, event)));
        self.told = Told::default();
        for (seq, event) in found {
            self.prefix.set(seq, Tag::of(event.event_id));
            self.fold(event, context);
        }
        Ok(Some(released))
    }

    /// What becomes of an event that waited under a seq, and whether it takes its place: not if it is a
    /// close that its session has elsewhere, unless that is the end.
    fn place_of_waiting(
        &mut self,
        seq: u64,
        event: &Event<'_>,
        held: &Held,
        closes: &mut BTreeMap<Uuid, Held>,
    ) -> (Verdict, bool) {
        if !event.is_close() {
            return (Verdict::Applied, true);
        }
        if self.ends.contains_key(&held.id) || (closes.contains_key(&held.id) && seq < self.prefix.next()) {
            self.trail.strays = true;
            return (Verdict::Repeat, false);
        }
        if closes.remove(&held.id).is_some() {
            self.moved(held.id, seq, held.offset);
            return (Verdict::Repeat, true);
        }
        self.stands_at(held.id, seq);
        (Verdict::Applied, true)
    }

    /// Folds every event anew in the order of the log; none when the log does not tell what the session was.
    fn rebuild_by_log(
        &mut self,
        told: &[Again<'_>],
        closes: &BTreeMap<Uuid, Held>,
        readback: &ReadBack,
        context: &Context<'_>,
    ) -> Result<Option<Vec<Released>>, Unreadable> {
        let Some(owner) = &self.owner else { return Ok(None) };
        let most = self.terms.events;
        let known = readback.marker.as_ref().and_then(|marker| marker.known.as_deref());
        let sent_again = |again: &Again<'_>| self.sent_again.contains(&again.offset);
        let of_those: HashSet<Uuid> = told.iter().filter(|a| sent_again(a)).map(|a| a.event.event_id).collect();
        let (mut anew, mut ids) = (Told::default(), Ids::default());
        for again in told.iter().filter(|again| again.event.seq.is_some() == again.event.is_close()) {
            let id = again.event.event_id;
            // An event that was set aside at first stands where it was sent again.
            let counted = !of_those.contains(&id) && known.is_none_or(|known| known.ids.contains(id));
            if (counted || sent_again(again)) && ids.insert(id, most) {
                anew.apply(&again.event, &owner.game, self.terms.fold, context);
            }
        }
        let before = readback.marker.as_ref().map_or(0, |marker| marker.events);
        if ids.is_worn() || (ids.len() + closes.len()) as u64 != before {
            return Ok(None);
        }
        let mut released = Vec::new();
        for held in readback.waiting.values().cloned() {
            self.trail.strays |= closes.contains_key(&held.id);
            let is_new = !closes.contains_key(&held.id) && ids.insert(held.id, most);
            let verdict = if is_new { Verdict::Applied } else { Verdict::Repeat };
            if is_new {
                anew.apply(&reread(&held.raw)?, &owner.game, self.terms.fold, context);
                self.sent_again.insert(held.offset);
            }
            released.push(Released { held, verdict });
        }
        (self.told, self.ids) = (anew, ids);
        Ok(Some(released))
    }

    /// What a marker does not remember: the clock's offset, the client's version, whether it was closed.
    fn recover(&mut self, told: &[Again<'_>]) {
        for again in told {
            let skew = again.sent_at.map(|sent| again.received_at - sent);
            self.trail.skew_ms = self.trail.skew_ms.min(skew).or(self.trail.skew_ms).or(skew);
        }
        // A close that has moved to a seq may wait there.
        self.closed = self.told.close.is_some() || !self.closes.is_empty() || !self.ends.is_empty();
        let version = told.iter().find_map(|again| again.app_version.as_deref().map(Arc::from));
        self.trail.app_version = version.or(self.trail.app_version.take());
    }

    /// The log no longer holds the session: what waited goes to the quarantine.
    fn give_up(&mut self, readback: ReadBack) -> Reread {
        for seq in readback.waiting.keys() {
            self.prefix.unfill(*seq, readback.skipped.contains(seq));
        }
        self.trail.strays = true;
        let late = Verdict::SetAside(Reason::Late);
        let waited = readback.waiting.into_values().chain(readback.closes.into_values());
        let released = waited.map(|held| Released { held, verdict: late }).collect();
        Reread { released, evicted: readback.marker.map(|marker| Marker { gone: true, ..*marker }) }
    }
}

impl Again<'_> {
    fn held(&self) -> Held {
        Held {
            offset: self.offset,
            received_at: self.received_at,
            game: None,
            request_id: None,
            raw: self.raw.into(),
            id: self.event.event_id,
        }
    }
}
