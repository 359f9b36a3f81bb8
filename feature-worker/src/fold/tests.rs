//! Fold, oracle and the published reference agree to the last bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemas::Event;
use schemas::data::CloseReason;
use schemas::metrics::Metrics;
use serde_json::Value;

use super::*;
use crate::oracle;

const IDLE_MS: i64 = 60_000;

fn lines(file: &str) -> Vec<String> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(file);
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// The WAVES events by session, in the order of the record.
fn waves(lines: &[String]) -> BTreeMap<uuid::Uuid, Vec<Event<'_>>> {
    let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in lines {
        let event = schemas::parse::event(line).unwrap();
        sessions.entry(event.session_id).or_default().push(event);
    }
    sessions
}

fn fold(events: &[Event<'_>]) -> Fold {
    let mut fold = Fold::default();
    for event in events {
        fold.apply(event, IDLE_MS, Bounds::default());
    }
    fold
}

fn closing(seqs: Option<(u64, u64)>, emits: &[String]) -> Closing<'_> {
    let complete = seqs.map(|(distinct, span)| distinct == span);
    Closing { reason: CloseReason::Timeout, complete, seqs, flags: &[], idle_ms: IDLE_MS, emits }
}

/// Distinct seqs and span of events that are distinct and in order.
fn seqs(events: &[Event<'_>]) -> Option<(u64, u64)> {
    let seqs: Vec<u64> = events.iter().filter_map(|event| event.seq).collect();
    Some((seqs.len() as u64, seqs.last()? + 1))
}

/// The first metric that differs, in its last bit too.
fn difference(expected: &Value, found: &Metrics) -> Option<String> {
    let found = serde_json::to_value(found).unwrap();
    schemas::metrics::DEFINITIONS.iter().map(|metric| metric.name).find_map(|name| {
        let equal = match (expected[name].as_f64(), found[name].as_f64()) {
            (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
            _ => expected[name] == found[name],
        };
        (!equal).then(|| format!("{name}: {} is not {}", found[name], expected[name]))
    })
}

#[test]
fn real_play_gives_the_reference_figures_to_the_last_bit() {
    let (lines, rows) = (lines("waves.ndjson"), lines("waves.metrics.ndjson"));
    let sessions = waves(&lines);
    assert_eq!((sessions.len(), rows.len()), (49, 49));
    for row in rows {
        let row: Value = serde_json::from_str(&row).unwrap();
        let events = &sessions[&row["session_id"].as_str().unwrap().parse().unwrap()];
        assert_eq!(difference(&row, &oracle::Session::new(events, IDLE_MS).metrics()), None, "oracle: {row}");
        let facts = fold(events).facts(&closing(seqs(events), &[]));
        assert_eq!(difference(&row, &facts.metrics), None, "fold: {row}");
    }
}

#[test]
fn real_play_gives_the_oracles_evidence() {
    let lines = lines("waves.ndjson");
    let emits = ["strategy.changed".to_owned(), "task.abandoned".to_owned()];
    for (session, events) in waves(&lines) {
        for emits in [&emits[..], &[]] {
            let facts = fold(&events).facts(&closing(seqs(&events), emits));
            assert_eq!(pieces(&facts), oracle::declared(&oracle::Session::new(&events, IDLE_MS), emits), "{session}");
        }
    }
}

#[test]
fn a_fold_survives_its_serialised_form_at_every_step() {
    let lines = lines("waves.ndjson");
    for events in waves(&lines).into_values().take(5) {
        let (mut straight, mut stored) = (Fold::default(), Fold::default());
        for event in &events {
            straight.apply(event, IDLE_MS, Bounds::default());
            stored.apply(event, IDLE_MS, Bounds::default());
            stored = serde_json::from_slice(&serde_json::to_vec(&stored).unwrap()).unwrap();
            assert_eq!(stored, straight);
        }
    }
}

#[test]
fn tasks_beyond_the_bound_are_left_out_and_said_to_be() {
    let lines = lines("waves.ndjson");
    let events = waves(&lines).into_values().find(|events| fold(events).tasks.each.len() > 3).unwrap();
    let mut bounded = Fold::default();
    for event in &events {
        bounded.apply(event, IDLE_MS, Bounds { tasks: 2, evidence: 2 });
    }
    let facts = bounded.facts(&closing(seqs(&events), &[]));
    assert_eq!(facts.flags, [schemas::report::Flag::Truncated]);
    assert_eq!(facts.tasks.len(), 2);
    assert_eq!(facts.metrics.attempts, fold(&events).facts(&closing(None, &[])).metrics.attempts);
}

/// Evidence of the game as the oracle gives it.
fn pieces(facts: &schemas::report::Facts) -> Vec<oracle::Piece> {
    let piece = |piece: &schemas::report::Evidence| {
        let signal = piece.signal.clone();
        (piece.source, piece.skill, signal, piece.successes, piece.opportunities, piece.weight, piece.at.ms())
    };
    facts.evidence.iter().map(piece).collect()
}
