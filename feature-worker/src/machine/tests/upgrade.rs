//! State that the release before wrote is taken up, and nothing is lost or told twice.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

/// State and events, as the form 1 of play.session-state was first written.
const BEFORE: &str = include_str!("../../../tests/data/state-1.ndjson");

fn in_session(number: u8, mut event: Value) -> Value {
    event["session_id"] = session(number).into();
    event
}

fn session(number: u8) -> String {
    format!("8f14e45f-0000-4000-8000-0000000000{number:02}")
}

/// A world that goes on with that state.
fn world() -> World {
    let mut world = World::new();
    for line in BEFORE.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let key = line["key"].as_str().unwrap().to_owned();
        match line.get("event") {
            None => drop(world.state.insert(key.into(), line["value"].to_string().into())),
            Some(event) => world.put_raw(key.strip_prefix("acme/").unwrap(), event.to_string(), BEGIN),
        }
    }
    world.committed = Some(i64::try_from(world.events.len()).unwrap());
    world.crash(settings());
    world
}

#[test]
fn every_kind_of_state_that_the_release_before_wrote_is_taken_up() {
    let mut world = world();
    let at = BEGIN + 3 * HOUR + MINUTE;
    let close_at = |number, seq| event_at(number, seq, "session.closed", &json!({"reason": "completed"}));
    // Holes at 0 and 1 and two closes of it had come.
    world.put(&in_session(10, attempt(2)), at);
    world.put(&in_session(10, close_at(60, Some(3))), at);
    // It waited for 2.
    world.put(&in_session(11, attempt(2)), at);
    world.put(&in_session(11, close_at(70, Some(5))), at);
    world.put(&in_session(12, close_at(70, None)), at);
    // Evicted: a repeat, a straggler, and what goes where the hole is.
    for seq in [0, 3, 1] {
        world.put(&in_session(13, attempt(seq)), at);
    }
    world.put(&in_session(14, event_at(1, None, "task.started", &json!({"task_id": "L1"}))), at);
    // Brought back when the release was changed: 1 and 7 wait for the log.
    world.put(&in_session(15, attempt(7)), at);
    world.put(&in_session(16, close_at(70, Some(4))), at);
    world.run();
    world.wait(3 * HOUR);
    assert_eq!(world.stopped, None);
    let mut reports = BTreeMap::new();
    for report in &world.reports {
        reports.insert(report.session.to_string(), report);
    }
    let told = |number: u8| {
        let report = reports[&session(number)];
        assert_eq!(report.status, schemas::report::Status::Final);
        (report.facts.metrics.event_count, report.facts.complete, report.facts.close_reason.as_str())
    };
    assert_eq!(told(10), (3, Some(false), "error"));
    assert_eq!(told(11), (6, Some(true), "completed"));
    assert_eq!(reports[&session(11)].facts.platform.as_deref(), Some("web"));
    assert_eq!(told(12), (3, None, "completed"));
    assert_eq!(told(13), (4, Some(true), "completed"));
    assert_eq!(told(15), (5, Some(false), "completed"));
    assert_eq!(told(16), (5, Some(true), "completed"));
    assert_eq!(world.reasons(), ["late", "late"]);
    // Repeats: the close of 10 by its seq, the first of 13, 7 of 15.
    assert_eq!(world.repeats(), 3);
}
