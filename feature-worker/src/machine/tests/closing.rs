//! The same close in several bodies: a session is closed by it once, wherever it stands.

use serde_json::json;

use super::arrival::redriven;
use super::*;

/// The close that the close call writes: one id for a session, whatever the body says.
fn call(seq: Option<u64>, reason: &str) -> Value {
    let mut event = event_at(77, seq, "session.closed", &json!({"reason": reason}));
    event["timestamp"] = attempt(9)["timestamp"].clone();
    event
}

/// The permutation of that number.
fn permuted(records: &[Value], mut number: usize) -> Vec<Value> {
    let mut left = records.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        order.push(left.remove(number % left.len()));
        number /= left.len() + 1;
    }
    order
}

#[test]
fn a_close_in_several_bodies_counts_once_and_by_its_lowest_seq_in_any_order() {
    let records = [
        attempt(0),
        attempt(1),
        attempt(2),
        call(Some(3), "completed"),
        call(None, "error"),
        call(Some(4), "abandoned"),
    ];
    for number in 0..720 {
        let mut world = World::new();
        let order = permuted(&records, number);
        for record in &order {
            world.put(record, BEGIN);
            if number % 2 == 0 {
                world.run();
            }
        }
        world.run();
        world.wait(2 * HOUR);
        let report = world.report();
        assert_eq!(report.facts.metrics, expected(&records[..4]), "{order:?}");
        assert_eq!((report.facts.close_reason.as_str(), report.facts.complete), ("completed", Some(true)));
        assert_eq!((world.applied(), world.repeats(), world.quarantine.len()), (4, 2, 0), "{order:?}");
        assert_eq!(report.facts.metrics.event_count, world.applied());
    }
}

#[test]
fn a_close_with_a_seq_that_is_another_events_is_a_repeat_where_its_session_has_it() {
    let mut world = World::new();
    for event in [attempt(0), attempt(1), call(Some(2), "completed"), call(Some(1), "error"), attempt(3)] {
        world.put(&event, BEGIN);
    }
    world.run();
    assert_eq!((world.applied(), world.repeats(), world.quarantine.len()), (4, 1, 0));
    assert_eq!(world.report().facts.close_reason.as_str(), "completed");
}

#[test]
fn in_a_session_without_seq_the_first_body_counts() {
    for bodies in [[call(None, "completed"), call(Some(9), "error")], [call(Some(9), "completed"), call(None, "error")]]
    {
        let mut world = World::new();
        world.put(&event_at(1, None, "task.started", &json!({"task_id": "L1"})), BEGIN);
        for body in &bodies {
            world.put(body, BEGIN);
        }
        world.put(&event_at(2, None, "task.completed", &json!({"task_id": "L1"})), BEGIN);
        world.run();
        world.wait(2 * HOUR);
        assert_eq!((world.applied(), world.repeats(), world.quarantine.len()), (3, 1, 0));
        assert_eq!(world.report().facts.close_reason.as_str(), "completed");
        // Brought back, it is still so.
        world.put_stamped(&bodies[1], BEGIN + 3 * HOUR, &redriven());
        world.put_stamped(&event_at(3, None, "task.started", &json!({"task_id": "L2"})), BEGIN + 3 * HOUR, &redriven());
        world.run();
        world.wait(2 * HOUR);
        assert_eq!((world.applied(), world.repeats(), world.quarantine.len()), (4, 2, 0));
        assert_eq!(world.report().facts.metrics.event_count, 4);
        assert_eq!(world.report().facts.close_reason.as_str(), "completed");
    }
}

#[test]
fn an_evicted_session_is_not_closed_again_by_another_body_of_its_close() {
    let bodies = [Some(2), None, Some(7), Some(1)].map(|seq| call(seq, "error"));
    for first in [Some(3), None] {
        for again in &bodies {
            let mut world = World::new();
            // 1 was refused.
            world.put(&attempt(0), BEGIN);
            world.put_hole(1, BEGIN);
            world.put(&attempt(2), BEGIN);
            world.put(&call(first, "completed"), BEGIN);
            world.run();
            world.put_stamped(again, BEGIN + 2 * HOUR, &redriven());
            world.run();
            world.put_stamped(again, BEGIN + 2 * HOUR, &redriven());
            world.put_stamped(&attempt(4), BEGIN + 2 * HOUR, &redriven());
            world.run();
            world.wait(3 * HOUR);
            assert_eq!((world.applied(), world.repeats()), (4, 2), "{first:?} {again}");
            assert_eq!(world.report().facts.metrics.event_count, 4);
            // With a seq that is free it stands by that, if it stood by none.
            let moves = first.is_none() && again["seq"] == 7;
            assert_eq!(world.report().facts.close_reason.as_str(), if moves { "error" } else { "completed" });
            // And once more, from the log alone.
            world.put_stamped(&attempt(5), BEGIN + 8 * HOUR, &redriven());
            world.run();
            world.wait(3 * HOUR);
            assert_eq!((world.applied(), world.report().facts.metrics.event_count), (5, 5), "{first:?} {again}");
        }
    }
}

#[test]
fn an_early_close_that_comes_again_with_a_seq_is_kept_with_it() {
    for bodies in [[None, Some(1)], [Some(1), None], [Some(4), Some(1)], [Some(1), Some(4)]] {
        let mut world = World::new();
        for seq in bodies {
            world.put(&call(seq, if seq == Some(1) { "completed" } else { "error" }), BEGIN);
        }
        world.put(&attempt(0), BEGIN);
        world.run();
        assert_eq!((world.applied(), world.repeats()), (2, 1));
        assert_eq!(world.report().facts.close_reason.as_str(), "completed");
        assert_eq!(world.report().status, schemas::report::Status::Final);
    }
}
