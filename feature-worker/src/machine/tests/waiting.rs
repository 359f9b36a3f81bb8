//! While a session is read back from the log: nothing is judged otherwise for it, and nothing grows.

use serde_json::json;

use super::arrival::redriven;
use super::bounds::{assert_state_fits, padded};
use super::*;

#[test]
fn what_the_state_has_no_room_for_waits_in_the_log() {
    for slow in [false, true] {
        let mut world = World::new().by(30);
        for seq in 0..200 {
            world.put_hole(seq, BEGIN);
        }
        world.put(&attempt(200), BEGIN);
        world.run();
        world.slow = slow;
        for seq in 0..200 {
            world.put(&padded(20_000 + seq, Some(seq), "task.completed"), BEGIN + SECOND);
        }
        world.run();
        assert_eq!(world.is_read(), !slow);
        assert_state_fits(&world);
        if slow {
            assert_eq!(world.applied(), 1);
            world.wait(10 * MINUTE);
            let commits = world.commits;
            world.wait(10 * MINUTE);
            assert_eq!(world.commits, commits, "what waits is no reason to commit");
            world.crash(settings());
            world.slow = true;
            world.run();
            assert!(!world.is_read());
        }
        world.answer();
        world.run();
        assert_state_fits(&world);
        world.wait(3 * HOUR);
        assert_eq!((world.applied(), world.quarantine.len()), (201, 0));
        assert_eq!(world.report().facts.metrics.event_count, 201);
        assert_eq!(world.report().facts.complete, Some(true));
    }
}

#[test]
fn what_comes_in_order_meanwhile_waits_and_passes_no_gap() {
    let mut world = World::new().by(100);
    world.put(&attempt(0), BEGIN);
    world.put_hole(1, BEGIN);
    world.put(&attempt(2), BEGIN);
    world.run();
    world.slow = true;
    world.put(&attempt(1), BEGIN);
    for seq in 3..10_000 {
        world.put(&attempt(seq), BEGIN);
    }
    world.run();
    assert!(!world.is_read());
    assert_state_fits(&world);
    world.answer();
    world.put(&close(Some(10_000), "completed"), BEGIN);
    world.run();
    let events: Vec<Value> = (0..10_000).map(attempt).chain([close(Some(10_000), "completed")]).collect();
    assert_eq!(world.report().facts.metrics, expected(&events));
    assert_eq!((world.report().status, &world.report().facts.flags[..]), (schemas::report::Status::Final, &[][..]));
    assert_eq!((world.applied(), world.quarantine.len()), (10_001, 0));
}

#[test]
fn a_session_that_the_log_has_lost_goes_on_as_it_was() {
    let mut settings = settings();
    settings.games = Games::all(GameSettings { buffer_events: 4, ..GameSettings::default() });
    let mut world = World::with(settings);
    world.put(&attempt(0), BEGIN);
    world.put_hole(1, BEGIN);
    for seq in 3..10 {
        world.put(&attempt(seq), BEGIN);
    }
    world.run();
    // Retention has come so far. A close for the place of the hole, an event for the gap that was passed.
    world.low = 5;
    world.slow = true;
    world.put(&close(Some(1), "completed"), BEGIN + SECOND);
    world.put_stamped(&attempt(2), BEGIN + SECOND, &redriven());
    world.put(&attempt(10), BEGIN + SECOND);
    world.put(&attempt(12), BEGIN + SECOND);
    world.run();
    world.answer();
    world.put(&attempt(11), BEGIN + SECOND);
    // The gap is still one, and no refused event's place: who does not send again is late.
    world.put(&attempt(2), BEGIN + SECOND);
    world.run();
    assert_eq!(world.reasons(), ["late"; 3]);
    world.wait(MINUTE);
    assert!(world.reports.is_empty(), "the close that was set aside closes nothing");
    world.put(&close(Some(13), "abandoned"), BEGIN + MINUTE);
    world.run();
    let events: Vec<Value> = [0].into_iter().chain(3..13).map(attempt).chain([close(Some(13), "abandoned")]).collect();
    assert_eq!(world.report().facts.metrics, expected(&events));
    assert_eq!(world.report().facts.flags, [schemas::report::Flag::GapSkipped]);
    assert_eq!(world.applied(), 12);
}

/// What became of a session, by the log's speed: the same if `story` is told to a slow log.
fn same_for_any_speed(story: impl Fn(&mut World)) -> World {
    let [fast, slow] = [false, true].map(|slow| {
        let mut world = World::new();
        story(&mut world);
        if slow {
            world.slow = true;
            world.run();
        } else {
            // One by one, with the answer in between.
            world = world.by(1);
            world.run();
        }
        world.answer();
        world.run();
        world.wait(3 * HOUR);
        world
    });
    let aside = |world: &World| -> Vec<_> {
        let mut aside: Vec<_> = world.quarantine.iter().map(|aside| (aside.offset, aside.reason)).collect();
        aside.sort_unstable();
        aside
    };
    assert_eq!(aside(&fast), aside(&slow));
    assert_eq!((fast.applied(), fast.repeats()), (slow.applied(), slow.repeats()));
    let own = |world: &World| world.reports.iter().rfind(|report| report.session.to_string() == SESSION).cloned();
    let [facts, slow_facts] = [&fast, &slow].map(|world| own(world).map(|report| (report.facts, report.kind)));
    assert_eq!(facts, slow_facts);
    slow
}

/// An event of another session: it carries log time on.
fn other(at: i64) -> Value {
    let mut event = event_at(at.unsigned_abs(), None, "task.started", &json!({"task_id": "L1"}));
    event["session_id"] = "8f14e45f-0000-4000-8000-000000000002".into();
    event["timestamp"] = Timestamp::from_ms(BEGIN).to_string().into();
    event
}

/// A session with a hole at 1, closed at 3.
fn with_a_hole(world: &mut World) {
    world.put(&attempt(0), BEGIN);
    world.put_hole(1, BEGIN);
    world.put(&attempt(2), BEGIN);
    world.put(&close(Some(3), "completed"), BEGIN);
}

#[test]
fn grace_ends_when_it_ends_however_long_the_log_takes() {
    let world = same_for_any_speed(|world| {
        with_a_hole(world);
        world.put(&attempt(1), BEGIN + 30 * MINUTE);
        world.put(&attempt(4), BEGIN + 80 * MINUTE);
        world.put(&other(1), BEGIN + 3 * HOUR);
        world.put(&attempt(5), BEGIN + 3 * HOUR);
    });
    assert_eq!((world.reasons(), world.applied()), (vec!["late"], 6));
}

#[test]
fn a_session_without_a_close_times_out_when_it_does_however_long_the_log_takes() {
    same_for_any_speed(|world| {
        world.put(&attempt(0), BEGIN);
        world.put_hole(1, BEGIN);
        world.put(&attempt(2), BEGIN + 5 * MINUTE);
        world.put(&attempt(1), BEGIN + 10 * MINUTE);
        world.put(&other(1), BEGIN + 36 * MINUTE);
        world.put(&attempt(3), BEGIN + 39 * MINUTE);
        world.put(&other(2), BEGIN + 2 * HOUR);
        world.put(&attempt(4), BEGIN + 2 * HOUR);
    });
}

#[test]
fn a_session_brought_back_takes_nothing_new_unless_it_is_sent_again() {
    let world = same_for_any_speed(|world| {
        with_a_hole(world);
        world.put(&attempt(1), BEGIN + 3 * HOUR);
        world.put(&attempt(6), BEGIN + 3 * HOUR);
        world.put_hole(4, BEGIN + 3 * HOUR);
        world.put_stamped(&attempt(8), BEGIN + 3 * HOUR, &redriven());
        world.put(&attempt(5), BEGIN + 3 * HOUR);
        world.put_hole(7, BEGIN + 3 * HOUR);
        world.put(&close(None, "error"), BEGIN + 3 * HOUR);
        world.put_stamped(&close(None, "abandoned"), BEGIN + 3 * HOUR, &redriven());
    });
    assert_eq!((world.set_aside("late"), world.applied()), (3, 6));
    assert_eq!(world.report().facts.close_reason.as_str(), "abandoned");
}

#[test]
fn another_event_under_a_seq_is_told_from_a_repeat_once_the_log_has_been_read() {
    let world = same_for_any_speed(|world| {
        with_a_hole(world);
        world.put(&attempt(1), BEGIN + 3 * HOUR);
        world.put(&attempt(2), BEGIN + 3 * HOUR);
        world.put(&event_at(9_000, Some(2), "task.started", &json!({"task_id": "L9"})), BEGIN + 3 * HOUR);
    });
    assert_eq!((world.reasons(), world.repeats()), (vec!["seq_conflict"], 1));
}

#[test]
fn a_session_without_seq_that_is_brought_back_knows_its_repeats() {
    let world = same_for_any_speed(|world| {
        let told = |number: u64| event_at(number, None, "task.started", &json!({"task_id": "L1"}));
        world.put(&told(1), BEGIN);
        world.put(&told(2), BEGIN);
        world.put(&close(None, "completed"), BEGIN);
        world.put_stamped(&told(3), BEGIN + 3 * HOUR, &redriven());
        world.put(&told(2), BEGIN + 3 * HOUR);
        world.put(&told(4), BEGIN + 3 * HOUR);
        world.put(&close(None, "completed"), BEGIN + 3 * HOUR);
        world.put_stamped(&told(3), BEGIN + 3 * HOUR, &redriven());
    });
    assert_eq!((world.reasons(), world.repeats(), world.applied()), (vec!["late"], 3, 4));
}

#[test]
fn a_partition_that_waits_for_the_log_stops_no_other() {
    let mut world = World::new();
    world.step(Input::Assigned { partition: 1, committed: None });
    // Hands an event of another session to partition 1.
    let hand = |world: &mut World, offset: i64, at: i64| {
        let mut event = event_at(offset.unsigned_abs(), None, "task.started", &json!({"task_id": "L1"}));
        event["session_id"] = "8f14e45f-0000-4000-8000-000000000003".into();
        let mut elsewhere = World::new();
        elsewhere.put(&event, at);
        let records = elsewhere.events.into_iter().map(|record| Record { offset, ..record }).collect();
        world.step(Input::Batch { partition: 1, records, next_offset: offset + 1 });
        world.step(Input::CaughtUp { partition: 1 });
    };
    let theirs = |world: &World| world.reports.iter().filter(|report| report.session.to_string() != SESSION).count();
    hand(&mut world, 0, BEGIN);
    world.wait(5 * MINUTE);
    // Partition 0 comes to a halt: a deadline waits for the log.
    with_a_hole(&mut world);
    world.run();
    world.slow = true;
    world.put(&attempt(1), BEGIN + SECOND);
    world.put(&close(None, "error"), BEGIN + 4 * HOUR);
    world.run();
    assert!(world.machine.waits(0) && !world.machine.waits(1));
    // The other one goes on: what comes is applied, and its own time closes its session.
    hand(&mut world, 1, BEGIN + 20 * MINUTE);
    world.wait(30 * MINUTE + MARGIN - SECOND);
    assert_eq!(theirs(&world), 0);
    world.wait(2 * SECOND);
    assert_eq!(theirs(&world), 1);
    assert_eq!(world.reports.last().unwrap().facts.metrics.event_count, 2);
    assert!(world.machine.waits(0));
    world.answer();
    assert!(!world.machine.waits(0));
}
