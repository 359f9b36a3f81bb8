//! Makes a commit of what has been folded, and goes back where it was aborted.

use bytes::Bytes;
use schemas::report::Status;

use super::Settings;
use super::halt::Halt;
use super::layer::{Before, Room};
use super::output::Output;
use super::partition::{Partition, context};
use super::slot::{Saved, Slot, Snapshot};
use crate::report::{Place, report, snapshot};
use crate::session::Session;
use crate::session::rebuild::Reread;
use crate::session::told::Told;
use crate::state::{self, Position, SessionKey};

/// When a commit is made, and of what.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// The monotonic clock, in ms.
    now: i64,
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
        self.take_snapshots(now, settings, room);
        self.catch_up(room, flush);
        let Some(position) = self.position else { return Ok(None) };
        if self.open.is_clean() {
            return Ok(None);
        }
        let moment = Moment { now, log_time, position };
        let mut layer = std::mem::take(&mut self.open);
        outputs.append(&mut layer.outputs);
        let mut too_large = Vec::new();
        // In an order of their own, so that the same inputs give the same outputs.
        let mut touched: Vec<_> = layer.before.keys().collect();
        touched.sort_unstable_by(|one, other| one.session.cmp(&other.session).then_with(|| one.cmp(other)));
        for key in touched {
            if !self.seal_session(key, moment, settings, outputs)? {
                too_large.push(key.clone());
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
            match slot.session.report_due() {
                Some(due) if due > log_time => later.push(key),
                Some(_) => drop(self.touch(&key).map(|_| ())),
                None => {}
            }
        }
        for key in later {
            self.wake(&key);
        }
    }

    /// Puts out a session's report, snapshot and state where they are due; false where its state is too
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
        let before = slot.session.reported;
        settle(&mut slot.session, &place, settings, key, outputs)?;
        let later = show(slot, key, moment.now, settings, outputs);
        // What was put out of it is in no record of play.events.
        slot.due |= slot.session.reported != before;
        let due = slot.due;
        if let Some(later) = later {
            self.snapshots.push(later, key.clone());
        }
        if due {
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
        let value = state::encode_session(&slot.session, position)?;
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
        let Reread { released, evicted } = slot.session.cut_off(moment.log_time);
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

    /// Snapshots that had to wait, as many as there is room for.
    fn take_snapshots(&mut self, now: i64, settings: &Settings, room: Room) {
        for _ in 0..room.sessions {
            let Some((_, key)) = self.snapshots.pop(now) else { break };
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            slot.snapshot = Snapshot::Sent(now);
            if !slot.session.is_closed()
                && let Some(live) = snapshot(&slot.session, &key.tenant, key.session, &context(settings, &key))
            {
                self.open.outputs.push(Output::Live(Box::new(live)));
            }
        }
    }

    /// The commit is done: what was before is forgotten.
    pub(super) fn committed(&mut self) {
        self.sealed = None;
    }

    /// Goes back to what was committed.
    pub(super) fn roll_back(&mut self) {
        let layers = [Some(std::mem::take(&mut self.open)), self.sealed.take()];
        for layer in layers.into_iter().flatten() {
            if let Some(start) = layer.start {
                (self.log_time, self.position) = (start.log_time, start.position);
                self.poison_run = start.poison_run;
            }
            for (key, before) in layer.before {
                self.remove(&key);
                match before {
                    Before::Absent => {}
                    Before::Marker(marker) => self.markers.insert(&key, &marker),
                    Before::Live(session, saved) => {
                        self.insert(key.clone(), Slot::new(session, saved));
                        self.wake(&key);
                    }
                }
            }
        }
        self.layer += 1;
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
    if session.report_due().is_some_and(|due| due <= place.log_time) {
        let whole = session.whole(&context(settings, key))?;
        publish(session, &whole, session.status(false), place, outputs)?;
    }
    if session.reported.live && session.is_closed() {
        session.reported.live = false;
        outputs.push(Output::Gone(key.clone()));
    }
    Ok(())
}

/// Puts out a session's next revision.
pub(super) fn publish(
    session: &mut Session,
    whole: &Told,
    status: Status,
    place: &Place<'_>,
    outputs: &mut Vec<Output>,
) -> Result<(), Halt> {
    let Some(owner) = &session.owner else { return Ok(()) };
    let report = report(session, owner, whole, status, place)?;
    let reported = &mut session.reported;
    (reported.revision, reported.at) = (report.revision, place.log_time);
    (reported.is_final, reported.pending) = (status == Status::Final, false);
    outputs.push(Output::Report(Box::new(report)));
    Ok(())
}

/// Puts out a snapshot of a running session, or answers with when it may go.
fn show(slot: &mut Slot, key: &SessionKey, now: i64, settings: &Settings, outputs: &mut Vec<Output>) -> Option<i64> {
    let session = &mut slot.session;
    if session.is_closed() || session.owner.is_none() {
        return None;
    }
    match slot.snapshot {
        Snapshot::Queued => return None,
        Snapshot::Sent(at) if now < at.saturating_add(settings.snapshot_ms) => {
            slot.snapshot = Snapshot::Queued;
            return Some(at.saturating_add(settings.snapshot_ms));
        }
        Snapshot::Sent(_) | Snapshot::Never => {}
    }
    let live = snapshot(session, &key.tenant, key.session, &context(settings, key))?;
    session.reported.live = true;
    slot.snapshot = Snapshot::Sent(now);
    outputs.push(Output::Live(Box::new(live)));
    None
}
