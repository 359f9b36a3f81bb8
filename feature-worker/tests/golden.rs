//! Golden reports: what a version of the metrics has once said of a session it says for ever, to the byte.
//!
//! The files of `tests/golden` hold the canonical facts of real play and of generated sessions, and the generated
//! sessions themselves, so that a change of the generator changes nothing here. They are written anew where
//! `PLAYLEDGER_WRITE_GOLDEN=1` is set, and still the test fails until their hashes below have been changed by hand. Do
//! neither for a version that has been released: what is to be told otherwise is a version of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eventlog::{Headers, Record};
use feature_worker::machine::{Command, Input, Machine, Output, PoisonLimit, Settings, Window};
use feature_worker::metrics_v1;
use schemas::games::{GameSettings, Games};
use schemas::report::{Report, Status};
use schemas::testing::{self, OWN_TYPES, Style};
use schemas::{Timestamp, canonical};
use serde_json::{Value, json};
use uuid::Uuid;

/// SHA-256 of each file.
const HASHES: [(&str, &str); 3] = [
    ("generated.events.ndjson", "0d3514e0be6839dd766b579955055a5df5f45379f7b09072ed8d0f03817d580b"),
    ("v1.generated.facts.ndjson", "206c5ecd278d477f59e9632d9b4cd2db0e9d6d3f111500309032d086765c9ea1"),
    ("v1.waves.facts.ndjson", "4ff8001f4de41855e9d020670d874db04cba63fa8639a42703461ef2b6f1e0cf"),
];
/// 2026-01-05T08:00:00Z: when all of it is received.
const BEGIN: i64 = 1_767_600_000_000;

#[test]
fn version_1_says_of_real_play_what_it_has_always_said() {
    let events = lines(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/waves.ndjson"));
    let facts = facts(&events);
    assert_eq!(facts.len(), 49);
    hold("v1.waves.facts.ndjson", &facts);
    // In reverse, all of a session waits in the buffer for its first event.
    let reversed: Vec<String> = events.iter().rev().cloned().collect();
    assert_eq!(self::facts(&reversed), facts);
}

#[test]
fn version_1_says_of_generated_sessions_of_every_event_type_what_it_has_always_said() {
    let play = (0..54).map(|seed| testing::session(seed, Style::ALL));
    let sessions = play.chain((0..6).map(testing::evidence));
    let texts: Vec<String> = sessions.flatten().map(|event| event.to_string()).collect();
    if is_asked_to_write() {
        write("generated.events.ndjson", &texts);
    }
    let events = lines(&folder().join("generated.events.ndjson"));
    let types: BTreeSet<String> = events.iter().map(|text| of(text, "event_type")).collect();
    let all = testing::event_types().chain(OWN_TYPES.map(|(name, _)| name));
    assert_eq!(types, all.map(str::to_owned).collect());
    let facts = facts(&events);
    assert_eq!(facts.len(), 60);
    hold("v1.generated.facts.ndjson", &facts);
    hold("generated.events.ndjson", &events);
}

/// Fails unless a golden file holds these lines, and is the one that its hash stands for.
fn hold(file: &str, found: &[String]) {
    if is_asked_to_write() {
        write(file, found);
    }
    let bytes = std::fs::read(folder().join(file)).unwrap();
    let expected = HASHES.into_iter().find(|(name, _)| *name == file).unwrap().1;
    assert_eq!(canonical::sha256_hex(&bytes), expected, "{file} is not the file that this test was written for");
    let golden = lines(&folder().join(file));
    assert_eq!(found.len(), golden.len(), "{file}");
    for (found, golden) in found.iter().zip(&golden) {
        assert_eq!(found, golden, "{file}");
    }
}

fn is_asked_to_write() -> bool {
    std::env::var_os("PLAYLEDGER_WRITE_GOLDEN").is_some_and(|value| value == "1")
}

fn write(file: &str, lines: &[String]) {
    std::fs::write(folder().join(file), lines.join("\n") + "\n").unwrap();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

fn of(event: &str, member: &str) -> String {
    serde_json::from_str::<Value>(event).unwrap()[member].as_str().unwrap().to_owned()
}

/// The canonical facts of each session's final report, by session: from the log through the worker's machine.
fn facts(events: &[String]) -> Vec<String> {
    let records: Vec<Record> = (0..).zip(events).map(|(offset, event)| record(offset, event)).collect();
    let next_offset = i64::try_from(records.len()).unwrap();
    let mut machine = Machine::new(settings());
    let mut finals = BTreeMap::new();
    let mut step = |now: i64, input: Input| {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for command in machine.step(now, input) {
                match command {
                    Command::Restore { partition, epoch } => inputs.push(Input::RestoreDone { partition, epoch }),
                    Command::Commit { outputs, .. } => {
                        keep(outputs, &mut finals);
                        inputs.push(Input::Committed);
                    }
                    Command::FetchFrom { .. } => {}
                    command => panic!("{command:?}"),
                }
            }
        }
    };
    step(0, Input::Assigned { partition: 0, committed: None });
    step(0, Input::Batch { partition: 0, records, next_offset });
    step(0, Input::CaughtUp { partition: 0 });
    // A time-out, grace and what a deadline is late by.
    for now in (0..6_000).map(|second| second * 1_000) {
        step(now, Input::Tick);
    }
    let sessions: BTreeSet<String> = events.iter().map(|event| of(event, "session_id")).collect();
    assert_eq!(finals.keys().map(Uuid::to_string).collect::<BTreeSet<_>>(), sessions);
    finals.into_values().collect()
}

fn keep(outputs: Vec<Output>, finals: &mut BTreeMap<Uuid, String>) {
    for output in outputs {
        match output {
            Output::Report(report) if report.status == Status::Final => {
                assert_eq!(report.facts.metrics_version, metrics_v1::VERSION);
                finals.insert(report.session, written(&report));
            }
            Output::Quarantine(aside) => panic!("{aside:?}"),
            _ => {}
        }
    }
}

fn written(report: &Report) -> String {
    let bytes = canonical::to_vec(&report.facts).unwrap();
    assert_eq!(report.facts_sha256, canonical::sha256_hex(&bytes));
    String::from_utf8(bytes).unwrap()
}

fn settings() -> Settings {
    let emits: Arc<[String]> = Arc::from(["strategy.changed".to_owned(), "task.abandoned".to_owned()]);
    Settings {
        games: Games::all(GameSettings { emits, ..GameSettings::default() }),
        commit_interval_ms: 200,
        margin_ms: 0,
        live: None,
        window: Window { records: 500_000, age_ms: 3_600_000 },
        poison_limit: PoisonLimit { records: 0, within_ms: 60_000 },
        worker: "test".into(),
    }
}

/// The record of an event as a gateway writes it; an event without a time is one of the close call's.
fn record(offset: i64, event: &str) -> Record {
    let received_at = Timestamp::from_ms(BEGIN);
    let event: Value = serde_json::from_str(event).unwrap();
    let key = format!("acme/{}", event["session_id"].as_str().unwrap());
    let mut stamp = json!({
        "v": 1, "tenant": "acme", "game": "demo", "received_at": received_at.to_string(), "request_id": "req_1",
        "key_id": "k1", "gateway": "g1", "event": event,
    });
    if event.get("timestamp").is_none() {
        stamp["origin"] = json!("close");
    }
    Record {
        offset,
        timestamp_ms: BEGIN,
        key: key.into(),
        value: Some(stamp.to_string().into()),
        headers: Headers::new(),
    }
}
