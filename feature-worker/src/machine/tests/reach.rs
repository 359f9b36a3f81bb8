//! However high a seq: a session's bounds hold, and it ends.

use schemas::event::MAX_INTEGER;
use schemas::report::{Flag, Status};

use super::arrival::redriven;
use super::*;

/// The last event that any session can have, at the beginning of time.
fn highest() -> Value {
    let mut event = attempt(0);
    event["seq"] = MAX_INTEGER.into();
    event["event_id"] = uuid::Uuid::from_u128(9 | 7 << 76).to_string().into();
    event
}

#[test]
fn grace_ends_with_the_cap_however_long_gaps_are_filled() {
    for close_first in [false, true] {
        let mut world = World::new();
        world.put(&highest(), BEGIN);
        if close_first {
            world.put(&close(Some(500), "completed"), BEGIN);
        }
        // One every ten minutes, for 30 hours.
        for seq in 0..180 {
            world.put(&attempt(seq), BEGIN + i64::try_from(seq).unwrap() * 10 * MINUTE);
        }
        world.run();
        let report = world.report();
        assert_eq!(report.status, Status::Final);
        assert_eq!(report.facts.close_reason.as_str(), if close_first { "completed" } else { "too_long" });
        // At 25 hours it is over: 24 of the session, one of grace.
        assert_eq!(world.applied(), 151 + u64::from(close_first));
        assert_eq!(world.reasons(), ["late"; 30]);
        assert_eq!(report.provenance.reported_at.ms(), BEGIN + 25 * HOUR);
    }
}

#[test]
fn what_is_sent_again_after_the_cap_opens_no_gap_below_it() {
    let mut world = World::new();
    for seq in [0, 1, 3] {
        world.put(&attempt(seq), BEGIN);
    }
    // So that no time-out comes before the cap.
    for seq in 4..63 {
        world.put(&attempt(seq), BEGIN + i64::try_from(seq - 3).unwrap() * 25 * MINUTE);
    }
    world.put_stamped(&attempt(1_000), BEGIN + 24 * HOUR + MINUTE, &redriven());
    world.put(&attempt(500), BEGIN + 24 * HOUR + MINUTE);
    world.put_hole(501, BEGIN + 24 * HOUR + MINUTE);
    world.put(&attempt(2), BEGIN + 24 * HOUR + MINUTE);
    world.put_stamped(&attempt(502), BEGIN + 24 * HOUR + MINUTE, &redriven());
    world.run();
    // 57 of them come before the cap.
    assert_eq!(world.applied(), 3 + 57 + 3);
    assert_eq!(world.set_aside("late"), 2 + 1);
    world.wait(3 * HOUR);
    assert_eq!(world.report().facts.close_reason.as_str(), "too_long");
    assert_eq!(world.report().facts.metrics.event_count, world.applied());
}

#[test]
fn a_gap_is_filled_again_without_counting_as_many() {
    let mut settings = settings();
    settings.games = Games::all(GameSettings { buffer_events: 1_000, ..GameSettings::default() });
    let mut world = World::with(settings).by(500);
    world.put(&attempt(0), BEGIN);
    for seq in 6_000..7_010 {
        world.put(&attempt(seq), BEGIN);
    }
    world.run();
    for seq in 1..6_000 {
        world.put_stamped(&attempt(seq), BEGIN + SECOND, &redriven());
    }
    world.put(&close(Some(7_010), "completed"), BEGIN + SECOND);
    world.run();
    world.wait(2 * MINUTE);
    let report = world.report();
    assert_eq!((report.status, &report.facts.flags[..]), (Status::Final, &[][..] as &[Flag]));
    assert_eq!((world.applied(), report.facts.complete), (7_011, Some(true)));
}
