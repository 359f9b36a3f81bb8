//! Applies records of play.events to the sessions of a partition.

use bytes::Bytes;
use eventlog::Record;
use schemas::record::stamp::{Names, Raw, Stamp, StampError};
use schemas::{Event, FieldError, Timestamp};

use super::Settings;
use super::halt::Halt;
use super::layer::{Room, Start};
use super::output::{Output, Quarantined};
use super::partition::{Partition, context};
use super::slot::Slot;
use crate::session::judge::{Arrival, Judgement, Released, Verdict};
use crate::session::told::reread;
use crate::session::{Session, Terms};
use crate::state::SessionKey;

impl Partition {
    /// Takes in records, in order; [`Partition::work`] applies them.
    pub(super) fn batch(&mut self, records: Vec<Record>, next_offset: i64) {
        if !self.accepts() {
            return;
        }
        if !records.is_empty() {
            self.flowing();
        }
        self.backlog.extend(records);
        self.backlog_end = Some(next_offset);
    }

    /// Applies records as far as the open layer has room for what they touch, and until one has to wait
    /// for the log to be read back.
    pub(super) fn work(&mut self, now: i64, settings: &Settings, room: Room) -> Result<(), Halt> {
        if self.stop.is_some() {
            return Ok(());
        }
        while let Some(record) = self.backlog.pop_front() {
            let start = self.start();
            let passed = self.position.is_some_and(|position| record.offset < position);
            if !passed && !self.record(&record, settings, room)? {
                // Log time has not come to it.
                self.log_time = start.log_time;
                self.backlog.push_front(record);
                return Ok(());
            }
            self.open.start.get_or_insert(start);
            self.position = self.position.max(Some(record.offset + 1));
            self.open.records += 1;
            self.open.oldest_ms = self.open.oldest_ms.into_iter().chain([record.timestamp_ms]).min();
            self.open.bytes += record.value.as_ref().map_or(0, Bytes::len);
        }
        if let Some(end) = self.backlog_end.take() {
            let start = self.start();
            self.open.start.get_or_insert(start);
            self.position = self.position.max(Some(end));
        }
        self.finished(now);
        Ok(())
    }

    fn start(&self) -> Start {
        Start { log_time: self.log_time, position: self.position, poison: self.poison }
    }

    /// Applies a record; false where it has to wait, and nothing has come of it.
    fn record(&mut self, record: &Record, settings: &Settings, room: Room) -> Result<bool, Halt> {
        if self.is_full(room) {
            return Ok(false);
        }
        let value = record.value.clone().unwrap_or_default();
        let (stamp, event) = match read(&value, &mut self.names) {
            Ok(told) => told,
            Err(error) => return self.unreadable(record, error, settings),
        };
        self.log_time = self.log_time.max(stamp.received_at.ms());
        if !self.fire(self.log_time, settings, room)? {
            return Ok(false);
        }
        Ok(match (event, &stamp.hole) {
            (Some(Ok((event, raw))), _) => self.event(&stamp, &event, raw, record, settings)?,
            (Some(Err(errors)), _) => self.poison(record, Some(&stamp), errors, settings),
            (None, Some(hole)) => self.hole(&stamp, hole.session_id, hole.seq, record, settings)?,
            (None, None) => true,
        })
    }

    /// Sets aside what is no stamp; stops at what a later release wrote.
    fn unreadable(&mut self, record: &Record, error: StampError, settings: &Settings) -> Result<bool, Halt> {
        if let StampError::Newer(_) = error {
            return Err(Halt::Newer { partition: self.number, offset: record.offset, error });
        }
        Ok(self.poison(record, None, vec![FieldError::of_record("form", error.to_string())], settings))
    }

    fn event(
        &mut self,
        stamp: &Stamp<'_>,
        event: &Event<'_>,
        raw: Raw<'_>,
        record: &Record,
        settings: &Settings,
    ) -> Result<bool, Halt> {
        let key = SessionKey { tenant: stamp.tenant.clone(), session: event.session_id };
        let arrival = self.arrival(stamp, record);
        let mut returns = false;
        let judged = match self.slots.get_mut(&key) {
            Some(slot) => {
                if slot.look().must_wait(event, &arrival) {
                    return Ok(false);
                }
                None
            }
            None => self.markers.get(&key).and_then(|marker| {
                returns = true;
                marker.judge(event, &arrival)
            }),
        };
        let judgement = if let Some(verdict) = judged {
            verdict.into()
        } else {
            let Some(session) = self.session(&key, &arrival, settings) else { return Ok(true) };
            if returns && session.is_unread(event) {
                self.wake(&key);
                return Ok(false);
            }
            let known = session.whose();
            let judgement = session.event(event, raw, &arrival, &context(settings, &key))?;
            let untold = session.whose() != known || session.readback.is_some() || arrival.redriven;
            let closed = session.is_closed();
            self.changed(&key, untold, closed, settings);
            judgement
        };
        self.count(stamp, event, record, raw, &judgement);
        for released in judgement.released {
            self.release(&key, released)?;
        }
        Ok(true)
    }

    fn hole(
        &mut self,
        stamp: &Stamp<'_>,
        session: uuid::Uuid,
        seq: u64,
        record: &Record,
        settings: &Settings,
    ) -> Result<bool, Halt> {
        let key = SessionKey { tenant: stamp.tenant.clone(), session };
        let arrival = self.arrival(stamp, record);
        let evicted = match self.slots.get_mut(&key) {
            Some(slot) => {
                if slot.look().is_laden() {
                    return Ok(false);
                }
                false
            }
            None => self.markers.contains(&key),
        };
        if !evicted && let Some(session) = self.session(&key, &arrival, settings) {
            session.hole(seq, &arrival, &context(settings, &key))?;
            let (untold, closed) = (session.readback.is_some(), session.is_closed());
            self.changed(&key, untold, closed, settings);
        }
        self.open.counts.of(&stamp.tenant, &stamp.game, arrival.received_at).hole();
        Ok(true)
    }

    /// A record has changed a session: `untold` where the record alone does not tell all of it.
    fn changed(&mut self, key: &SessionKey, untold: bool, closed: bool, settings: &Settings) {
        if untold || settings.window.records == 0 {
            self.touch(key);
        } else if closed {
            self.weigh(key);
        }
        self.wake(key);
        if !self.busy
            && let Some(slot) = self.slots.get_mut(key)
        {
            slot.settle(false);
        }
    }

    pub(super) fn arrival<'a>(&self, stamp: &'a Stamp<'_>, record: &Record) -> Arrival<'a> {
        Arrival {
            offset: record.offset,
            received_at: stamp.received_at.ms(),
            log_time: self.log_time,
            sent_at: stamp.sent_at.map(Timestamp::ms),
            app_version: stamp.app_version.as_deref(),
            request_id: stamp.request_id.as_str(),
            game: &stamp.game,
            redriven: stamp.redrive.is_some(),
        }
    }

    /// The session that a record belongs to: there, brought back to life, or new.
    fn session(&mut self, key: &SessionKey, arrival: &Arrival<'_>, settings: &Settings) -> Option<&mut Session> {
        if !self.slots.contains_key(key) {
            let session = if let Some(marker) = self.markers.get(key) {
                let terms = Terms::at(&settings.games, &key.tenant, &marker.owner.game, marker.first_arrival);
                Session::reopened(&marker, arrival, terms)
            } else {
                let terms = Terms::at(&settings.games, &key.tenant, arrival.game, arrival.received_at);
                Session::new(terms, arrival.offset, arrival.received_at)
            };
            self.begin(key, session);
        }
        self.follow(key, arrival.offset).map(Slot::session)
    }

    /// Counts what became of an event; sends it to the quarantine where it was set aside.
    fn count(&mut self, stamp: &Stamp<'_>, event: &Event<'_>, record: &Record, raw: Raw<'_>, judgement: &Judgement) {
        let counts = self.open.counts.of(&stamp.tenant, &stamp.game, stamp.received_at.ms());
        match judgement.verdict {
            Verdict::Applied => counts.applied(&event.event_type),
            Verdict::Repeat => counts.repeat(),
            Verdict::Held => {}
            Verdict::SetAside(reason) => {
                counts.set_aside(reason);
                let value = record.value.clone().unwrap_or_default();
                self.open.outputs.push(Output::Quarantine(Box::new(Quarantined {
                    reason,
                    errors: Vec::new(),
                    partition: self.number,
                    offset: record.offset,
                    owner: Some((stamp.tenant.clone(), stamp.game.clone())),
                    key: record.key.clone(),
                    event_id: Some(event.event_id),
                    received_at: stamp.received_at.ms(),
                    request_id: Some(stamp.request_id.to_string()),
                    raw: value.slice_ref(raw.get().as_bytes()),
                })));
            }
        }
    }

    /// Counts an event that was held, now that it has been judged.
    pub(super) fn release(&mut self, key: &SessionKey, released: Released) -> Result<(), Halt> {
        let held = released.held;
        let owner = match self.slots.get_mut(key) {
            Some(slot) => slot.look().owner.as_ref().map(|owner| owner.game.clone()),
            None => self.markers.get(key).map(|marker| marker.owner.game),
        };
        let Some(game) = held.game.or(owner) else { return Ok(()) };
        let counts = self.open.counts.of(&key.tenant, &game, held.received_at);
        match released.verdict {
            Verdict::SetAside(reason) => {
                counts.set_aside(reason);
                self.open.outputs.push(Output::Quarantine(Box::new(Quarantined {
                    reason,
                    errors: Vec::new(),
                    partition: self.number,
                    offset: held.offset,
                    owner: Some((key.tenant.clone(), game)),
                    key: key.to_bytes(),
                    event_id: Some(held.id),
                    received_at: held.received_at,
                    request_id: held.request_id,
                    raw: Bytes::copy_from_slice(held.raw.get().as_bytes()),
                })));
            }
            Verdict::Repeat => counts.repeat(),
            Verdict::Applied | Verdict::Held => counts.applied(&reread(&held.raw)?.event_type),
        }
        Ok(())
    }
}

/// A record's stamp and the event in it, or what is wrong with that.
pub(super) type Told<'a> = (Stamp<'a>, Option<Result<(Event<'a>, Raw<'a>), Vec<FieldError>>>);

/// Reads a record of play.events.
///
/// # Errors
/// When it is no stamp.
pub(super) fn read<'a>(value: &'a [u8], names: &mut Names) -> Result<Told<'a>, StampError> {
    let stamp = Stamp::skim(value, names)?;
    let event = stamp.event.map(|raw| schemas::parse::stamped(raw.get(), stamp.origin).map(|event| (event, raw)));
    if let Some(Err(_)) = event {
        // Skimmed, it need not be a stamp at all.
        Stamp::parse(value)?;
    }
    Ok((stamp, event))
}
