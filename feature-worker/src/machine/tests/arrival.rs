//! Order, gaps, repeats and holes.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_session_in_order_is_final_at_its_close() {
    let mut world = World::new();
    let events: Vec<Value> = (0..5).map(attempt).chain([close(Some(5), "completed")]).collect();
    for (event, at) in events.iter().zip((BEGIN..).step_by(1_000)) {
        let sent_at = Timestamp::from_ms(at).to_string();
        world.put_stamped(event, at + 300, &json!({"sent_at": sent_at, "app_version": "1.2"}));
    }
    world.run();
    let report = world.report();
    assert_eq!((report.revision, report.status), (1, schemas::report::Status::Final));
    assert_eq!(report.facts.metrics, expected(&events));
    assert_eq!(report.facts.close_reason.as_str(), "completed");
    assert_eq!(report.facts.complete, Some(true));
    let provenance = &report.provenance;
    assert_eq!((provenance.first_offset, provenance.last_offset, provenance.repeats), (0, 5, 0));
    assert_eq!(provenance.clock_offset_ms, Some(300));
    assert_eq!(provenance.started_at.ms(), report.facts.started.ms() + 300);
    assert_eq!(provenance.app_version.as_deref(), Some("1.2"));
    assert_eq!(world.applied(), 6);
    assert_eq!(world.reports.len(), 1);
}

#[test]
fn a_gap_makes_a_provisional_report_and_its_filling_the_final_one() {
    let mut world = World::new();
    let events: Vec<Value> = (0..5).map(attempt).chain([close(Some(5), "completed")]).collect();
    for event in events.iter().filter(|event| event["seq"] != 2) {
        world.put(event, BEGIN);
    }
    world.run();
    let report = world.report().clone();
    assert_eq!((report.revision, report.status), (1, schemas::report::Status::Provisional));
    assert_eq!((report.facts.complete, report.facts.metrics.event_count), (Some(false), 5));
    world.put(&events[2], BEGIN + 10);
    world.run();
    let report = world.report();
    assert_eq!((report.revision, report.status), (2, schemas::report::Status::Final));
    assert_eq!(report.facts.metrics, expected(&events));
}

#[test]
fn repeats_have_no_effect_wherever_they_come() {
    let mut world = World::new();
    let events: Vec<Value> = (0..5).map(attempt).chain([close(Some(5), "completed")]).collect();
    for event in events.iter().chain(&events).chain(events.iter().skip(3)) {
        world.put(event, BEGIN);
    }
    world.run();
    for event in &events {
        world.put(event, BEGIN + MINUTE);
    }
    world.run();
    // Two hours later the session has been evicted: its marker knows them all.
    for event in &events {
        world.put(event, BEGIN + 2 * HOUR);
    }
    world.run();
    assert_eq!(world.reports.len(), 1);
    assert_eq!(world.report().facts.metrics, expected(&events));
    assert_eq!((world.applied(), world.repeats()), (6, 21));
    assert!(world.quarantine.is_empty());
}

#[test]
fn a_hole_lets_the_session_go_on_incomplete() {
    let mut world = World::new();
    for event in [attempt(0), attempt(1)] {
        world.put(&event, BEGIN);
    }
    world.put_hole(2, BEGIN);
    world.put(&close(Some(3), "completed"), BEGIN);
    world.run();
    let report = world.report();
    assert_eq!(report.status, schemas::report::Status::Final);
    assert_eq!((report.facts.complete, report.facts.metrics.completeness), (Some(false), Some(0.75)));
    assert_eq!(world.activity.iter().map(|counts| counts.holes).sum::<u64>(), 1);
}

#[test]
fn an_event_takes_the_place_of_a_hole_behind_a_gap() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put_hole(2, BEGIN);
    world.put(&attempt(2), BEGIN);
    world.put_hole(2, BEGIN);
    world.put(&attempt(1), BEGIN);
    world.put(&close(Some(3), "completed"), BEGIN);
    world.run();
    let events = [attempt(0), attempt(1), attempt(2), close(Some(3), "completed")];
    assert_eq!(world.report().facts.metrics, expected(&events));
    assert_eq!(world.report().facts.complete, Some(true));
}

#[test]
fn an_event_takes_the_place_of_a_passed_hole_by_reading_back() {
    for (late, evicted) in [(MINUTE, false), (3 * HOUR, true)] {
        let mut world = World::new();
        world.put(&attempt(0), BEGIN);
        world.put_hole(1, BEGIN);
        world.put(&attempt(2), BEGIN);
        world.put(&close(Some(3), "completed"), BEGIN);
        world.put(&close(None, "error"), BEGIN);
        world.run();
        assert_eq!(world.report().facts.metrics.event_count, 4);
        world.put(&attempt(1), BEGIN + late);
        world.put(&attempt(1), BEGIN + late);
        world.run();
        world.wait(MINUTE);
        let events = [attempt(0), attempt(1), attempt(2), close(Some(3), "completed"), close(None, "error")];
        assert_eq!(world.report().facts.metrics, expected(&events), "evicted: {evicted}");
        assert_eq!(world.report().facts.complete, Some(true));
        assert_eq!(world.report().facts.close_reason.as_str(), "error");
        assert_eq!(world.report().revision, 2);
        assert_eq!(world.report().provenance.first_offset, 0);
        assert_eq!((world.applied(), world.repeats()), (5, 1));
        assert!(world.quarantine.is_empty());
    }
}

#[test]
fn a_crash_while_the_log_is_read_back_loses_nothing() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put_hole(1, BEGIN);
    world.put(&close(Some(2), "completed"), BEGIN);
    world.run();
    world.put(&attempt(1), BEGIN + 3 * HOUR);
    world.fate = Fate::Open;
    world.run();
    world.crash(settings());
    world.fate = Fate::Kept;
    world.run();
    world.wait(MINUTE);
    assert_eq!(world.report().facts.metrics, expected(&[attempt(0), attempt(1), close(Some(2), "completed")]));
    assert_eq!(world.applied(), 3);
}

#[test]
fn too_much_behind_a_gap_passes_it_and_says_so() {
    let mut settings = settings();
    settings.games = Games::all(GameSettings { buffer_events: 8, ..GameSettings::default() });
    let mut world = World::with(settings);
    for seq in (0..20).filter(|seq| *seq != 3) {
        world.put(&attempt(seq), BEGIN);
    }
    world.put(&close(Some(20), "completed"), BEGIN);
    world.put(&attempt(3), BEGIN + 1);
    world.run();
    let report = world.report();
    assert_eq!(report.facts.flags, [schemas::report::Flag::GapSkipped]);
    assert_eq!((report.facts.complete, report.facts.metrics.event_count), (Some(false), 20));
    assert_eq!(report.status, schemas::report::Status::Provisional);
    assert_eq!(world.reasons(), ["late"]);
    // Sent again out of the quarantine, it comes into its place.
    world.put_stamped(&attempt(3), BEGIN + 2, &redriven());
    world.run();
    world.wait(2 * MINUTE);
    let events: Vec<Value> = (0..20).map(attempt).chain([close(Some(20), "completed")]).collect();
    assert_eq!(world.report().facts.metrics, expected(&events));
}

pub(super) fn redriven() -> Value {
    json!({"redrive": {"topic": "play.quarantine", "partition": 0, "offset": 0, "first_received_at": Timestamp::from_ms(BEGIN).to_string()}})
}

#[test]
fn a_session_without_seq_stands_in_the_order_of_the_log() {
    let mut world = World::new();
    let start = event_at(1, None, "task.started", &json!({"task_id": "L1"}));
    let second = event_at(5, None, "task.attempted", &json!({"task_id": "L1", "outcome": "success"}));
    let third = event_at(3, None, "task.completed", &json!({"task_id": "L1"}));
    let end = close(None, "completed");
    for event in [&end, &start, &second, &third, &second, &end] {
        world.put(event, BEGIN);
    }
    world.run();
    let report = world.report();
    assert_eq!(report.facts.metrics, expected(&[end, start, second, third]));
    assert_eq!((report.facts.complete, report.facts.metrics.out_of_order), (None, 1));
    assert_eq!(report.status, schemas::report::Status::Provisional);
    assert_eq!((world.applied(), world.repeats()), (4, 2));
}
