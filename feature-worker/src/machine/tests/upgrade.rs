//! State that releases before wrote is taken up, and nothing is lost or told twice.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

/// State and events, as the form 1 of play.session-state was first written.
const FIRST: &str = include_str!("../../../tests/data/state-1.ndjson");
/// The same, as it was written while every commit wrote each session that it touched.
const EAGER: &str = include_str!("../../../tests/data/state-2.ndjson");

fn in_session(number: u8, mut event: Value) -> Value {
    event["session_id"] = session(number).into();
    event
}

fn session(number: u8) -> String {
    format!("8f14e45f-0000-4000-8000-0000000000{number:02}")
}

/// A world that goes on with that state.
fn world(before: &str) -> World {
    let mut world = World::new();
    for line in before.lines() {
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
fn every_kind_of_state_that_the_first_release_wrote_is_taken_up() {
    go_on(world(FIRST));
}

#[test]
fn every_kind_of_state_that_the_release_before_wrote_is_taken_up() {
    let mut world = world(EAGER);
    let at = BEGIN + 3 * HOUR + MINUTE;
    // Evicted with a gap passed and another event under 1: a repeat, a straggler in the gap, the other again.
    for seq in [1, 3] {
        world.put(&in_session(17, attempt(seq)), at);
    }
    // Brought back by 3 when the release was changed: 4 is sent again too.
    let again = event_at(4, None, "task.started", &json!({"task_id": "L2"}));
    world.put_stamped(&in_session(18, again), at, &super::arrival::redriven());
    // Closed by time-out: its own close comes in grace.
    world.put(&in_session(19, event_at(90, Some(2), "session.closed", &json!({"reason": "error"}))), at);
    // Two players have closed it: the first event says whose it is.
    world.put(&in_session(20, attempt(0)), at);
    // The gap up to its close is filled.
    for seq in [1, 2] {
        world.put(&in_session(21, attempt(seq)), at);
    }
    // Two of its events were none: a gap stays in front of what waits.
    world.put(&in_session(23, close(Some(5), "completed")), at);
    let world = go_on(world);
    let told = |number: u8| {
        let report = world.reports.iter().rfind(|report| report.session.to_string() == session(number)).unwrap();
        (report.facts.metrics.event_count, report.facts.close_reason.as_str(), report.revision)
    };
    assert!(world.reports.iter().all(|report| report.session.to_string() != session(17)));
    let (events, reason, revision) = told(18);
    assert_eq!((events, reason), (3, "timeout"));
    assert!(revision > 1);
    assert_eq!((told(19), told(20)), ((3, "error", 2), (2, "error", 2)));
    assert_eq!((told(21), told(22), told(23)), ((4, "completed", 2), (1, "completed", 2), (4, "completed", 2)));
    let last = world.reports.iter().rfind(|report| report.session.to_string() == session(23)).unwrap();
    assert_eq!(last.provenance.app_version.as_deref(), Some("1.2.3"));
    assert_eq!(last.provenance.clock_offset_ms, Some(250));
    assert_eq!(last.facts.locale.as_deref(), Some("de"));
}

/// What is the same in both: sessions 10 to 16.
fn go_on(mut world: World) -> World {
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
    // Those of 13 and 14; in the later form of 17 too, and a stranger's close of 20.
    let aside: Vec<&str> = world.quarantine.iter().map(|aside| aside.reason.as_str()).collect();
    let late = aside.iter().filter(|reason| **reason == "late").count();
    let form = usize::from(reports.contains_key(&session(20)));
    assert_eq!((late, aside.len()), (2 + form, 2 + 2 * form));
    // Repeats: the close of 10 by its seq, the first of 13, 7 of 15; in the later form one of 17.
    assert_eq!(world.repeats(), 3 + form as u64);
    world
}
