//! One owned partition: its sessions, its log time, its deadlines.

use std::collections::{HashMap, HashSet, VecDeque};

use eventlog::Record;
use foldhash::quality::RandomState;

use super::behind::Behind;
use super::layer::{Layer, Room};
use super::markers::Markers;
use super::poison::{Poison, Stop};
use super::slot::Slot;
use super::timers::Timers;
use super::{Command, Settings};
use schemas::record::stamp::Names;

use crate::session::rest::Pace;
use crate::session::told::Context;
use crate::state::{Replay, SessionKey};

/// One owned partition.
#[derive(Debug)]
pub struct Partition {
    pub(super) number: i32,
    epoch: u64,
    pub(super) phase: Phase,
    /// The largest `received_at` read, in ms.
    pub(super) log_time: i64,
    /// By the monotonic clock, since when all that the partition holds has been read.
    pub(super) drained_at: Option<i64>,
    /// The next offset to be read.
    pub(super) position: Option<i64>,
    /// Records that wait for their turn, and the position after them.
    pub(super) backlog: VecDeque<Record>,
    pub(super) backlog_end: Option<i64>,
    /// The log has nothing beyond them.
    pub(super) caught_up: bool,
    /// Where the group says to go on.
    pub(super) group_offset: Option<i64>,
    /// While it is restored: the next event that some session's record may lack, and log time at the end.
    pub(super) replay: Option<Replay>,
    /// Sessions that live.
    pub(super) slots: HashMap<SessionKey, Slot, RandomState>,
    /// What is left of those that were evicted.
    pub(super) markers: Markers,
    /// By log time.
    pub(super) deadlines: Timers,
    /// By log time.
    pub(super) reports: Timers,
    /// By the monotonic clock.
    pub(super) snapshots: Timers,
    /// While events are read again: sessions that are not at rest.
    pub(super) awake: Vec<SessionKey>,
    /// Sessions whose record lacks events.
    pub(super) behind: Behind,
    pub(super) open: Layer,
    pub(super) sealed: Option<Layer>,
    /// Whether a commit has several records of each session that it touches: else each is put to rest after its record.
    pub(super) busy: bool,
    /// Names the open layer.
    pub(super) layer: u64,
    /// Sessions that wait for the log to be read back.
    unread: HashSet<SessionKey>,
    /// Those of which the log has been asked, while it has not answered.
    asked: Option<HashSet<SessionKey>>,
    /// Records that can't be read, up to the position.
    pub(super) poison: Poison,
    /// Where there were too many of them.
    pub(super) stop: Option<Stop>,
    /// Those below this offset a person has let through.
    pub(super) let_through: i64,
    /// Tenants and games that its records told.
    pub(super) names: Names,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The changelog is read.
    Restoring,
    /// Events are read again that some session's record lacks.
    Replaying,
    Live,
    Leaving,
}

impl Partition {
    pub(super) fn new(number: i32, epoch: u64, group_offset: Option<i64>) -> Self {
        Self {
            number,
            epoch,
            phase: Phase::Restoring,
            log_time: i64::MIN,
            drained_at: None,
            position: None,
            backlog: VecDeque::new(),
            backlog_end: None,
            caught_up: false,
            group_offset,
            replay: None,
            slots: HashMap::default(),
            markers: Markers::default(),
            deadlines: Timers::default(),
            reports: Timers::default(),
            snapshots: Timers::default(),
            awake: Vec::new(),
            behind: Behind::default(),
            open: Layer::default(),
            sealed: None,
            busy: true,
            layer: 1,
            unread: HashSet::new(),
            asked: None,
            poison: Poison::default(),
            stop: None,
            let_through: i64::MIN,
            names: Names::default(),
        }
    }

    /// Sessions that live here.
    pub fn live_sessions(&self) -> usize {
        self.slots.len()
    }

    /// Evicted sessions that are remembered.
    pub fn markers(&self) -> usize {
        self.markers.len()
    }

    /// Sessions of which it is kept what they were, for an abort.
    pub fn touched(&self) -> usize {
        self.open.before.len() + self.sealed.as_ref().map_or(0, |layer| layer.before.len())
    }

    /// Bytes that the markers take in memory, but for what the allocator adds.
    pub fn marker_bytes(&self) -> usize {
        self.markers.bytes()
    }

    /// Log time, in ms since the epoch; none before the first record.
    pub fn log_time(&self) -> Option<i64> {
        (self.log_time > i64::MIN).then_some(self.log_time)
    }

    /// How far log time is behind `now_ms` of the wall's clock; 0 when all has been read.
    pub fn lag_ms(&self, now_ms: i64) -> i64 {
        match self.log_time() {
            Some(at) if self.drained_at.is_none() => now_ms.saturating_sub(at).max(0),
            _ => 0,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Restoring | Phase::Replaying)
    }

    pub(super) fn is_restoring(&self) -> bool {
        self.phase == Phase::Restoring
    }

    /// Whether it takes in events again, in that assignment.
    pub(super) fn is_replaying(&self, epoch: u64) -> bool {
        self.phase == Phase::Replaying && self.epoch == epoch
    }

    pub(super) fn accepts(&self) -> bool {
        self.phase == Phase::Live
    }

    pub(super) fn leave(&mut self) {
        self.phase = Phase::Leaving;
        self.drop_backlog();
    }

    pub(super) fn drop_backlog(&mut self) {
        self.backlog.clear();
        (self.backlog_end, self.caught_up) = (None, false);
    }

    pub(super) fn position(&self) -> Option<i64> {
        self.position
    }

    /// Whether records wait for a commit to make room.
    pub(super) fn is_behind(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Whether records have to wait until a commit has made room.
    pub(super) fn is_full(&self, room: Room) -> bool {
        self.open.is_full(room) || self.is_far_behind(room)
    }

    pub(super) fn is_clean(&self) -> bool {
        self.open.is_clean() && self.sealed.is_none()
    }

    /// Sees to it that a session's deadlines are in the queues.
    pub(super) fn wake(&mut self, key: &SessionKey) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Pace { deadline, report_due, reads, .. } = slot.pace();
        if reads && self.asked.as_ref().is_none_or(|asked| !asked.contains(key)) {
            self.unread.insert(key.clone());
        }
        if let Some(due) = report_due.filter(|due| *due < slot.report_queued) {
            slot.report_queued = due;
            self.reports.push(due, key.clone());
        }
        if deadline < slot.queued {
            slot.queued = deadline;
            self.deadlines.push(deadline, key.clone());
        }
    }

    /// What the log is to be asked for.
    pub(super) fn ask(&mut self) -> Option<Command> {
        if self.asked.is_some() || self.phase != Phase::Live {
            return None;
        }
        let (mut asked, mut from, mut until) = (HashSet::new(), i64::MAX, i64::MIN);
        for key in std::mem::take(&mut self.unread) {
            if let Some(slot) = self.slots.get_mut(&key)
                && let Some(readback) = &slot.look().readback
            {
                (from, until) = (from.min(readback.from), until.max(readback.until));
                asked.insert(key);
            }
        }
        if asked.is_empty() {
            return None;
        }
        let mut sessions: Vec<_> = asked.iter().cloned().collect();
        sessions.sort_unstable();
        self.asked = Some(asked);
        Some(Command::ReadBack { partition: self.number, epoch: self.epoch, from, until, sessions })
    }

    /// The sessions that the log was asked for, in order.
    pub(super) fn answered(&mut self) -> Vec<SessionKey> {
        let mut asked: Vec<_> = self.asked.take().into_iter().flatten().collect();
        asked.sort_unstable();
        asked
    }
}

/// What a session needs to know beside its own state.
pub(super) fn context<'a>(settings: &'a Settings, key: &'a SessionKey) -> Context<'a> {
    Context { games: &settings.games, tenant: &key.tenant }
}
