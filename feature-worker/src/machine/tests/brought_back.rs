//! Evicted sessions that a record brings back: once, twice, with what was set aside in between.

use serde_json::json;

use super::arrival::redriven;
use super::*;

fn told(number: u64) -> Value {
    event_at(number, None, "task.started", &json!({"task_id": format!("L{number}")}))
}

fn close_at(number: u64, reason: &str) -> Value {
    event_at(number, None, "session.closed", &json!({"reason": reason}))
}

/// Asserts what the session has come to in the end.
fn assert_is(world: &mut World, events: &[Value]) {
    world.run();
    world.wait(3 * HOUR);
    assert_eq!(world.report().facts.metrics, expected(events));
    assert_eq!(world.report().facts.metrics.event_count, world.applied());
}

#[test]
fn what_is_sent_again_to_a_session_without_seq_that_has_it_is_a_repeat() {
    let mut world = World::new();
    for event in [told(1), told(2), close_at(3, "completed")] {
        world.put(&event, BEGIN);
    }
    world.run();
    world.put_stamped(&told(2), BEGIN + 2 * HOUR, &redriven());
    world.put_stamped(&told(4), BEGIN + 2 * HOUR, &redriven());
    world.put_stamped(&close_at(3, "completed"), BEGIN + 2 * HOUR, &redriven());
    assert_is(&mut world, &[told(1), told(2), told(4), close_at(3, "completed")]);
    assert_eq!((world.applied(), world.repeats(), world.quarantine.len()), (4, 2, 0));
}

#[test]
fn a_close_without_seq_that_counted_does_not_count_again() {
    let mut world = World::new();
    for event in [attempt(0), attempt(1), close_at(50, "error")] {
        world.put(&event, BEGIN);
    }
    world.run();
    world.put_stamped(&close_at(50, "error"), BEGIN + 2 * HOUR, &redriven());
    world.put_stamped(&close_at(60, "completed"), BEGIN + 2 * HOUR, &redriven());
    assert_is(&mut world, &[attempt(0), attempt(1), close_at(50, "error"), close_at(60, "completed")]);
    assert_eq!((world.applied(), world.repeats(), world.quarantine.len()), (4, 1, 0));
}

#[test]
fn a_repeat_alone_brings_no_new_revision() {
    for seq in [Some(0), None] {
        let mut world = World::new();
        let first = event_at(1, seq, "task.started", &json!({"task_id": "L1"}));
        world.put(&first, BEGIN);
        world.put(&close_at(9, "completed"), BEGIN);
        world.run();
        world.wait(2 * HOUR);
        let revision = world.report().revision;
        world.put_stamped(&close_at(9, "completed"), BEGIN + 3 * HOUR, &redriven());
        assert_is(&mut world, &[first, close_at(9, "completed")]);
        assert_eq!((world.report().revision, world.repeats()), (revision, 1));
    }
}

#[test]
fn what_was_set_aside_meanwhile_stays_so_when_the_session_is_brought_back_twice() {
    let mut world = World::new();
    for event in [told(1), told(2), close_at(3, "completed")] {
        world.put(&event, BEGIN);
    }
    world.run();
    world.put(&told(4), BEGIN + 2 * HOUR);
    world.put(&close_at(5, "error"), BEGIN + 2 * HOUR);
    world.put_stamped(&told(6), BEGIN + 3 * HOUR, &redriven());
    world.run();
    world.put_stamped(&told(7), BEGIN + 6 * HOUR, &redriven());
    world.run();
    assert_eq!(world.reasons(), ["late", "late"]);
    // And in the end they are sent again, too.
    let mut events = vec![told(1), told(2), told(6), told(7), close_at(3, "completed")];
    assert_is(&mut world, &events);
    for event in [told(4), close_at(5, "error")] {
        world.put_stamped(&event, BEGIN + 9 * HOUR, &redriven());
    }
    events = vec![told(1), told(2), told(6), told(7), told(4), close_at(3, "completed"), close_at(5, "error")];
    assert_is(&mut world, &events);
    assert_eq!((world.applied(), world.repeats()), (7, 0));
}

#[test]
fn closes_that_were_set_aside_meanwhile_end_no_session_with_seq() {
    let mut world = World::new();
    for event in [attempt(0), attempt(1), close_at(50, "completed")] {
        world.put(&event, BEGIN);
    }
    world.run();
    world.put(&close_at(60, "error"), BEGIN + 2 * HOUR);
    world.put_stamped(&attempt(2), BEGIN + 3 * HOUR, &redriven());
    world.run();
    world.put_stamped(&attempt(3), BEGIN + 6 * HOUR, &redriven());
    assert_is(&mut world, &[attempt(0), attempt(1), attempt(2), attempt(3), close_at(50, "completed")]);
    assert_eq!(world.report().facts.close_reason.as_str(), "completed");
}

#[test]
fn an_event_that_was_set_aside_under_a_seq_does_not_stand_for_the_one_that_took_its_place() {
    let mut settings = settings();
    settings.games = Games::all(GameSettings { buffer_events: 4, ..GameSettings::default() });
    let mut world = World::with(settings);
    let another = event_at(7_000, Some(1), "task.started", &json!({"task_id": "L9"}));
    world.put(&attempt(0), BEGIN);
    for seq in 2..10 {
        world.put(&attempt(seq), BEGIN);
    }
    world.put(&another, BEGIN);
    world.put_stamped(&attempt(1), BEGIN, &redriven());
    world.put(&close(Some(10), "completed"), BEGIN);
    world.run();
    assert_eq!(world.reasons(), ["late"]);
    world.put_stamped(&attempt(11), BEGIN + 3 * HOUR, &redriven());
    world.run();
    let mut events: Vec<Value> = (0..10).map(attempt).collect();
    events.extend([close(Some(10), "completed"), attempt(11)]);
    assert_is(&mut world, &events);
}

#[test]
fn another_event_under_a_seq_that_is_sent_again_after_eviction_is_judged_by_the_log() {
    for lost in [false, true] {
        let mut world = World::new();
        for event in [attempt(0), attempt(1), close(Some(2), "completed")] {
            world.put(&event, BEGIN);
        }
        world.run();
        if lost {
            world.low = 3;
        }
        let mut later = event_at(7_000, Some(1), "task.started", &json!({"task_id": "L9"}));
        later["timestamp"] = Timestamp::from_ms(BEGIN + HOUR).to_string().into();
        // Not sent again it is late; then the session itself is asked for.
        world.put(&later, BEGIN + 2 * HOUR);
        world.put_stamped(&later, BEGIN + 2 * HOUR, &redriven());
        world.put(&later, BEGIN + 2 * HOUR);
        world.run();
        if lost {
            assert_eq!(world.reasons(), ["late"; 3]);
        } else {
            assert_eq!(world.reasons(), ["late", "seq_conflict", "seq_conflict"]);
        }
        assert_eq!(world.asked, 1);
        // What the log has lost can't come back, and is not asked for again.
        world.put_stamped(&attempt(3), BEGIN + 2 * HOUR, &redriven());
        world.put(&attempt(0), BEGIN + 2 * HOUR);
        world.run();
        world.wait(3 * HOUR);
        assert_eq!((world.asked, world.repeats(), world.applied()), (1, 1, if lost { 3 } else { 4 }));
        assert_eq!(world.report().facts.metrics.event_count, world.applied());
    }
}
