//! The data of each type of the catalogue, and what is left of a studio's own.
//!
//! Only what metrics and read models use is kept here; the event's bytes keep everything.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// An event's data, by its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Data<'a> {
    /// `session.started`
    SessionStarted(SessionStarted<'a>),
    /// `session.closed`
    SessionClosed(CloseReason),
    /// `session.paused`
    SessionPaused,
    /// `session.resumed`
    SessionResumed,
    /// `session.heartbeat`
    SessionHeartbeat,
    /// `focus.lost`
    FocusLost,
    /// `focus.gained`
    FocusGained,
    /// `task.started`
    TaskStarted(TaskStarted<'a>),
    /// `task.attempted`
    TaskAttempted(TaskAttempted<'a>),
    /// `task.completed`
    TaskCompleted(TaskCompleted<'a>),
    /// `task.failed`
    TaskFailed(TaskId<'a>),
    /// `task.abandoned`
    TaskAbandoned(TaskId<'a>),
    /// `task.restarted`
    TaskRestarted(TaskId<'a>),
    /// `hint.requested`
    HintRequested(HintRequested<'a>),
    /// `strategy.changed`
    StrategyChanged(TaskId<'a>),
    /// `choice.made`
    ChoiceMade(ChoiceMade<'a>),
    /// `question.answered`
    QuestionAnswered(QuestionAnswered<'a>),
    /// `checkpoint.reached`
    CheckpointReached,
    /// `score.changed`
    ScoreChanged,
    /// `item.changed`
    ItemChanged,
    /// `social.message_sent`
    MessageSent,
    /// `social.help`
    Help(HelpDirection),
    /// `social.turn`
    Turn {
        /// Whether the player gave the turn away unasked.
        voluntary: bool,
    },
    /// `dialogue.viewed`
    DialogueViewed {
        /// Whether it was skipped.
        skipped: bool,
        /// How often it was read again.
        rereads: u64,
    },
    /// `client.error`
    ClientError,
    /// `evidence.recorded`
    EvidenceRecorded(EvidenceRecorded<'a>),
    /// A type that a tenant has registered.
    Custom,
}

/// Why a session was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// Played to its end.
    Completed,
    /// Left.
    Abandoned,
    /// The client failed.
    Error,
    /// No event for the session time-out: the worker's judgement, never a client's.
    Timeout,
    /// Longer than the cap: the worker's judgement, never a client's.
    TooLong,
}

impl CloseReason {
    /// The word that stands for it in events, reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Abandoned => "abandoned",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::TooLong => "too_long",
        }
    }
}

/// `session.started`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionStarted<'a> {
    /// Platform, as the client names it.
    pub platform: Option<Text<'a>>,
    /// Locale, as the client names it.
    pub locale: Option<Text<'a>>,
    /// Device, as the client names it.
    pub device: Option<Text<'a>>,
}

/// A type of which only the task matters.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskId<'a> {
    /// The task.
    pub task_id: Text<'a>,
}

/// `task.started`
#[derive(Clone, Debug, PartialEq)]
pub struct TaskStarted<'a> {
    /// The task.
    pub task_id: Text<'a>,
    /// How long it should take, in ms; > 0.
    pub expected_ms: Option<u64>,
}

/// `task.attempted`
#[derive(Clone, Debug, PartialEq)]
pub struct TaskAttempted<'a> {
    /// The task.
    pub task_id: Text<'a>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Solved.
    Success,
    /// Not solved.
    Failure,
    /// In part; no success.
    Partial,
}

/// `task.completed`
#[derive(Clone, Debug, PartialEq)]
pub struct TaskCompleted<'a> {
    /// The task.
    pub task_id: Text<'a>,
}

/// `hint.requested`
#[derive(Clone, Debug, PartialEq)]
pub struct HintRequested<'a> {
    /// The task.
    pub task_id: Text<'a>,
    /// Whether the hint gave the answer away.
    pub bottom_out: bool,
}

/// `choice.made`
#[derive(Clone, Debug, PartialEq)]
pub struct ChoiceMade<'a> {
    /// The skill that the choice shows, as the client names it: one of the seven, `leadership`, or other.
    pub skill: Option<Text<'a>>,
    /// Whether the choice was in line with that skill.
    pub aligned: Option<bool>,
    /// Time to decide, in ms.
    pub deliberation_ms: Option<u64>,
}

/// `question.answered`
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionAnswered<'a> {
    /// Whether the answer was right.
    pub correct: bool,
    /// The skills that the question asks for, as the client names them.
    pub skills: Vec<Text<'a>>,
}

/// `social.help`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelpDirection {
    /// The player helped.
    Given,
    /// The player was helped.
    Received,
}

/// `evidence.recorded`
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceRecorded<'a> {
    /// The skill judged.
    pub skill: Skill,
    /// Who judged.
    pub source: EvidenceSource,
    /// From 0 to 1.
    pub score: f64,
    /// What it weighs, in opportunities; > 0; 4 unless told.
    pub opportunities: f64,
    /// What was noted beside it.
    pub note: Option<Text<'a>>,
}

/// Who judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// The game, by its events.
    Game,
    /// A transcript service.
    Transcript,
    /// A teacher.
    Teacher,
}

impl EvidenceSource {
    /// The word that stands for it in events, reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Game => "game",
            Self::Transcript => "transcript",
            Self::Teacher => "teacher",
        }
    }
}

/// One of the seven skills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skill {
    /// Seeing with another's eyes.
    Empathy,
    /// Changing course when it helps.
    Adaptability,
    /// Finding ways to a goal.
    ProblemSolving,
    /// Steering one's own effort.
    SelfRegulation,
    /// Going on after failure.
    Resilience,
    /// Understanding and being understood.
    Communication,
    /// Working with others.
    Collaboration,
}

impl Skill {
    /// All seven, in the order of METRICS.md.
    pub const ALL: [Self; 7] = [
        Self::Empathy,
        Self::Adaptability,
        Self::ProblemSolving,
        Self::SelfRegulation,
        Self::Resilience,
        Self::Communication,
        Self::Collaboration,
    ];

    /// The word that stands for it in events, reports and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empathy => "empathy",
            Self::Adaptability => "adaptability",
            Self::ProblemSolving => "problem_solving",
            Self::SelfRegulation => "self_regulation",
            Self::Resilience => "resilience",
            Self::Communication => "communication",
            Self::Collaboration => "collaboration",
        }
    }

    /// The skill of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|skill| skill.as_str() == name)
    }
}
