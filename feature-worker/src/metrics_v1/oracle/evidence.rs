//! Evidence of skills over whole lists.

use schemas::data::{Data, EvidenceSource, Skill};

use super::Session;
use super::time::Gap;

/// A piece of evidence: source, skill, signal, successes, opportunities, weight, time in ms.
pub type Piece = (EvidenceSource, Skill, String, f64, f64, f64, i64);

/// What a session's record yields for games that declare to send `emits`, by skill and signal.
pub fn declared(session: &Session<'_, '_>, emits: &[String]) -> Vec<Piece> {
    let at = session.at.last().copied().unwrap_or(0);
    let needs = |signal: &str| match signal {
        "changed_strategy" => Some("strategy.changed"),
        "stayed_with_task" => Some("task.abandoned"),
        _ => None,
    };
    let mut pieces: Vec<Piece> = signals(session)
        .into_iter()
        .filter(|(_, signal, _, opportunities, _)| {
            *opportunities > 0 && needs(signal).is_none_or(|needs| emits.iter().any(|sent| sent == needs))
        })
        .map(|(skill, signal, won, had, weight)| {
            (EvidenceSource::Game, skill, signal.to_owned(), double(won), double(had), weight, at)
        })
        .collect();
    pieces.sort_by(|a, b| (a.1, &a.2).cmp(&(b.1, &b.2)));
    pieces
}

/// Evidence that came from outside the game, in record order.
pub fn recorded(session: &Session<'_, '_>) -> Vec<Piece> {
    let piece = |i: usize| match &session.events[i].data {
        Data::EvidenceRecorded(told) => Some((
            told.source,
            told.skill,
            told.source.as_str().to_owned(),
            told.score * told.opportunities,
            told.opportunities,
            1.0,
            session.at[i],
        )),
        _ => None,
    };
    (0..session.events.len()).filter_map(piece).collect()
}

type Signal = (Skill, &'static str, u64, u64, f64);

fn signals(session: &Session<'_, '_>) -> Vec<Signal> {
    let m = session.metrics();
    let firsts: Vec<bool> =
        session.tasks().iter().filter_map(|task| session.attempts(task).first().map(|first| first.1)).collect();
    let latencies = session.latencies();
    let minutes = |ms: i64| ms.unsigned_abs() / 60_000;
    let part = |rate: Option<f64>, of: u64| whole(rate.unwrap_or(0.0) * double(of));
    let mut signals = vec![
        (Skill::ProblemSolving, "attempt_success", m.successes, m.attempts, 1.0),
        (Skill::ProblemSolving, "first_try", count(&firsts, |won| *won), count(&firsts, |_| true), 0.5),
        (Skill::ProblemSolving, "task_completed", m.tasks_completed, m.tasks_started, 1.0),
        (Skill::Resilience, "retried_after_failure", m.retries, m.failures, 1.0),
        (Skill::Resilience, "recovered", part(m.recovery_rate, m.failure_runs), m.failure_runs, 1.0),
        (
            Skill::SelfRegulation,
            "minutes_on_task",
            minutes(session.total(Gap::Active)),
            minutes(session.total(Gap::Active) + session.total(Gap::Idle)),
            0.2,
        ),
        (
            Skill::SelfRegulation,
            "unhurried_attempts",
            count(&latencies, |ms| *ms >= 1_000),
            count(&latencies, |_| true),
            0.2,
        ),
        (Skill::SelfRegulation, "stayed_with_task", m.tasks_started - m.tasks_abandoned, m.tasks_started, 0.5),
        (Skill::Adaptability, "changed_strategy", part(m.strategy_change_rate, m.retries), m.retries, 1.0),
        (Skill::Collaboration, "gave_help", m.help_given, m.help_given + m.help_received, 1.0),
        (Skill::Collaboration, "voluntary_turns", part(m.voluntary_turn_rate, m.turns), m.turns, 0.5),
        (
            Skill::Communication,
            "dialogue_read",
            m.dialogues - part(m.dialogue_skip_rate, m.dialogues),
            m.dialogues,
            0.3,
        ),
    ];
    for skill in Skill::ALL {
        signals.push(choices(session, skill));
        signals.push(answers(session, skill));
    }
    signals
}

fn choices(session: &Session<'_, '_>, skill: Skill) -> Signal {
    let judged: Vec<bool> = session
        .events
        .iter()
        .filter_map(|event| match &event.data {
            Data::ChoiceMade(choice) if choice.skill.as_deref() == Some(skill.as_str()) => choice.aligned,
            _ => None,
        })
        .collect();
    (skill, "aligned_choices", count(&judged, |aligned| *aligned), count(&judged, |_| true), 1.0)
}

fn answers(session: &Session<'_, '_>, skill: Skill) -> Signal {
    let answers: Vec<bool> = session
        .events
        .iter()
        .filter_map(|event| match &event.data {
            Data::QuestionAnswered(told) if told.skills.iter().any(|named| &**named == skill.as_str()) => {
                Some(told.correct)
            }
            _ => None,
        })
        .collect();
    (skill, "correct_answers", count(&answers, |right| *right), count(&answers, |_| true), 1.0)
}

fn count<T>(items: &[T], select: impl Fn(&T) -> bool) -> u64 {
    items.iter().filter(|item| select(item)).count() as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts of one session's events stay far below 2^53")]
fn double(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of a count, not negative")]
fn whole(part: f64) -> u64 {
    part.round_ties_even() as u64
}
