//! Lets deadlines fire, and takes in what the log has told again.

use std::collections::HashMap;

use eventlog::Record;
use schemas::record::quarantine::Reason;
use schemas::report::Status;

use super::Settings;
use super::halt::Halt;
use super::layer::Room;
use super::output::Output;
use super::partition::{Partition, context};
use super::seal::publish;
use super::slot::Slot;
use crate::report::Place;
use crate::session::judge::{Released, Verdict};
use crate::session::life::Expiry;
use crate::session::rest::Pace;
use crate::state::SessionKey;

impl Partition {
    /// Lets every deadline up to `until` fire, in order; false where one has to wait: for room in the
    /// layer, or for the log, which is asked what the session was.
    pub(super) fn fire(&mut self, until: i64, settings: &Settings, room: Room) -> Result<bool, Halt> {
        while let Some((queued, key)) = self.deadlines.pop(until) {
            if self.open.is_full(room) {
                self.deadlines.push(queued, key);
                return Ok(false);
            }
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let Pace { deadline, reads, .. } = slot.pace();
            if reads && deadline <= until {
                self.deadlines.push(queued, key);
                return Ok(false);
            }
            if slot.queued == queued {
                slot.queued = i64::MAX;
            }
            if deadline > until {
                self.wake(&key);
            } else {
                self.expire(&key, deadline, settings)?;
            }
        }
        while let Some(key) = self.markers.due(until) {
            if self.open.is_full(room) {
                return Ok(false);
            }
            self.forget_marker(&key);
        }
        Ok(true)
    }

    fn expire(&mut self, key: &SessionKey, deadline: i64, settings: &Settings) -> Result<(), Halt> {
        let Some(slot) = self.touch(key) else { return Ok(()) };
        match slot.session().expire() {
            Expiry::Closed => self.wake(key),
            Expiry::Evicted => self.evict(key, deadline, settings)?,
        }
        Ok(())
    }

    /// Grace is over: a last report, and a marker in the session's place.
    pub(super) fn evict(&mut self, key: &SessionKey, at: i64, settings: &Settings) -> Result<(), Halt> {
        let Some(session) = self.slots.get_mut(key).map(Slot::session) else { return Ok(()) };
        let context = context(settings, key);
        if !session.has_begun() {
            let early = session.take_early();
            for held in early {
                self.release(key, Released { held, verdict: Verdict::SetAside(Reason::NoSession) })?;
            }
            self.forget(key);
            return Ok(());
        }
        let whole = session.whole(&context)?;
        let unreported = session.reported.revision == 0;
        if session.reported.pending || !session.reported.is_final {
            let place = Place {
                partition: self.number,
                tenant: &key.tenant,
                session: key.session,
                log_time: at,
                worker: &settings.worker,
            };
            publish(session, &whole, Status::Final, &place, &mut self.open.outputs)?;
        }
        if unreported || session.reported.live {
            self.open.outputs.push(Output::Gone(key.clone()));
        }
        if let Some(marker) = session.marker(&whole, at) {
            self.retire(key, &marker);
        }
        Ok(())
    }

    /// Takes in the records of the sessions that the log was asked for.
    pub(super) fn read_back(&mut self, records: &[Record], settings: &Settings) -> Result<(), Halt> {
        let mut by_session: HashMap<SessionKey, Vec<Record>> = HashMap::new();
        for record in records {
            if let Some(key) = SessionKey::parse(&record.key) {
                by_session.entry(key).or_default().push(record.clone());
            }
        }
        for key in self.answered() {
            let Some(slot) = self.touch(&key) else { continue };
            let told = by_session.remove(&key).unwrap_or_default();
            let reread = slot.session().read_back(&told, &context(settings, &key))?;
            if let Some(marker) = reread.evicted {
                self.retire(&key, &marker);
            }
            for released in reread.released {
                self.release(&key, released)?;
            }
            self.wake(&key);
        }
        Ok(())
    }
}
