//! Makes a commit of what has been folded, and goes back where it was aborted.

use bytes::Bytes;
use schemas::report::Status;

use super::Settings;
use super::halt::Halt;
use super::layer::{Before, Room};
use super::output::Output;
use super::partition::{Partition, context};
use super::slot::{Saved, Slot};
use crate::report::{Place, reports};
use crate::session::Session;
use crate::session::rebuild::Reread;
use crate::session::rest::Pace;
use crate::session::told::Told;
use crate::state::{self, Position, SessionKey};

/// So many records for each session that a commit touches: it is worth keeping them unpacked from one to the next.
const BUSY: usize = 2;

/// When a commit is made, and of what.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Log time, in ms.
    log_time: i64,
    /// The next offset to be read.
    position: i64,
}

impl Partition {
    /// Closes the open layer for a commit; answers with the position that it stands for. With `flush`
    /// sessions are written that could wait, as many as there is room for.
    pub(super) fn seal(
        &mut self,
        now: i64,
        settings: &Settings,
        room: Room,
        outputs: &mut Vec<Output>,
        flush: bool,
    ) -> Result<Option<i64>, Halt> {
        if !self.is_live() {
            return Ok(None);
        }
        let log_time = self.running_log_time(now);
        self.wake_reports(log_time, room);
        self.catch_up(room, flush);
        let Some(position) = self.position else { return Ok(None) };
        if self.open.is_clean() {
            return Ok(None);
        }
        let moment = Moment { log_time, position };
        let mut layer = std::mem::take(&mut self.open);
        outputs.append(&mut layer.outputs);
        let mut too_large = Vec::new();
        // In an order of their own, so that the same inputs give the same outputs.
        let mut touched: Vec<_> = layer.before.keys().collect();
        self.busy = layer.records >= BUSY * touched.len();
        touched.sort_unstable_by(|one, other| one.session.cmp(&other.session).then_with(|| one.cmp(other)));
        for key in touched {
            if !self.seal_session(key, moment, settings, outputs)? {
                too_large.push(key.clone());
            }
            if let Some(slot) = self.slots.get_mut(key) {
                slot.settle(self.busy);
            }
        }
        if !too_large.is_empty() {
            self.open = layer;
            for key in too_large {
                self.cut_off(&key, moment, settings, outputs)?;
            }
            layer = std::mem::take(&mut self.open);
            outputs.append(&mut layer.outputs);
        }
        outputs.extend(layer.counts.drain().into_iter().map(Output::Activity));
        let value = state::encode_partition(&Position {
            log_time: self.log_time,
            next_offset: position,
            replay: self.behind.from(),
            poison: Some(self.poison).filter(|poison| !poison.is_empty()),
        })?;
        let key = Bytes::from_static(state::PARTITION_KEY);
        outputs.push(Output::State { partition: self.number, key, value: Some(value) });
        self.sealed = Some(layer);
        self.layer += 1;
        Ok(Some(position))
    }

    /// Touches sessions whose next revision is due: a quarter of a commit's room, however full the layer
    /// is with what records have touched, so that a stream of them keeps no revision back.
    fn wake_reports(&mut self, log_time: i64, room: Room) {
        let mut later = Vec::new();
        let (sessions, bytes) = (self.open.sessions + room.sessions / 4, self.open.bytes + room.bytes / 4);
        while self.open.sessions < sessions
            && self.open.bytes < bytes
            && let Some((queued, key)) = self.reports.pop(log_time)
        {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if slot.report_queued != queued {
                continue;
            }
            slot.report_queued = i64::MAX;
            match slot.pace().report_due {
                Some(due) if due > log_time => later.push(key),
                Some(_) => drop(self.touch(&key).map(|_| ())),
                None => {}
            }
        }
        for key in later {
            self.wake(&key);
        }
    }

    /// Puts out a session's report and state where they are due; false where its state is too
    /// large for its topic.
    fn seal_session(
        &mut self,
        key: &SessionKey,
        moment: Moment,
        settings: &Settings,
        outputs: &mut Vec<Output>,
    ) -> Result<bool, Halt> {
        let partition = self.number;
        let Some(slot) = self.slots.get_mut(key) else {
            let value = self.write(key, moment.position)?;
            outputs.push(Output::State { partition, key: key.to_bytes(), value });
            return Ok(true);
        };
        let place = Place {
            partition,
            tenant: &key.tenant,
            session: key.session,
            log_time: moment.log_time,
            worker: &settings.worker,
        };
        let Pace { report_due, lingers, .. } = slot.pace();
        if lingers || report_due.is_some_and(|due| due <= moment.log_time) {
            let session = slot.session();
            let before = session.reported;
            settle(session, &place, settings, key, outputs)?;
            // What was put out of it is in no record of play.events.
            slot.due |= session.reported != before;
        }
        if slot.due {
            let value = self.write(key, moment.position)?;
            if value.as_ref().is_some_and(|value| value.len() > state::MOST_BYTES) {
                return Ok(false);
            }
            outputs.push(Output::State { partition, key: key.to_bytes(), value });
        }
        self.wake(key);
        Ok(true)
    }

    /// The state of a session as it stands now, to be written; none where it is forgotten.
    fn write(&mut self, key: &SessionKey, position: i64) -> Result<Option<Bytes>, Halt> {
        let Some(slot) = self.slots.get_mut(key) else {
            let marker = self.markers.get(key);
            return Ok(marker.map(|marker| state::encode_marker(&marker, position)).transpose()?);
        };
        let value = state::encode_session(slot.look(), position)?;
        self.behind.remove(slot.saved.since);
        slot.saved = Saved { written: value.len(), until: position, since: None };
        slot.due = false;
        Ok(Some(value))
    }

    /// Ends a session whose state the log would refuse for ever. Its bounds see to it that it never
    /// comes so far, unless they are set too wide.
    fn cut_off(
        &mut self,
        key: &SessionKey,
        moment: Moment,
        settings: &Settings,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Halt> {
        let Some(slot) = self.slots.get_mut(key) else { return Ok(()) };
        let Reread { released, evicted } = slot.session().cut_off(moment.log_time);
        for released in released {
            self.release(key, released)?;
        }
        match evicted {
            Some(marker) => self.retire(key, &marker),
            None => self.evict(key, moment.log_time, settings)?,
        }
        let value = self.write(key, moment.position)?;
        outputs.push(Output::State { partition: self.number, key: key.to_bytes(), value });
        self.wake(key);
        Ok(())
    }

    /// The commit is done: what was before is forgotten.
    pub(super) fn committed(&mut self) {
        for key in self.sealed.take().iter().flat_map(|layer| layer.before.keys()) {
            if let Some(slot) = self.slots.get_mut(key).filter(|slot| slot.layer != self.layer) {
                slot.lull();
            }
        }
    }

    /// Goes back to what was committed.
    pub(super) fn roll_back(&mut self) {
        let layers = [Some(std::mem::take(&mut self.open)), self.sealed.take()];
        for layer in layers.into_iter().flatten() {
            if let Some(start) = layer.start {
                (self.log_time, self.position) = (start.log_time, start.position);
                self.poison = start.poison;
            }
            for (key, before) in layer.before {
                self.remove(&key);
                match before {
                    Before::Absent => {}
                    Before::Marker(marker) => self.markers.insert(&key, &marker),
                    Before::Live(image, saved) => {
                        self.insert(key.clone(), Slot::again(image, saved));
                        self.wake(&key);
                    }
                }
            }
            self.show_again(layer.shown);
        }
        self.layer += 1;
        // It is read again, and stops again.
        self.stop = None;
        self.drop_backlog();
        self.flowing();
    }
}

/// Reports a session if it is due; ends its snapshots if it runs no more.
fn settle(
    session: &mut Session,
    place: &Place<'_>,
    settings: &Settings,
    key: &SessionKey,
    outputs: &mut Vec<Output>,
) -> Result<(), Halt> {
    let unreported = session.reported.revision == 0;
    if session.report_due().is_some_and(|due| due <= place.log_time) {
        let whole = session.whole(&context(settings, key))?;
        publish(session, &whole, session.status(false), place, outputs)?;
    }
    // One of which no state tells may have been shown, too: a snapshot is no reason to write a state.
    let first = unreported && session.reported.revision > 0;
    if session.is_closed() && (first || session.reported.live) {
        session.reported.live = false;
        outputs.push(Output::Gone(key.clone()));
    }
    Ok(())
}

/// Puts out a session's next revision, in each version of the metrics.
pub(super) fn publish(
    session: &mut Session,
    whole: &Told,
    status: Status,
    place: &Place<'_>,
    outputs: &mut Vec<Output>,
) -> Result<(), Halt> {
    let Some(owner) = &session.owner else { return Ok(()) };
    let reports = reports(session, owner, whole, status, place)?;
    let reported = &mut session.reported;
    (reported.revision, reported.at) = (reported.revision + 1, place.log_time);
    (reported.is_final, reported.pending) = (status == Status::Final, false);
    outputs.extend(reports.into_iter().map(|report| Output::Report(Box::new(report))));
    Ok(())
}
