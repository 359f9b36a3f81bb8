//! Takes up a partition's state: what play.session-state holds, and the events that its records lack.
//!
//! Those are read again without output: what came of them was committed. It comes to the same, for a
//! session is written in the commit that does to it what its records alone do not tell.

use eventlog::Record;
use schemas::record::stamp::StampError;

use super::apply::read;
use super::halt::Halt;
use super::partition::{Partition, Phase, context};
use super::slot::{Saved, Since, Slot};
use super::{Restored, Settings};
use crate::session::Session;
use crate::state::{self, Entry, Kept, Replay, SessionKey};

/// Sessions that are unpacked at once while events are read again.
const MOST_AWAKE: usize = 1_024;

/// How a partition goes on when its changelog has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// With new records, from there; from the oldest if none.
    Live(Option<i64>),
    /// With events that are to be read again.
    Behind { from: i64, until: i64 },
}

impl Partition {
    /// Takes in records of the changelog.
    pub(super) fn restore(&mut self, records: Vec<Restored>) {
        for Restored { record, bytes } in records {
            match record {
                state::Record::Partition(read) => {
                    (self.log_time, self.position, self.replay) = (read.log_time, Some(read.next_offset), read.replay);
                    self.poison = read.poison.unwrap_or_default();
                }
                state::Record::Session(key, Some(Kept { entry: Entry::Live(session), until })) => {
                    let mut slot = Slot::new(session, Saved { written: bytes, until, since: None });
                    slot.settle(false);
                    self.insert(key, slot);
                }
                state::Record::Session(key, Some(Kept { entry: Entry::Marker(marker), .. })) => {
                    self.remove(&key);
                    self.markers.insert(&key, &marker);
                }
                state::Record::Session(key, None) => self.remove(&key),
            }
        }
    }

    /// The changelog has been read; answers with where to go on.
    pub(super) fn restored(&mut self) -> Result<Resume, Halt> {
        let found = self.position.unwrap_or(0);
        if let Some(committed) = self.group_offset.filter(|committed| *committed > found) {
            return Err(Halt::Lost { partition: self.number, committed, found });
        }
        let Some(replay) = self.replay.filter(|replay| replay.from < found) else {
            self.go_live();
            // State and offsets are committed as one; the state's own position is what it stands for.
            return Ok(Resume::Live(self.position));
        };
        self.phase = Phase::Replaying;
        let end = self.log_time;
        self.log_time = replay.log_time;
        self.replay = Some(Replay { log_time: end, ..replay });
        Ok(Resume::Behind { from: replay.from, until: found })
    }

    /// Takes in records of play.events again.
    pub(super) fn replay(&mut self, records: &[Record], settings: &Settings) -> Result<(), Halt> {
        if self.awake.len() > MOST_AWAKE {
            self.lull();
        }
        for record in records {
            // A read that broke off begins anew: what was handed in already is passed over.
            let from = self.replay.map_or(i64::MAX, |replay| replay.from);
            if record.offset >= from && self.position.is_some_and(|end| record.offset < end) {
                self.replay_record(record, settings)?;
                self.replay = self.replay.map(|replay| Replay { from: record.offset + 1, ..replay });
            }
        }
        Ok(())
    }

    /// All that was to be read again has been; answers with where to go on.
    pub(super) fn replayed(&mut self) -> Option<i64> {
        if let Some(replay) = self.replay.take() {
            self.log_time = self.log_time.max(replay.log_time);
        }
        self.go_live();
        self.position
    }

    fn go_live(&mut self) {
        self.phase = Phase::Live;
        self.lull();
        let keys: Vec<SessionKey> = self.slots.keys().cloned().collect();
        for key in keys {
            self.wake(&key);
        }
    }

    fn replay_record(&mut self, record: &Record, settings: &Settings) -> Result<(), Halt> {
        let value = record.value.clone().unwrap_or_default();
        let (stamp, event) = match read(&value, &mut self.names) {
            Ok(told) => told,
            Err(error @ StampError::Newer(_)) => {
                return Err(Halt::Newer { partition: self.number, offset: record.offset, error });
            }
            Err(_) => return Ok(()),
        };
        self.log_time = self.log_time.max(stamp.received_at.ms());
        let arrival = self.arrival(&stamp, record);
        let of = |session| SessionKey { tenant: stamp.tenant.clone(), session };
        if let Some(hole) = &stamp.hole {
            let key = of(hole.session_id);
            if let Some(session) = self.lacking(&key, record.offset) {
                session.hole(hole.seq, &arrival, &context(settings, &key))?;
            }
        } else if let Some(Ok((event, raw))) = event {
            let key = of(event.session_id);
            if let Some(session) = self.lacking(&key, record.offset) {
                session.event(&event, raw, &arrival, &context(settings, &key))?;
            }
        }
        Ok(())
    }

    /// The session under a key where its written state lacks a record. One that is not there has been
    /// forgotten since, and a marker knows of all that changed it: both were written then.
    fn lacking(&mut self, key: &SessionKey, offset: i64) -> Option<&mut Session> {
        let slot = self.slots.get_mut(key).filter(|slot| slot.saved.until <= offset)?;
        if slot.saved.since.is_none() {
            let since = Since { offset, log_time: self.log_time };
            slot.saved.since = Some(since);
            self.behind.insert(since, key.clone());
        }
        if slot.is_at_rest() {
            self.awake.push(key.clone());
        }
        Some(slot.session())
    }

    /// Puts to rest what has been changed.
    fn lull(&mut self) {
        for key in self.awake.drain(..) {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.settle(false);
            }
        }
    }
}
