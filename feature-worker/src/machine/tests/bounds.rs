//! Hostile sessions stay within bounds: their state is always small enough for its topic.

use schemas::topics::Topic;
use serde_json::json;
use uuid::Uuid;

use super::*;

/// Fails where the state of any session is too large for its record.
fn assert_state_fits(world: &World) {
    let most = usize::try_from(Topic::SessionState.max_message_bytes()).unwrap();
    assert!(world.state.values().all(|value| value.len() < most));
    assert_eq!(world.stopped, None);
}

/// A number as a note that makes an event large.
fn padded(number: u64, seq: Option<u64>, event_type: &str) -> Value {
    event_at(number, seq, event_type, &json!({"reason": "completed", "task_id": "L1", "padding": "x".repeat(9_000)}))
}

#[test]
fn more_closes_than_any_client_has_a_use_for_are_set_aside() {
    for begun in [false, true] {
        let mut world = World::new();
        if begun {
            world.put(&attempt(0), BEGIN);
        }
        for number in 0..600 {
            world.put(&padded(10_000 + number, None, "session.closed"), BEGIN);
        }
        world.run();
        assert_state_fits(&world);
        world.put(&attempt(0), BEGIN);
        world.run();
        world.wait(2 * HOUR);
        assert_state_fits(&world);
        let kept = world.report().facts.metrics.event_count;
        assert!((10..257).contains(&kept), "{kept}");
        assert_eq!(world.applied() + world.quarantine.len() as u64, 601);
        assert_eq!(world.applied(), kept);
    }
}

#[test]
fn a_session_that_leaves_out_every_other_seq_ends_as_too_long() {
    let mut world = World::new();
    for number in 0..9_000 {
        world.put(&attempt(2 * number), BEGIN);
    }
    world.run();
    assert_state_fits(&world);
    world.wait(2 * HOUR);
    assert_eq!(world.report().facts.close_reason.as_str(), "too_long");
    assert_eq!(world.report().facts.flags, [schemas::report::Flag::GapSkipped]);
    assert_eq!(world.applied() + world.quarantine.len() as u64, 9_000);
    assert_eq!(world.report().facts.metrics.event_count, world.applied());
}

#[test]
fn many_events_in_the_places_of_holes_wait_within_bounds() {
    let mut world = World::new();
    for seq in 0..200 {
        world.put_hole(seq, BEGIN);
    }
    world.put(&attempt(200), BEGIN);
    world.run();
    for seq in 0..200 {
        world.put(&padded(20_000 + seq, Some(seq), "task.completed"), BEGIN + SECOND);
    }
    world.run();
    assert_state_fits(&world);
    world.wait(3 * HOUR);
    assert_eq!(world.applied() + world.quarantine.len() as u64, 201);
    assert_eq!(world.report().facts.metrics.event_count, world.applied());
}

#[test]
fn a_jump_of_log_time_that_ends_many_sessions_commits_them_in_parts() {
    let mut settings = settings();
    settings.commit_interval_ms = 20;
    let mut world = World::with(settings);
    let sessions = 11_000_u64;
    for number in 0..sessions {
        let mut event = event_at(1, None, "task.started", &json!({"task_id": "L1"}));
        event["session_id"] = Uuid::from_u128(u128::from(number) | 7 << 76).to_string().into();
        event["event_id"] = event["session_id"].clone();
        world.put(&event, BEGIN);
    }
    world.run();
    world.put(&attempt(0), BEGIN + 3 * HOUR);
    world.run();
    world.wait(10 * SECOND);
    assert!(world.largest < 31_000, "{} outputs in one commit", world.largest);
    let ended = world.reports.iter().filter(|report| report.status == schemas::report::Status::Final).count();
    assert_eq!(ended as u64, sessions);
    assert_eq!(world.applied(), sessions + 1);
    assert_eq!(world.committed, Some(11_001));
}
