//! The types of EVENTS.md's catalogue: the fields of each, and what is kept of them.

use super::field::{Bounds, COUNT, DURATION, FREE, Field, ID, NUMBER, Rule, SIGNED, may, needs};
use super::read::Sound;
use crate::data::{
    ChoiceMade, CloseReason, Data, EvidenceRecorded, EvidenceSource, HelpDirection, HintRequested, Outcome,
    QuestionAnswered, SessionStarted, Skill, TaskAttempted, TaskCompleted, TaskStarted,
};

/// A type of the catalogue.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
    /// Makes its data from sound fields; None where a required one is missing.
    pub(super) build: for<'a> fn(&mut Sound<'a>) -> Option<Data<'a>>,
}

/// The type of that name.
pub(crate) fn entry(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

/// The opportunities of evidence that doesn't say.
const OPPORTUNITIES: f64 = 4.0;

const SKILLS: &[&str] = &[
    Skill::ALL[0].as_str(),
    Skill::ALL[1].as_str(),
    Skill::ALL[2].as_str(),
    Skill::ALL[3].as_str(),
    Skill::ALL[4].as_str(),
    Skill::ALL[5].as_str(),
    Skill::ALL[6].as_str(),
];

const TASK: Field = needs("task_id", ID);
const CAUSE_OF_BLUR: Field = may("cause", Rule::OneOf(&["blur", "background", "distraction"]));
const CAUSE_OF_PAUSE: Field = may("reason", Rule::OneOf(&["user", "menu", "system"]));

/// Every type; those that come most often first.
pub(crate) static CATALOGUE: [Entry; 26] = [
    Entry {
        name: "task.attempted",
        fields: &[
            TASK,
            needs("outcome", Rule::OneOf(&["success", "failure", "partial"])),
            may("score", NUMBER),
            may("max_score", NUMBER),
            may("latency_ms", DURATION),
            may("strategy", FREE),
            may("skills", Rule::Texts),
        ],
        build: |data| {
            let outcome = match &*data.text("outcome")? {
                "success" => Outcome::Success,
                "failure" => Outcome::Failure,
                _ => Outcome::Partial,
            };
            Some(Data::TaskAttempted(TaskAttempted { task_id: data.text("task_id")?, outcome }))
        },
    },
    Entry {
        name: "checkpoint.reached",
        fields: &[needs("checkpoint_id", ID), may("value", Rule::Any), may("task_id", ID)],
        build: |_| Some(Data::CheckpointReached),
    },
    Entry {
        name: "task.started",
        fields: &[
            TASK,
            may("parent_id", ID),
            may("difficulty", Rule::Number(Bounds::Unit)),
            may("expected_ms", Rule::Integer(1)),
            may("skills", Rule::Texts),
        ],
        build: |data| {
            let expected_ms = data.unsigned("expected_ms");
            Some(Data::TaskStarted(TaskStarted { task_id: data.text("task_id")?, expected_ms }))
        },
    },
    Entry {
        name: "task.completed",
        fields: &[TASK, may("score", NUMBER), may("stars", NUMBER), may("duration_ms", DURATION)],
        build: |data| Some(Data::TaskCompleted(TaskCompleted { task_id: data.text("task_id")? })),
    },
    Entry { name: "session.heartbeat", fields: &[], build: |_| Some(Data::SessionHeartbeat) },
    Entry {
        name: "dialogue.viewed",
        fields: &[
            needs("dialogue_id", ID),
            may("view_ms", DURATION),
            may("rereads", COUNT),
            needs("skipped", Rule::Bool),
        ],
        build: |data| {
            Some(Data::DialogueViewed {
                skipped: data.bool("skipped")?,
                rereads: data.unsigned("rereads").unwrap_or_default(),
            })
        },
    },
    Entry {
        name: "choice.made",
        fields: &[
            needs("choice_id", ID),
            needs("option_id", ID),
            may("skill", FREE),
            may("aligned", Rule::Bool),
            may("deliberation_ms", DURATION),
            may("changed_mind", Rule::Bool),
        ],
        build: |data| {
            let (skill, aligned) = (data.text("skill"), data.bool("aligned"));
            Some(Data::ChoiceMade(ChoiceMade { skill, aligned, deliberation_ms: data.unsigned("deliberation_ms") }))
        },
    },
    Entry {
        name: "question.answered",
        fields: &[
            needs("question_id", ID),
            needs("correct", Rule::Bool),
            may("task_id", ID),
            may("latency_ms", DURATION),
            may("skills", Rule::Texts),
        ],
        build: |data| {
            let skills = data.texts("skills");
            Some(Data::QuestionAnswered(QuestionAnswered { correct: data.bool("correct")?, skills }))
        },
    },
    Entry {
        name: "hint.requested",
        fields: &[
            TASK,
            needs("hint_index", Rule::Integer(1)),
            needs("bottom_out", Rule::Bool),
            may("source", Rule::OneOf(&["system", "peer", "teacher"])),
        ],
        build: |data| {
            let bottom_out = data.bool("bottom_out")?;
            Some(Data::HintRequested(HintRequested { task_id: data.text("task_id")?, bottom_out }))
        },
    },
    Entry {
        name: "session.started",
        fields: &[may("platform", FREE), may("locale", FREE), may("device", FREE)],
        build: |data| {
            let (platform, locale) = (data.text("platform"), data.text("locale"));
            Some(Data::SessionStarted(SessionStarted { platform, locale, device: data.text("device") }))
        },
    },
    Entry {
        name: "session.closed",
        fields: &[needs("reason", Rule::OneOf(&["completed", "abandoned", "error"]))],
        build: |data| {
            Some(Data::SessionClosed(match &*data.text("reason")? {
                "completed" => CloseReason::Completed,
                "abandoned" => CloseReason::Abandoned,
                _ => CloseReason::Error,
            }))
        },
    },
    Entry { name: "session.paused", fields: &[CAUSE_OF_PAUSE], build: |_| Some(Data::SessionPaused) },
    Entry { name: "session.resumed", fields: &[CAUSE_OF_PAUSE], build: |_| Some(Data::SessionResumed) },
    Entry { name: "focus.lost", fields: &[CAUSE_OF_BLUR], build: |_| Some(Data::FocusLost) },
    Entry { name: "focus.gained", fields: &[CAUSE_OF_BLUR], build: |_| Some(Data::FocusGained) },
    Entry {
        name: "task.failed",
        fields: &[TASK, may("cause", FREE)],
        build: |data| Some(Data::TaskFailed(data.task()?)),
    },
    Entry {
        name: "task.abandoned",
        fields: &[TASK, may("reason", Rule::OneOf(&["quit", "skip", "timeout"]))],
        build: |data| Some(Data::TaskAbandoned(data.task()?)),
    },
    Entry { name: "task.restarted", fields: &[TASK], build: |data| Some(Data::TaskRestarted(data.task()?)) },
    Entry {
        name: "strategy.changed",
        fields: &[TASK, may("from", FREE), needs("to", FREE)],
        build: |data| Some(Data::StrategyChanged(data.task()?)),
    },
    Entry {
        name: "score.changed",
        fields: &[needs("score", NUMBER), needs("delta", NUMBER)],
        build: |_| Some(Data::ScoreChanged),
    },
    Entry {
        name: "item.changed",
        fields: &[needs("item_id", ID), needs("delta", SIGNED), may("balance", NUMBER), may("source", FREE)],
        build: |_| Some(Data::ItemChanged),
    },
    Entry {
        name: "social.message_sent",
        fields: &[needs("channel", FREE), needs("length", COUNT)],
        build: |_| Some(Data::MessageSent),
    },
    Entry {
        name: "social.help",
        fields: &[needs("direction", Rule::OneOf(&["given", "received"])), may("peer_id", ID), may("task_id", ID)],
        build: |data| {
            let given = &*data.text("direction")? == "given";
            Some(Data::Help(if given { HelpDirection::Given } else { HelpDirection::Received }))
        },
    },
    Entry {
        name: "social.turn",
        fields: &[needs("voluntary", Rule::Bool), needs("to", FREE)],
        build: |data| Some(Data::Turn { voluntary: data.bool("voluntary")? }),
    },
    Entry {
        name: "client.error",
        fields: &[needs("code", FREE), needs("message", Rule::Text(200))],
        build: |_| Some(Data::ClientError),
    },
    Entry {
        name: "evidence.recorded",
        fields: &[
            needs("skill", Rule::OneOf(SKILLS)),
            needs("source", Rule::OneOf(&["transcript", "teacher"])),
            needs("score", Rule::Number(Bounds::Unit)),
            may("opportunities", Rule::Number(Bounds::Positive)),
            may("note", Rule::Text(500)),
        ],
        build: |data| {
            let teacher = &*data.text("source")? == "teacher";
            Some(Data::EvidenceRecorded(EvidenceRecorded {
                skill: Skill::named(&data.text("skill")?)?,
                source: if teacher { EvidenceSource::Teacher } else { EvidenceSource::Transcript },
                score: data.number("score")?,
                opportunities: data.number("opportunities").unwrap_or(OPPORTUNITIES),
                note: data.text("note"),
            }))
        },
    },
];
