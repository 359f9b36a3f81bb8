//! Holes before, between and in place of events.

use serde_json::json;

use super::*;

#[test]
fn however_many_holes_come_before_the_first_event_none_is_forgotten() {
    let mut world = World::new();
    for seq in 0..10_000 {
        world.put_hole(seq, BEGIN);
    }
    world.put(&attempt(10_000), BEGIN);
    world.put(&close(Some(10_001), "completed"), BEGIN);
    world.run();
    let report = world.report();
    assert_eq!((report.status, report.facts.complete), (schemas::report::Status::Final, Some(false)));
    assert_eq!((report.facts.metrics.event_count, &report.facts.flags[..]), (2, &[][..]));
}

#[test]
fn holes_in_any_order_wait_for_those_before_them() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let mut world = World::new();
        for seq in order {
            world.put_hole(seq, BEGIN);
        }
        world.put(&attempt(4), BEGIN);
        world.put(&close(Some(5), "completed"), BEGIN);
        world.run();
        assert_eq!(world.report().status, schemas::report::Status::Final);
    }
}

#[test]
fn the_first_event_takes_its_place_before_a_gap_is_passed() {
    let mut world = World::new();
    for seq in 1..=4_097 {
        world.put_hole(seq, BEGIN);
    }
    world.put(&attempt(0), BEGIN);
    world.run();
    world.wait(MINUTE);
    assert!(world.reports.is_empty(), "it goes on");
    world.put(&attempt(4_098), BEGIN + SECOND);
    world.put(&close(Some(4_099), "completed"), BEGIN + SECOND);
    world.run();
    let report = world.report();
    assert_eq!((report.kind, report.status), (schemas::report::Kind::Play, schemas::report::Status::Final));
    assert_eq!((report.facts.metrics.event_count, &report.facts.flags[..]), (3, &[][..]));
    assert_eq!((world.applied(), world.quarantine.len()), (3, 0));
}

#[test]
fn holes_are_nothing_to_a_session_without_seq() {
    let mut world = World::new();
    for seq in [0, 1, 7] {
        world.put_hole(seq, BEGIN);
    }
    world.put(&event_at(1, None, "task.started", &json!({"task_id": "L1"})), BEGIN);
    world.put_hole(2, BEGIN);
    world.put(&close(None, "completed"), BEGIN);
    world.run();
    world.wait(2 * HOUR);
    let report = world.report();
    assert_eq!((report.facts.complete, report.facts.metrics.completeness), (None, None));
    assert_eq!(report.facts.metrics.event_count, 2);
}

#[test]
fn a_session_of_holes_alone_ends_without_a_trace() {
    let mut world = World::new();
    for seq in 0..3 * crate::session::terms::USUAL_EVENTS as u64 {
        world.put_hole(seq, BEGIN);
    }
    world.run();
    super::bounds::assert_state_fits(&world);
    world.wait(3 * HOUR);
    assert!(world.reports.is_empty());
    assert_eq!(world.state.len(), 1, "the partition's own state alone is left");
}
