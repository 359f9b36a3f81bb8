//! What goes to the quarantine, and why.

use serde_json::json;

use super::arrival::redriven;
use super::*;

#[test]
fn another_event_under_a_taken_seq_is_set_aside() {
    let mut world = World::new();
    let intruder = |seq: u64| event_at(7_000 + seq, Some(seq), "task.started", &json!({"task_id": "L2"}));
    world.put(&attempt(0), BEGIN);
    world.put(&intruder(0), BEGIN);
    world.put(&attempt(2), BEGIN);
    world.put(&intruder(2), BEGIN);
    world.put(&attempt(1), BEGIN);
    world.put(&intruder(2), BEGIN);
    world.put(&close(Some(3), "completed"), BEGIN);
    world.run();
    assert_eq!(world.reasons(), ["seq_conflict"; 3]);
    assert_eq!(world.set_aside("seq_conflict"), 3);
    assert_eq!(
        world.report().facts.metrics,
        expected(&[attempt(0), attempt(1), attempt(2), close(Some(3), "completed")])
    );
    let aside = &world.quarantine[0];
    assert_eq!((aside.partition, aside.offset), (0, 1));
    assert_eq!(serde_json::from_slice::<Value>(&aside.raw).unwrap(), intruder(0));
}

#[test]
fn the_first_event_decides_whose_session_it_is_and_whether_it_counts() {
    let mut world = World::new();
    let mut stranger = attempt(1);
    stranger["player_id"] = "p-2".into();
    let mut strangers_close = close(None, "error");
    strangers_close["player_id"] = "p-2".into();
    world.put(&strangers_close, BEGIN);
    world.put(&attempt(0), BEGIN);
    world.put(&stranger, BEGIN);
    world.put(&event(None, "task.started", &json!({"task_id": "L1"})), BEGIN);
    world.put_stamped(&attempt(2), BEGIN, &json!({"game": "other"}));
    world.put(&close(Some(1), "completed"), BEGIN);
    world.run();
    assert_eq!(world.reasons(), ["player_mismatch", "player_mismatch", "seq_mixed", "game_mismatch"]);
    assert_eq!(world.report().player.as_str(), "p-1");
    assert_eq!(world.report().facts.close_reason.as_str(), "completed");
    assert_eq!(world.applied(), 2);
}

#[test]
fn an_event_with_seq_in_a_session_without_is_set_aside() {
    let mut world = World::new();
    world.put(&event(None, "task.started", &json!({"task_id": "L1"})), BEGIN);
    world.put(&attempt(1), BEGIN);
    world.run();
    assert_eq!(world.reasons(), ["seq_mixed"]);
}

#[test]
fn closes_and_holes_alone_give_no_report_and_no_marker() {
    let mut world = World::new();
    world.put(&close(None, "completed"), BEGIN);
    world.put(&close(Some(4), "completed"), BEGIN);
    world.put_hole(2, BEGIN);
    world.run();
    assert_eq!(world.applied(), 0);
    world.wait(3 * HOUR);
    assert!(world.reports.is_empty() && world.live.is_empty());
    assert_eq!(world.reasons(), ["no_session", "no_session"]);
    assert_eq!(world.set_aside("no_session"), 2);
    assert_eq!(world.state.len(), 1, "the partition's own state alone is left");
}

#[test]
fn what_comes_after_eviction_and_is_no_repeat_is_late() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put(&close(Some(2), "completed"), BEGIN);
    world.run();
    world.put(&attempt(1), BEGIN + 2 * HOUR);
    world.put(&attempt(3), BEGIN + 2 * HOUR);
    world.put(&attempt(0), BEGIN + 2 * HOUR);
    world.run();
    assert_eq!(world.reasons(), ["late", "late"]);
    assert_eq!(world.repeats(), 1);
    assert_eq!(world.reports.iter().map(|report| report.revision).max(), Some(2));
    // Sent again, they bring the session back.
    world.put_stamped(&attempt(1), BEGIN + 3 * HOUR, &redriven());
    world.put_stamped(&attempt(3), BEGIN + 3 * HOUR, &redriven());
    world.run();
    world.wait(2 * HOUR);
    let events = [attempt(0), attempt(1), close(Some(2), "completed"), attempt(3)];
    assert_eq!(world.report().facts.metrics, expected(&events));
    assert_eq!(world.report().provenance.first_offset, 0);
    assert!(world.report().revision > 2);
    assert_eq!(world.applied(), 4);
}

#[test]
fn a_session_without_seq_takes_nothing_after_eviction_unless_it_is_redriven() {
    let mut world = World::new();
    let first = event_at(1, None, "task.started", &json!({"task_id": "L1"}));
    let second = event_at(2, None, "task.completed", &json!({"task_id": "L1"}));
    world.put(&first, BEGIN);
    world.put(&close(None, "completed"), BEGIN);
    world.run();
    world.put(&first, BEGIN + 2 * HOUR);
    world.put(&second, BEGIN + 2 * HOUR);
    world.run();
    assert_eq!(world.reasons(), ["late", "late"]);
    world.put_stamped(&second, BEGIN + 3 * HOUR, &redriven());
    world.run();
    world.wait(2 * HOUR);
    assert_eq!(world.report().facts.metrics, expected(&[first, second, close(None, "completed")]));
    assert_eq!(world.applied(), 3);
}

#[test]
fn poison_goes_to_the_quarantine_and_the_rest_goes_on() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put_raw(SESSION, "not JSON".into(), BEGIN);
    world.put_raw(SESSION, r#"{"v":1}"#.into(), BEGIN);
    let mut wrong = attempt(1);
    wrong["data"]["outcome"] = "perhaps".into();
    world.put(&wrong, BEGIN);
    world.put(&attempt(1), BEGIN);
    world.put(&close(Some(2), "completed"), BEGIN);
    world.run();
    assert_eq!(world.reasons(), ["poison"; 3]);
    assert_eq!(world.quarantine.iter().map(|aside| aside.offset).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(&world.quarantine[0].raw[..], b"not JSON");
    assert_eq!(world.quarantine[2].errors[0].pointer, "/data/outcome");
    assert_eq!(world.set_aside("poison"), 1);
    assert_eq!(world.report().facts.metrics.event_count, 3);
}

#[test]
fn a_hole_beyond_every_seq_is_poison() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    for seq in [u64::MAX, schemas::event::MAX_INTEGER + 1] {
        world.put_hole(seq, BEGIN);
    }
    world.put_hole(schemas::event::MAX_INTEGER, BEGIN);
    world.put(&close(Some(1), "completed"), BEGIN);
    world.run();
    assert_eq!(world.reasons(), ["poison"; 2]);
    assert_eq!(world.activity.iter().map(|counts| counts.holes).sum::<u64>(), 1);
    assert_eq!((world.applied(), world.report().facts.complete), (2, Some(false)));
}

#[test]
fn a_record_of_a_later_release_stops_the_worker_before_it() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put_raw(SESSION, r#"{"v":2,"other":1}"#.into(), BEGIN);
    world.run();
    let why = world.stopped.clone().unwrap();
    assert!(why.contains("offset 1") && why.contains("version 2"), "{why}");
    assert_eq!(world.committed, None);
}
