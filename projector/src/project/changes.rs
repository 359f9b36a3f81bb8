//! The changes of rows that a load comes to.

use chrono::NaiveDate;
use eventlog::TopicPartition;
use schemas::Timestamp;
use schemas::record::live::Live;
use schemas::record::quarantine::Reason;
use schemas::report::{Evidence, Report, TaskFigures};
use uuid::Uuid;

use super::tasks::TaskGrowth;
use super::{SessionKey, Skipped};
use crate::decode::{LoggedEvent, SetAside};
use crate::load::Entry;

/// What becomes of the tables; each row is touched once.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// The newest report of each session that has news.
    pub sessions: Vec<SessionRow<'a>>,
    /// Their reports again, for the metrics.
    pub metrics: Vec<&'a Report>,
    /// Figures of tasks that are new or differ from those of the older revision.
    pub tasks: Vec<TaskRow<'a>>,
    /// Tasks of an older revision that the newer one does not have, by session and ordinal.
    pub tasks_gone: Vec<(SessionKey<'a>, i64)>,
    /// What tasks' sums gain or lose.
    pub task_growth: TaskGrowth<'a>,
    /// Evidence of skills.
    pub evidence: Vec<EvidenceRow<'a>>,
    /// Sessions whose older revision may have given evidence that the newer one does not give.
    pub evidence_gone: Vec<SessionKey<'a>>,
    /// What players' rows gain or lose.
    pub players: Vec<PlayerChange<'a>>,
    /// What players' days gain or lose.
    pub days: Vec<DayChange<'a>>,
    /// The latest snapshot of each running session.
    pub live: Vec<&'a Live>,
    /// Sessions that run no more.
    pub live_ended: Vec<SessionKey<'a>>,
    /// To be added to activity_by_minute.
    pub activity: Vec<Count<'a>>,
    /// To be added to worker_outcomes.
    pub worker_outcomes: Vec<Count<'a>>,
    /// To be added to outcomes.
    pub outcomes: Vec<Count<'a>>,
    /// What was set aside.
    pub quarantine: Vec<Positioned<'a, SetAside>>,
    /// Events for event_log.
    pub events: Vec<Positioned<'a, LoggedEvent>>,
    /// Reports that begin a second life of their session, the newest of each.
    pub second_lives: Vec<SecondLife<'a>>,
    /// Records that change no row and have to be listed in the quarantine.
    pub refused: Vec<Refusal<'a>>,
    /// Records that change no row because their tenant keeps what is so old no longer, by model.
    pub skipped: Skipped,
}

/// A session that has news.
#[derive(Clone, Copy, Debug)]
pub struct SessionRow<'a> {
    /// Its newest report.
    pub report: &'a Report,
    /// The day of its start in the game's time zone; none for evidence.
    pub day: Option<NaiveDate>,
    /// The revision that has a row; none for a session that is new.
    pub revises: Option<i64>,
}

/// A task of a session.
#[derive(Clone, Copy, Debug)]
pub struct TaskRow<'a> {
    /// Whose report.
    pub report: &'a Report,
    /// Place in the order of first mention.
    pub ordinal: i64,
    /// The figures.
    pub task: &'a TaskFigures,
}

/// The evidence of a session, at least one piece.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceRow<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Of which session.
    pub session: Uuid,
    /// The pieces.
    pub pieces: &'a [Evidence],
}

/// What a player's row gains or loses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayerChange<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Who.
    pub player_id: &'a str,
    /// Sessions more or fewer.
    pub sessions: i64,
    /// Events more or fewer.
    pub events: i64,
    /// Active time more or less, in ms.
    pub active_ms: i64,
    /// First start and last end among what is gained.
    pub seen: Option<(Timestamp, Timestamp)>,
    /// A first or last time may have been taken back: the row is counted anew from the sessions.
    pub recount: bool,
}

/// What a player's day gains or loses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayChange<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Which game.
    pub game: &'a str,
    /// Who.
    pub player_id: &'a str,
    /// Which day, in the game's time zone.
    pub day: NaiveDate,
    /// Sessions more or fewer; never 0.
    pub sessions: i64,
}

/// So many more of one word in one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Which game.
    pub game: &'a str,
    /// Start of the minute.
    pub minute: Timestamp,
    /// Event type or outcome.
    pub word: String,
    /// How many more.
    pub events: i64,
}

/// A row whose key is its place in the log.
#[derive(Clone, Copy, Debug)]
pub struct Positioned<'a, T> {
    /// Partition of its topic.
    pub partition: i64,
    /// Offset there.
    pub offset: i64,
    /// The rest of it.
    pub row: &'a T,
}

/// A report that begins a second life of its session.
#[derive(Clone, Copy, Debug)]
pub struct SecondLife<'a> {
    /// The report.
    pub report: &'a Report,
    /// Where the life began that is kept: partition and offset of the events topic.
    pub kept: (i64, i64),
    /// Where the report lies in the sessions topic: partition.
    pub partition: i64,
    /// And offset.
    pub offset: i64,
}

impl SecondLife<'_> {
    /// Why it is refused, in one sentence.
    pub fn why(&self) -> String {
        let (partition, offset) = self.kept;
        let begins = &self.report.provenance;
        format!(
            "session {} began at partition {partition} offset {offset}; this report is of one that began at partition {} offset {}",
            self.report.session, begins.partition, begins.first_offset
        )
    }
}

/// A record that changes no row.
#[derive(Clone, Debug)]
pub struct Refusal<'a> {
    /// Where it lies.
    pub partition: &'a TopicPartition,
    /// The record.
    pub entry: &'a Entry,
    /// The word for why.
    pub reason: Reason,
    /// Why, in one sentence.
    pub why: String,
}
