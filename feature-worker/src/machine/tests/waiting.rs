//! While a session is read back from the log: nothing is judged otherwise for it, and nothing grows.

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
