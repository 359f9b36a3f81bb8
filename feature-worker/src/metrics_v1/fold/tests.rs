//! Fold, oracle and the published reference agree to the last bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemas::Event;
use schemas::data::CloseReason;
use schemas::metrics::Metrics;
use schemas::record::stamp::Origin;
use schemas::testing::{Style, evidence, session};
use serde_json::Value;

use super::*;
use crate::closing::Closing;
use crate::metrics_v1::oracle;

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

fn fold<'e, 'a: 'e>(events: impl IntoIterator<Item = &'e Event<'a>>) -> Fold {
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

/// Distinct seqs and span of distinct events.
fn seqs(events: &[Event<'_>]) -> Option<(u64, u64)> {
    let seqs: Vec<u64> = events.iter().filter_map(|event| event.seq).collect();
    Some((seqs.len() as u64, seqs.iter().max()? + 1))
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

/// The events of a generated session, of every type and in every form that the log may hold.
fn generated(texts: &[String]) -> Vec<Event<'_>> {
    texts.iter().map(|text| schemas::parse::stamped(text, Some(Origin::Close)).unwrap()).collect()
}

#[test]
fn generated_sessions_of_every_event_type_give_the_oracles_figures() {
    let emits = ["strategy.changed".to_owned()];
    for seed in 0..3_000 {
        let texts: Vec<_> = session(seed, Style::ALL).iter().map(Value::to_string).collect();
        let events = generated(&texts);
        let oracle = oracle::Session::new(&events, IDLE_MS);
        let expected = oracle.metrics();
        // The fold takes events in the order of the record; without seq there is no completeness.
        let seqs = expected.completeness.and(seqs(&events));
        let facts = fold(oracle.events.iter().copied()).facts(&closing(seqs, &emits));
        assert_eq!(difference(&serde_json::to_value(&expected).unwrap(), &facts.metrics), None, "seed {seed}");
        assert_eq!(pieces(&facts), oracle::declared(&oracle, &emits), "seed {seed}");
        // Computes most of it again, over whole lists.
        if seed % 10 == 0 {
            assert_eq!(oracle::facts(&oracle, &closing(seqs, &emits)), facts, "seed {seed}");
        }
    }
    for seed in 0..200 {
        let texts: Vec<_> = evidence(seed).iter().map(Value::to_string).collect();
        let events = generated(&texts);
        let oracle = oracle::Session::new(&events, IDLE_MS);
        let mut expected = oracle::recorded(&oracle);
        expected.sort_by_key(|piece| (piece.0, piece.1));
        expected.splice(0..0, oracle::declared(&oracle, &emits));
        assert_eq!(pieces(&fold(&events).facts(&closing(seqs(&events), &emits))), expected, "seed {seed}");
    }
}

/// The published definitions beside the checkout, as a further oracle.
#[test]
fn generated_sessions_give_the_figures_of_the_reference_program_where_it_is_at_hand() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/metrics.py");
    if !program.exists() {
        skipped(&format!("{} is not here", program.display()));
        return;
    }
    let texts: Vec<_> = (0..400).flat_map(|seed| session(seed, Style::ALL)).map(|event| event.to_string()).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    std::fs::write(&file, texts.join("\n")).unwrap();
    let output = match std::process::Command::new("python3").arg(program).arg(file).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skipped("there is no python3 to run the reference program");
            return;
        }
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = generated(&texts);
    let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events {
        sessions.entry(event.session_id).or_default().push(event);
    }
    let rows: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), sessions.len());
    for row in rows {
        let events = &sessions[&row["session_id"].as_str().unwrap().parse().unwrap()];
        let seqs = row["completeness"].is_number().then(|| seqs(events)).flatten();
        let ordered = oracle::Session::new(events, IDLE_MS).events;
        assert_eq!(difference(&row, &fold(ordered).facts(&closing(seqs, &[])).metrics), None, "{row}");
    }
}

/// Says so past the test harness, which holds back what a passing test prints.
fn skipped(why: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "SKIPPED: {why}; the oracle alone was compared").unwrap();
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
        bounded.apply(event, IDLE_MS, Bounds { tasks: 2, ..Bounds::default() });
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
