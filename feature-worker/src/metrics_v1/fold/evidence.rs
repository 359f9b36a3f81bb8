//! Evidence of skills: so many successes of so many opportunities for a signal.

use schemas::Timestamp;
use schemas::data::{EvidenceRecorded, EvidenceSource, Skill};
use schemas::report::Evidence;
use serde::{Deserialize, Serialize};

use super::Fold;

/// A piece of evidence.recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recorded {
    #[serde(rename = "k")]
    skill: Skill,
    #[serde(rename = "s")]
    source: EvidenceSource,
    #[serde(rename = "w")]
    successes: f64,
    #[serde(rename = "n")]
    opportunities: f64,
    #[serde(rename = "t")]
    at: i64,
}

impl Recorded {
    pub(super) fn new(told: &EvidenceRecorded<'_>, at: i64) -> Self {
        Self {
            skill: told.skill,
            source: told.source,
            successes: told.score * told.opportunities,
            opportunities: told.opportunities,
            at,
        }
    }
}

/// The counts behind the signals that a session's record yields.
struct Counted {
    skill: Skill,
    signal: &'static str,
    successes: u64,
    opportunities: u64,
    weight: f64,
    /// The event type without which the signal reads nothing: it counts only for games that declare to send it.
    needs: Option<&'static str>,
}

/// All evidence of a session that ends with this fold, ordered by source, skill, signal, ordinal.
pub(super) fn evidence(fold: &Fold, emits: &[String], active_ms: i64, unpaused_ms: i64) -> Vec<Evidence> {
    let at = Timestamp::from_ms(fold.last_at().unwrap_or_default());
    let declared = |needs: Option<&str>| needs.is_none_or(|needs| emits.iter().any(|sent| sent == needs));
    let mut pieces: Vec<_> = signals(fold, active_ms, unpaused_ms)
        .into_iter()
        .chain(by_skill(fold))
        .filter(|piece| piece.opportunities > 0 && declared(piece.needs))
        .map(|piece| Evidence {
            skill: piece.skill,
            source: EvidenceSource::Game,
            signal: piece.signal.to_owned(),
            ordinal: 0,
            successes: as_double(piece.successes),
            opportunities: as_double(piece.opportunities),
            weight: piece.weight,
            at,
        })
        .collect();
    pieces.sort_by(|a, b| (a.skill, &a.signal).cmp(&(b.skill, &b.signal)));
    pieces.extend(recorded(fold.evidence.iter()));
    pieces
}

/// The pieces of evidence.recorded, each counted among those of its source and skill.
fn recorded<'a>(pieces: impl Iterator<Item = &'a Recorded>) -> Vec<Evidence> {
    let mut ordered: Vec<_> = pieces.collect();
    ordered.sort_by_key(|piece| (piece.source, piece.skill));
    let mut ordinal = 0;
    let mut before = None;
    ordered
        .into_iter()
        .map(|piece| {
            let group = Some((piece.source, piece.skill));
            ordinal = if before == group { ordinal + 1 } else { 0 };
            before = group;
            Evidence {
                skill: piece.skill,
                source: piece.source,
                signal: piece.source.as_str().to_owned(),
                ordinal,
                successes: piece.successes,
                opportunities: piece.opportunities,
                weight: 1.0,
                at: Timestamp::from_ms(piece.at),
            }
        })
        .collect()
}

/// The signals of METRICS.md's skills, version 1, with their weights.
fn signals(fold: &Fold, active_ms: i64, unpaused_ms: i64) -> Vec<Counted> {
    let (sums, play) = (&fold.tasks.sums, &fold.play);
    let tasks = || fold.tasks.each.values();
    let started = count(tasks().filter(|task| task.starts > 0));
    let completed = count(tasks().filter(|task| task.starts > 0 && task.completions > 0));
    let abandoned = count(tasks().filter(|task| task.starts > 0 && task.completions == 0 && task.abandons > 0));
    let attempted = count(tasks().filter(|task| task.first_try.is_some()));
    let first_tries = count(tasks().filter(|task| task.first_try == Some(true)));
    let minutes = |ms: i64| ms.unsigned_abs() / 60_000;
    let piece = |skill, signal, successes, opportunities, weight| Counted {
        skill,
        signal,
        successes,
        opportunities,
        weight,
        needs: None,
    };
    let help = play.help_given + play.help_received;
    vec![
        piece(Skill::ProblemSolving, "attempt_success", sums.successes, sums.attempts, 1.0),
        piece(Skill::ProblemSolving, "first_try", first_tries, attempted, 0.5),
        piece(Skill::ProblemSolving, "task_completed", completed, started, 1.0),
        piece(Skill::Resilience, "retried_after_failure", sums.retries, sums.attempts - sums.successes, 1.0),
        piece(Skill::Resilience, "recovered", sums.recovered, sums.runs, 1.0),
        piece(Skill::SelfRegulation, "minutes_on_task", minutes(active_ms), minutes(unpaused_ms), 0.2),
        piece(Skill::SelfRegulation, "unhurried_attempts", sums.latencies - sums.rapid, sums.latencies, 0.2),
        Counted {
            needs: Some("task.abandoned"),
            ..piece(Skill::SelfRegulation, "stayed_with_task", started - abandoned, started, 0.5)
        },
        Counted {
            needs: Some("strategy.changed"),
            ..piece(Skill::Adaptability, "changed_strategy", sums.changed, sums.retries, 1.0)
        },
        piece(Skill::Collaboration, "gave_help", play.help_given, help, 1.0),
        piece(Skill::Collaboration, "voluntary_turns", play.voluntary, play.turns, 0.5),
        piece(Skill::Communication, "dialogue_read", play.dialogues - play.skipped, play.dialogues, 0.3),
    ]
}

/// The signals that name their skill themselves.
fn by_skill(fold: &Fold) -> impl Iterator<Item = Counted> {
    let (choices, answers) = (fold.play.choices_by_skill, fold.play.answers_by_skill);
    Skill::ALL.into_iter().flat_map(move |skill| {
        let piece = |signal, (successes, opportunities): (u64, u64)| Counted {
            skill,
            signal,
            successes,
            opportunities,
            weight: 1.0,
            needs: None,
        };
        [piece("aligned_choices", choices[skill as usize]), piece("correct_answers", answers[skill as usize])]
    })
}

pub(super) fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |count, _| count + 1)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one session's events stay far below 2^53")]
fn as_double(count: u64) -> f64 {
    count as f64
}
