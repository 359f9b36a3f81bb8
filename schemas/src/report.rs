//! play.sessions: what a closed session comes to.
//!
//! *Facts* come from the record of the session alone and are the same to the byte whatever the
//! arrival order; *provenance* tells how this report came about.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::data::{CloseReason, EvidenceSource, Skill};
use crate::id::{Game, PlayerId, Tenant};
use crate::metrics::Metrics;
use crate::time::Timestamp;

/// A record of play.sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Form of this record.
    pub v: u32,
    /// Whose.
    pub tenant: Tenant,
    /// Which game.
    pub game: Game,
    /// Who played.
    #[serde(deserialize_with = "crate::id::owned_player")]
    pub player: PlayerId<'static>,
    /// The session.
    pub session: Uuid,
    /// Play, or evidence from outside the game.
    pub kind: Kind,
    /// From 1; a newer one replaces all that an older one told.
    pub revision: u64,
    /// Whether more is to be expected.
    pub status: Status,
    /// What the record alone tells.
    pub facts: Facts,
    /// SHA-256 of the facts in canonical JSON (RFC 8785), hexadecimal.
    pub facts_sha256: String,
    /// How this report came about.
    pub provenance: Provenance,
}

/// What a session is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A player's session.
    Play,
    /// Nothing but evidence.recorded; no part of play statistics.
    Evidence,
}

/// Whether more is to be expected of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A gap is open, or no close with a seq ends it: a later revision may tell more.
    Provisional,
    /// No gap up to a close that has a seq, or grace is over.
    Final,
}

/// What the record of a session alone tells. Fields that say nothing are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The definitions that the metrics follow.
    pub metrics_version: u32,
    /// Why it was closed.
    pub close_reason: CloseReason,
    /// First event, on the client's clock.
    pub started: Timestamp,
    /// Last event, on the client's clock.
    pub ended: Timestamp,
    /// No seq up to the highest event or hole lacks an event; null without seq.
    pub complete: Option<bool>,
    /// What went wrong on the way, in alphabetical order; empty as a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// The idle threshold in force at the first event, in ms.
    pub idle_ms: i64,
    /// The event types that the game declared to send at the first event's time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emits: Vec<String>,
    /// What session.started told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What session.started told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// What session.started told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The metrics.
    pub metrics: Metrics,
    /// Each task that the session touched, in the order of first mention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskFigures>,
    /// Evidence of skills, by source, skill, signal and ordinal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// What went wrong with a session's record on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The buffer's bound was reached, and the fold passed a gap: arrival order mattered.
    GapSkipped,
    /// A bound on what is remembered of a session was reached. Of tasks, evidence and texts: some figures leave
    /// out what came after. Of events: a repeat of an old one may have counted as new where the session has no
    /// seq, and what came late for an old place of one with seq was set aside.
    Truncated,
}

impl Facts {
    /// Leaves the figures of tasks out, and says so.
    pub fn leave_out_tasks(&mut self) {
        self.tasks.clear();
        self.flags.push(Flag::Truncated);
        self.flags.sort_unstable();
        self.flags.dedup();
    }
}

/// What a session did on one task. Its members stand in canonical order, so that they need not be put in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFigures {
    /// task.abandoned events.
    pub abandons: u64,
    /// task.attempted events.
    pub attempts: u64,
    /// task.completed events.
    pub completions: u64,
    /// Whether the first attempt succeeded; null without attempts.
    pub first_try: Option<bool>,
    /// hint.requested events.
    pub hints: u64,
    /// Unpaused time from the first start to the first completion, in ms; null where the task was not
    /// started before its first completion, or not completed.
    pub spent_ms: Option<i64>,
    /// task.started events.
    pub starts: u64,
    /// Attempts that succeeded.
    pub successes: u64,
    /// The task.
    pub task_id: String,
}

/// A piece of evidence of a skill: so many successes of so many opportunities. Its members stand in canonical order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// When, on the client's clock.
    pub at: Timestamp,
    /// Opportunities; > 0.
    pub opportunities: f64,
    /// Counts pieces of the same skill, source and signal, from 0.
    pub ordinal: u64,
    /// What it was read from; for evidence.recorded the source's own name.
    pub signal: String,
    /// The skill.
    pub skill: Skill,
    /// Who says so.
    pub source: EvidenceSource,
    /// Successes; a fraction for evidence.recorded.
    pub successes: f64,
    /// What one opportunity weighs.
    pub weight: f64,
}

/// How a report came about. May differ between reports of equal facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Partition of play.events.
    pub partition: i32,
    /// Offset of the session's first record.
    pub first_offset: i64,
    /// Offset of the latest record that took a place.
    pub last_offset: i64,
    /// Records that told again what was known.
    pub repeats: u64,
    /// Smallest received_at − sent_at over the session's requests, in ms; null where no request said when it was sent.
    pub clock_offset_ms: Option<i64>,
    /// Facts' `started`, corrected by the offset.
    pub started_at: Timestamp,
    /// Facts' `ended`, corrected by the offset.
    pub ended_at: Timestamp,
    /// The client's version, as the first record that has one told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// The session time-out in force at the first arrival, in ms.
    pub session_timeout_ms: i64,
    /// The grace in force at the first arrival, in ms.
    pub grace_ms: i64,
    /// The longest session allowed at the first arrival, in ms of log time.
    pub cap_ms: i64,
    /// How much was remembered of the session; none in a report of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// The worker's build.
    pub worker: String,
    /// When it was reported, in the partition's log time.
    pub reported_at: Timestamp,
}

/// How much was remembered of a session, as set for its game at the first arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// So many of its newest events were told apart by their ids.
    pub events: usize,
    /// Most events that were buffered behind a gap.
    pub buffer_events: usize,
    /// Most bytes that were buffered behind a gap.
    pub buffer_bytes: usize,
    /// Most tasks with figures of their own.
    pub tasks: usize,
    /// Most bytes of these figures.
    pub task_bytes: usize,
    /// Most pieces of evidence.recorded.
    pub evidence: usize,
    /// Most bytes of each text of session.started.
    pub text_bytes: usize,
}
