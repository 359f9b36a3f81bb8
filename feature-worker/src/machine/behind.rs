//! Sessions whose record in play.session-state lacks events: which of them are to be written next.

use std::collections::BTreeMap;

use super::layer::{MOST_RECORDS, Room};
use super::partition::Partition;
use super::slot::Since;
use crate::state::{Replay, SessionKey};

/// Sessions by the first record that their written state lacks. A record is of one session, so no two share one.
#[derive(Debug, Default)]
pub(super) struct Behind(BTreeMap<i64, (i64, SessionKey)>);

impl Behind {
    /// A session's written state lacks that record, and perhaps later ones.
    pub(super) fn insert(&mut self, since: Since, key: SessionKey) {
        self.0.insert(since.offset, (since.log_time, key));
    }

    /// A session has been written, or is as it was before.
    pub(super) fn remove(&mut self, since: Option<Since>) {
        if let Some(since) = since {
            self.0.remove(&since.offset);
        }
    }

    /// Where reading again would begin; none where every session has been written.
    pub(super) fn from(&self) -> Option<Replay> {
        self.0.first_key_value().map(|(offset, (log_time, _))| Replay { from: *offset, log_time: *log_time })
    }
}

impl Partition {
    /// Records that a restore would read again.
    pub fn behind(&self) -> i64 {
        self.behind.from().zip(self.position()).map_or(0, |(replay, position)| position - replay.from)
    }

    /// Sessions that are to be written lest more is to be read again than there is room for; all of them
    /// to leave nothing. No more than a commit has room for beside what it has.
    pub(super) fn catch_up(&mut self, room: Room, all: bool) {
        let Some(position) = self.position().filter(|_| self.accepts()) else { return };
        let first = position.saturating_sub(i64::try_from(room.window.records).unwrap_or(i64::MAX));
        let earliest = self.log_time.saturating_sub(room.window.age_ms);
        let overdue = |offset: i64, at: i64| all || offset < first || at < earliest;
        let late = self.behind.0.iter().take_while(|(offset, (at, _))| overdue(**offset, *at));
        let late: Vec<SessionKey> = late.take(room.sessions).map(|(_, (_, key))| key.clone()).collect();
        let most = self.open.bytes + room.bytes / 2;
        for key in late {
            self.touch(&key);
            if self.open.bytes >= most {
                break;
            }
        }
    }

    /// Whether so much is to be read again that records have to wait until more sessions are written.
    pub(super) fn is_far_behind(&self, room: Room) -> bool {
        let most = room.window.records.saturating_mul(2).saturating_add(MOST_RECORDS);
        self.behind() > i64::try_from(most).unwrap_or(i64::MAX)
    }
}
