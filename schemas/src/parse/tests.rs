use serde_json::{Value, json};

use super::*;
use crate::data::{CloseReason, Outcome, Skill, TaskAttempted};

fn event_of(event_type: &str, data: &Value) -> Value {
    json!({
        "event_id": "0198C0DE-0000-7000-8000-00000000000A", "session_id": "8f14e45f-ceea-467a-9575-0000000000ff",
        "player_id": "p-1207", "seq": 41, "event_type": event_type, "timestamp": "2026-01-05T08:12:31.204Z", "data": data,
    })
}

pub(super) fn attempt() -> Value {
    event_of("task.attempted", &json!({"task_id": "L07", "outcome": "failure", "latency_ms": 5310}))
}

fn faults(event: &Value) -> Vec<(String, String)> {
    let errors = event_errors(&event.to_string());
    errors.into_iter().map(|error| (error.pointer, error.code.into_owned())).collect()
}

pub(super) fn event_errors(json: &str) -> Vec<FieldError> {
    event(json).expect_err(json)
}

pub(super) fn with(name: &str, value: Value) -> Value {
    let mut event = attempt();
    event[name] = value;
    event
}

fn without(name: &str) -> Value {
    let mut event = attempt();
    event.as_object_mut().unwrap().remove(name);
    event
}

#[test]
fn a_sound_event_is_read_whole() {
    let json = attempt().to_string();
    let event = event(&json).unwrap();
    assert_eq!(event.event_id.to_string(), "0198c0de-0000-7000-8000-00000000000a");
    assert_eq!((event.player_id.as_str(), event.seq), ("p-1207", Some(41)));
    assert_eq!(event.timestamp.unwrap().ms(), 1_767_600_751_204);
    assert_eq!(event.data, Data::TaskAttempted(TaskAttempted { task_id: "L07".into(), outcome: Outcome::Failure }));
}

#[test]
fn each_field_of_an_event_has_its_rule() {
    let nil = "00000000-0000-0000-0000-000000000000";
    let max = "FFFFFFFF-ffff-ffff-ffff-ffffffffffff";
    for (name, value, code) in [
        ("event_id", json!(nil), "format"),
        ("event_id", json!(max), "format"),
        ("event_id", json!("0198c0de00007000800000000000000a"), "format"),
        ("event_id", json!("{0198c0de-0000-7000-8000-00000000000}"), "format"),
        ("event_id", json!("0198c0de-0000-7000-8000-00000000000g"), "format"),
        ("event_id", json!(7), "type"),
        ("event_id", json!(null), "required"),
        ("session_id", json!(["8f14e45f-ceea-467a-9575-0000000000ff"]), "type"),
        ("session_id", json!(""), "format"),
        ("player_id", json!(""), "pattern"),
        ("player_id", json!("a".repeat(65)), "pattern"),
        ("player_id", json!("Ada Lovelace"), "pattern"),
        ("player_id", json!("ada@example.org"), "pattern"),
        ("seq", json!(-1), "range"),
        ("seq", json!(9_007_199_254_740_992_u64), "range"),
        ("seq", json!(1e300), "range"),
        ("seq", json!(1.5), "type"),
        ("seq", json!("1"), "type"),
        ("seq", json!(true), "type"),
        ("event_type", json!("task"), "pattern"),
        ("event_type", json!("Task.started"), "pattern"),
        ("event_type", json!("task..started"), "pattern"),
        ("event_type", json!("task_a.started"), "pattern"),
        ("event_type", json!("task.started1"), "pattern"),
        ("event_type", json!(".started"), "pattern"),
        ("event_type", json!(format!("a.{}", "b".repeat(99))), "length"),
        ("event_type", json!(null), "required"),
        ("timestamp", json!("2026-01-05T08:12:31"), "format"),
        ("timestamp", json!("2026-02-30T08:12:31Z"), "format"),
        ("timestamp", json!(1_767_600_751_204_u64), "type"),
        ("timestamp", json!(null), "required"),
        ("data", json!([]), "type"),
        ("data", json!("{}"), "type"),
        ("data", json!({"task_id": "L07", "outcome": "failure", "x": "y".repeat(10_300)}), "too_large"),
    ] {
        assert_eq!(faults(&with(name, value.clone())), [(format!("/{name}"), code.to_owned())], "{name} {value}");
    }
    for name in ["event_id", "session_id", "player_id", "event_type", "timestamp"] {
        assert_eq!(faults(&without(name)), [(format!("/{name}"), "required".to_owned())]);
    }
    for (name, value) in [
        ("player_id", json!("A.z_9:-")),
        ("player_id", json!("a".repeat(64))),
        ("seq", json!(0)),
        ("seq", json!(1.0)),
        ("seq", json!(-0.0)),
        ("seq", json!(9_007_199_254_740_991_u64)),
        ("seq", json!(null)),
        ("event_type", json!(format!("a.{}", "b".repeat(98)))),
        ("event_type", json!("boss.defeated._twice_")),
        ("timestamp", json!("2016-12-31T23:59:60Z")),
        ("timestamp", json!("0001-01-01T00:00:00-12:00")),
        ("unknown", json!({"passes": true})),
    ] {
        event(&with(name, value.clone()).to_string()).unwrap_or_else(|errors| panic!("{name} {value}: {errors:?}"));
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let mut event = event_of("task.attempted", &json!({"outcome": "won", "latency_ms": -1, "skills": ["a", 1]}));
    event["seq"] = json!("x");
    event["player_id"] = json!(null);
    let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(
        faults(&event),
        [
            pair("/player_id", "required"),
            pair("/seq", "type"),
            pair("/data/task_id", "required"),
            pair("/data/outcome", "enum"),
            pair("/data/latency_ms", "range"),
            pair("/data/skills/1", "type"),
        ]
    );
    let outcome = event_errors(&event.to_string()).swap_remove(3);
    assert_eq!(outcome.message, "must be one of success, failure, partial");
}

#[test]
fn each_field_of_data_has_its_rule() {
    for (event_type, data, pointer, code) in [
        ("session.closed", json!({}), "/data/reason", "required"),
        ("session.closed", json!({"reason": "timeout"}), "/data/reason", "enum"),
        ("session.started", json!({"platform": 7}), "/data/platform", "type"),
        ("session.paused", json!({"reason": "tea"}), "/data/reason", "enum"),
        ("focus.lost", json!({"cause": "tea"}), "/data/cause", "enum"),
        ("task.started", json!({"task_id": "é".repeat(101)}), "/data/task_id", "length"),
        ("task.started", json!({"task_id": "a", "difficulty": 1.01}), "/data/difficulty", "range"),
        ("task.started", json!({"task_id": "a", "difficulty": "hard"}), "/data/difficulty", "type"),
        ("task.started", json!({"task_id": "a", "expected_ms": 0}), "/data/expected_ms", "range"),
        ("task.started", json!({"task_id": "a", "expected_ms": 1.5}), "/data/expected_ms", "type"),
        ("task.started", json!({"task_id": "a", "skills": "x"}), "/data/skills", "type"),
        ("task.started", json!({"task_id": "a", "skills": ["x", null]}), "/data/skills/1", "type"),
        ("task.started", json!({"task_id": null}), "/data/task_id", "required"),
        ("hint.requested", json!({"task_id": "a", "hint_index": 0, "bottom_out": true}), "/data/hint_index", "range"),
        ("hint.requested", json!({"task_id": "a", "hint_index": 1, "bottom_out": 1}), "/data/bottom_out", "type"),
        ("strategy.changed", json!({"task_id": "a", "from": "x"}), "/data/to", "required"),
        ("choice.made", json!({"choice_id": "a", "option_id": "b", "aligned": "yes"}), "/data/aligned", "type"),
        ("question.answered", json!({"question_id": "a"}), "/data/correct", "required"),
        ("item.changed", json!({"item_id": "a", "delta": 0.5}), "/data/delta", "type"),
        ("score.changed", json!({"score": 1}), "/data/delta", "required"),
        ("social.message_sent", json!({"channel": "a", "length": -1}), "/data/length", "range"),
        ("social.help", json!({"direction": "taken"}), "/data/direction", "enum"),
        ("social.turn", json!({"to": "p-2"}), "/data/voluntary", "required"),
        ("dialogue.viewed", json!({"dialogue_id": "a"}), "/data/skipped", "required"),
        ("client.error", json!({"code": "E1", "message": "x".repeat(201)}), "/data/message", "length"),
        ("evidence.recorded", json!({"skill": "luck", "source": "teacher", "score": 1}), "/data/skill", "enum"),
        ("evidence.recorded", json!({"skill": "empathy", "source": "game", "score": 1}), "/data/source", "enum"),
        ("evidence.recorded", json!({"skill": "empathy", "source": "teacher", "score": -0.1}), "/data/score", "range"),
    ] {
        let found = faults(&event_of(event_type, &data));
        assert_eq!(found, [(pointer.to_owned(), code.to_owned())], "{event_type} {data}");
    }
    let note =
        json!({"skill": "empathy", "source": "teacher", "score": 1, "opportunities": 0, "note": "x".repeat(501)});
    let found = faults(&event_of("evidence.recorded", &note));
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn null_in_an_optional_field_is_as_if_it_were_absent() {
    let data = json!({"skill": "resilience", "source": "teacher", "score": 0.5, "opportunities": null, "note": null});
    let json = event_of("evidence.recorded", &data).to_string();
    let Data::EvidenceRecorded(evidence) = event(&json).unwrap().data else { panic!("{json}") };
    assert_eq!((evidence.skill, evidence.opportunities, evidence.note), (Skill::Resilience, 4.0, None));
    assert_eq!(event(&with("data", json!(null)).to_string()).unwrap_err().len(), 2);
    event(&event_of("session.heartbeat", &json!(null)).to_string()).unwrap();
}

#[test]
fn only_the_close_call_may_leave_the_time_out() {
    let mut close = event_of("session.closed", &json!({"reason": "abandoned"}));
    close["timestamp"] = json!(null);
    let json = close.to_string();
    assert_eq!(event_errors(&json)[0].pointer, "/timestamp");
    assert!(stamped(&json, Some(Origin::CloudEvent)).is_err());
    let event = stamped(&json, Some(Origin::Close)).unwrap();
    assert_eq!((event.timestamp, event.data), (None, Data::SessionClosed(CloseReason::Abandoned)));
    let started = without("timestamp").to_string();
    assert!(stamped(&started, Some(Origin::Close)).is_err());
}

#[test]
fn types_outside_of_the_catalogue_are_the_gateways_to_judge() {
    for name in ["boss.defeated", "task.teleported"] {
        let json = event_of(name, &json!({"anything": [1, {"x": null}]})).to_string();
        assert_eq!(event(&json).unwrap().data, Data::Custom);
    }
}

#[test]
fn what_is_no_event_is_refused_without_a_panic() {
    for json in
        ["", "null", "[]", "7", "\"x\"", "{", "{}x", "[\"a\",\"b\"]", "{\"seq\":1e999}", "{\"seq\":1,\"seq\":1}"]
    {
        assert!(!event_errors(json).is_empty());
    }
    let deep = format!("{{\"data\":{}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    assert_eq!(event_errors(&deep)[0].code, "too_large");
    let deep = format!("{{\"seq\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(event_errors(&deep)[0].code, "json");
    let doubled = r#"{"task_id":"a","outcome":"success","outcome":"failure"}"#;
    let json = attempt().to_string().replace(&attempt()["data"].to_string(), doubled);
    assert_eq!(event_errors(&json)[0].code, "json");
}

#[test]
fn strings_without_escapes_are_borrowed() {
    let json = attempt().to_string();
    let event = event(&json).unwrap();
    let within = |text: &str| json.as_bytes().as_ptr_range().contains(&text.as_ptr());
    assert!(within(event.player_id.as_str()) && within(&event.event_type));
}

#[test]
fn real_play_is_sound() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/waves.ndjson");
    let waves = std::fs::read_to_string(path).unwrap();
    let sound = waves.lines().map(|line| event(line).unwrap_or_else(|errors| panic!("{line}: {errors:?}")));
    assert_eq!(sound.filter(|event| event.seq.is_some()).count(), 10_049);
}

#[test]
fn no_type_has_more_fields_than_there_is_room_for() {
    for entry in &catalogue::CATALOGUE {
        assert!(entry.fields.len() <= read::MOST_FIELDS, "{}", entry.name);
    }
}
