//! Rebuilds a session from its records in the log.

use std::collections::{BTreeMap, BTreeSet};

use eventlog::Record;
use schemas::data::CloseReason;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Stamp;
use schemas::{Event, Text, Timestamp};
use serde_json::value::RawValue;

use super::buffer::{Held, Waiting};
use super::judge::{Released, Verdict};
use super::marker::Marker;
use super::prefix::Place;
use super::readback::ReadBack;
use super::tag::{Ids, Tag};
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
    raw: &'a RawValue,
    offset: i64,
    received_at: i64,
    sent_at: Option<i64>,
    app_version: Option<Text<'a>>,
}

impl Session {
    /// Rebuilds itself from its records in the log, as far as they were asked for.
    ///
    /// # Errors
    /// When a kept event can't be read again.
    pub fn read_back(&mut self, records: &[Record], context: &Context<'_>) -> Result<Reread, Unreadable> {
        let Some(readback) = self.readback.take() else {
            return Ok(Reread { released: Vec::new(), evicted: None });
        };
        let told = self.theirs(records, &readback);
        let rebuilt = match self.order {
            Order::Seq => self.rebuild_by_seq(&told, &readback, context)?,
            Order::Log | Order::Open => self.rebuild_by_log(&told, &readback, context)?,
        };
        if !rebuilt {
            return Ok(self.give_up(readback));
        }
        if let Some(marker) = &readback.marker {
            // The release before did not say so.
            (self.reopened, self.end) = (true, Some(marker.next));
            self.recover(&told, &readback);
        }
        let taken = readback.waiting.into_values().chain(readback.closes.into_values());
        let released: Vec<_> = taken.map(|held| Released { held, verdict: Verdict::Applied }).collect();
        for Released { held, .. } in &released {
            let event = reread(&held.raw)?;
            self.took_place(&event, held.offset, held.received_at);
        }
        self.advance(context)?;
        Ok(Reread { released, evicted: None })
    }

    /// Ends it as too long where it stands: its state has no room any more, and what waits for the log is late.
    pub fn cut_off(&mut self, at: i64) -> Reread {
        self.cause.get_or_insert(Cause { reason: CloseReason::TooLong, at });
        self.reported.pending = true;
        match self.readback.take() {
            Some(readback) => self.give_up(readback),
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

    /// Folds the first event under each seq anew; false when the log lacks one.
    fn rebuild_by_seq(
        &mut self,
        told: &[Again<'_>],
        readback: &ReadBack,
        context: &Context<'_>,
    ) -> Result<bool, Unreadable> {
        let Some(owner) = &self.owner else { return Ok(false) };
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
            return Ok(false);
        }
        let waiting: Vec<(u64, Event<'_>)> = readback
            .waiting
            .range(..next)
            .map(|(seq, held)| Ok((*seq, reread(&held.raw)?)))
            .collect::<Result<_, _>>()?;
        found.extend(waiting.iter().map(|(seq, event)| (*seq, event)));
        let mut anew = Told::default();
        for (seq, event) in found {
            self.prefix.set(seq, Tag::of(event.event_id));
            anew.apply(event, &owner.game, context);
        }
        self.told = anew;
        for (seq, held) in readback.waiting.range(next..) {
            self.buffer.insert(*seq, Waiting::Event(held.clone()));
        }
        Ok(true)
    }

    /// Folds every event anew in the order of the log; false when the log has none of them.
    fn rebuild_by_log(
        &mut self,
        told: &[Again<'_>],
        readback: &ReadBack,
        context: &Context<'_>,
    ) -> Result<bool, Unreadable> {
        let Some(owner) = &self.owner else { return Ok(false) };
        let (mut anew, mut ids) = (Told::default(), Ids::default());
        let mut closes = BTreeSet::new();
        for Again { event, .. } in told {
            let waits = readback.waiting.values().any(|held| held.id == event.event_id);
            if event.is_close() && event.seq.is_none() {
                closes.insert(event.event_id);
            } else if !waits && event.seq.is_some() == event.is_close() && ids.insert(event.event_id) {
                anew.apply(event, &owner.game, context);
            }
        }
        let before = readback.marker.as_ref().map_or(0, |marker| marker.events);
        if ((ids.len() + closes.len()) as u64) < before {
            return Ok(false);
        }
        for held in readback.waiting.values() {
            ids.insert(held.id);
            anew.apply(&reread(&held.raw)?, &owner.game, context);
        }
        (self.told, self.ids) = (anew, ids);
        Ok(true)
    }

    /// What a marker does not remember: closes without seq, the clock's offset, the client's version.
    fn recover(&mut self, told: &[Again<'_>], readback: &ReadBack) {
        for again in told {
            if again.event.is_close() && again.event.seq.is_none() {
                self.closes.entry(again.event.event_id).or_insert_with(|| again.held());
            }
            let skew = again.sent_at.map(|sent| again.received_at - sent);
            self.trail.skew_ms = self.trail.skew_ms.min(skew).or(self.trail.skew_ms).or(skew);
        }
        self.closes.extend(readback.closes.clone());
        self.closed = self.told.close.is_some() || !self.closes.is_empty();
        self.trail.app_version = told.iter().find_map(|again| again.app_version.as_deref().map(str::to_owned));
    }

    /// The log no longer holds the session: what waited goes to the quarantine.
    fn give_up(&mut self, readback: ReadBack) -> Reread {
        for seq in readback.waiting.keys() {
            self.prefix.unfill(*seq);
        }
        let late = Verdict::SetAside(Reason::Late);
        let waited = readback.waiting.into_values().chain(readback.closes.into_values());
        let released = waited.map(|held| Released { held, verdict: late }).collect();
        Reread { released, evicted: readback.marker.map(|marker| *marker) }
    }
}

impl Again<'_> {
    fn held(&self) -> Held {
        Held {
            offset: self.offset,
            received_at: self.received_at,
            game: None,
            request_id: None,
            raw: self.raw.to_owned(),
            id: self.event.event_id,
        }
    }
}
