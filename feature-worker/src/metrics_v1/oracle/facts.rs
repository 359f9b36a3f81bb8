//! Whole facts over whole lists.

use std::collections::BTreeMap;

use schemas::Timestamp;
use schemas::data::{Data, EvidenceSource};
use schemas::report::{Evidence, Facts, Flag, TaskFigures};

use super::evidence::{Piece, declared, recorded};
use super::{Session, counts};
use crate::closing::Closing;
use crate::metrics_v1::VERSION;

/// The facts of a session that ends with this record.
pub fn facts(session: &Session<'_, '_>, closing: &Closing<'_>) -> Facts {
    let told = session.events.iter().find_map(|event| match &event.data {
        Data::SessionStarted(told) => Some([&told.platform, &told.locale, &told.device]),
        _ => None,
    });
    let [platform, locale, device] =
        told.map_or_else(Default::default, |texts| texts.map(|text| text.as_ref().map(ToString::to_string)));
    let mut flags: Vec<Flag> = closing.flags.to_vec();
    flags.sort_unstable();
    let metrics = session.metrics();
    Facts {
        metrics_version: VERSION,
        close_reason: closing.reason,
        started: Timestamp::from_ms(session.at.first().copied().unwrap_or(0)),
        ended: Timestamp::from_ms(session.at.last().copied().unwrap_or(0)),
        complete: counts(&session.events).then_some(closing.complete).flatten(),
        flags,
        idle_ms: closing.idle_ms,
        emits: closing.emits.to_vec(),
        platform,
        locale,
        device,
        metrics,
        tasks: session.tasks().iter().map(|task| figures(session, task)).collect(),
        evidence: evidence(session, closing.emits),
    }
}

fn figures(session: &Session<'_, '_>, task: &str) -> TaskFigures {
    let (starts, completions, attempts) = (session.starts(task), session.completions(task), session.attempts(task));
    let hints = session.indexes(|data| matches!(data, Data::HintRequested(told) if &*told.task_id == task));
    let spent_ms = match (starts.first(), completions.first()) {
        (Some(start), Some(end)) if start < end => Some(session.unpaused_until(*end) - session.unpaused_until(*start)),
        _ => None,
    };
    TaskFigures {
        task_id: task.to_owned(),
        starts: starts.len() as u64,
        completions: completions.len() as u64,
        abandons: session.abandons(task).len() as u64,
        attempts: attempts.len() as u64,
        successes: attempts.iter().filter(|attempt| attempt.1).count() as u64,
        hints: hints.len() as u64,
        spent_ms,
        first_try: attempts.first().map(|attempt| attempt.1),
    }
}

/// What the game yields, then what came from outside by source and skill, each counted among its like.
fn evidence(session: &Session<'_, '_>, emits: &[String]) -> Vec<Evidence> {
    let mut outside = recorded(session);
    outside.sort_by_key(|piece| (piece.0, piece.1));
    let mut ordinals: BTreeMap<(EvidenceSource, _), u64> = BTreeMap::new();
    let ordinal = |piece: &Piece| {
        let next = ordinals.entry((piece.0, piece.1)).or_default();
        *next += 1;
        *next - 1
    };
    let ordered: Vec<u64> = outside.iter().map(ordinal).collect();
    let game = declared(session, emits).into_iter().map(|piece| (piece, 0));
    let all = game.chain(outside.into_iter().zip(ordered));
    all.map(|((source, skill, signal, successes, opportunities, weight, at), ordinal)| Evidence {
        skill,
        source,
        signal,
        ordinal,
        successes,
        opportunities,
        weight,
        at: Timestamp::from_ms(at),
    })
    .collect()
}
