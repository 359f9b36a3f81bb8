//! Closes that come before any event: they can't say whose session it is.

use serde_json::json;

use super::*;

fn by(player: &str, mut event: Value) -> Value {
    event["player_id"] = player.into();
    event
}

fn close_at(number: u64, seq: Option<u64>, reason: &str) -> Value {
    let mut close = event_at(number, seq, "session.closed", &json!({"reason": reason}));
    close["timestamp"] = attempt(9)["timestamp"].clone();
    close
}

#[test]
fn a_strangers_close_takes_no_place_of_the_owners() {
    let mut world = World::new();
    world.put(&by("p-2", close_at(50, Some(5), "error")), BEGIN);
    world.put(&by("p-3", close_at(51, Some(5), "error")), BEGIN);
    world.put(&attempt(5), BEGIN);
    for seq in [3, 1, 0, 2, 4] {
        world.put(&attempt(seq), BEGIN);
    }
    world.put(&close_at(52, Some(6), "completed"), BEGIN);
    world.run();
    assert_eq!(world.reasons(), ["player_mismatch"; 2]);
    let events: Vec<Value> = (0..6).map(attempt).chain([close_at(52, Some(6), "completed")]).collect();
    assert_eq!(world.report().facts.metrics, expected(&events));
    assert_eq!((world.report().player.as_str(), world.applied()), ("p-1", 7));
}

#[test]
fn the_owners_close_counts_though_a_stranger_closed_under_the_same_id() {
    // The close call makes the id from the session's: anyone who knows the session gets the same.
    for seq in [Some(2), None] {
        let mut world = World::new();
        world.put(&by("p-2", close_at(50, seq, "error")), BEGIN);
        world.put(&close_at(50, seq, "completed"), BEGIN);
        world.put(&by("p-2", close_at(50, seq, "error")), BEGIN);
        world.put(&close_at(50, seq, "completed"), BEGIN);
        world.put(&attempt(0), BEGIN);
        world.put(&attempt(1), BEGIN);
        world.run();
        assert_eq!(world.reasons(), ["player_mismatch"]);
        assert_eq!((world.applied(), world.repeats()), (3, 2));
        assert_eq!(world.report().facts.close_reason.as_str(), "completed");
        assert_eq!(world.report().facts.metrics, expected(&[attempt(0), attempt(1), close_at(50, seq, "completed")]));
    }
}

#[test]
fn of_two_early_closes_under_a_seq_the_first_has_the_place() {
    let mut world = World::new();
    world.put(&close_at(50, Some(1), "completed"), BEGIN);
    world.put(&close_at(51, Some(1), "error"), BEGIN);
    world.put(&attempt(0), BEGIN);
    world.run();
    assert_eq!((world.reasons(), world.applied()), (vec!["seq_conflict"], 2));
    assert_eq!(world.report().facts.close_reason.as_str(), "completed");
    assert_eq!(world.report().status, schemas::report::Status::Final);
}

#[test]
fn an_event_under_the_seq_of_its_own_sessions_close_begins_no_session() {
    let mut world = World::new();
    world.put(&close_at(50, Some(1), "completed"), BEGIN);
    world.put(&attempt(1), BEGIN);
    world.put(&by("p-2", attempt(7)), BEGIN);
    world.put(&attempt(0), BEGIN);
    world.run();
    world.wait(2 * HOUR);
    // The first event that has a place is another's: the session is theirs.
    assert_eq!(world.reasons(), ["seq_conflict", "player_mismatch", "player_mismatch"]);
    assert_eq!((world.report().player.as_str(), world.applied()), ("p-2", 1));
}

#[test]
fn closes_and_the_first_event_in_the_places_of_holes_need_no_reading_back() {
    for first in [0, 1, 2] {
        let mut world = World::new();
        for seq in 0..6 {
            world.put_hole(seq, BEGIN);
        }
        let mut records = [close_at(50, Some(5), "completed"), close_at(51, Some(8), "error"), attempt(3)];
        records.swap(0, first);
        for record in &records {
            world.put(record, BEGIN);
        }
        world.put_hole(6, BEGIN);
        world.put_hole(7, BEGIN);
        world.run();
        assert_eq!(world.asked, usize::from(first == 2), "only an event that comes after the fold began");
        let events = [attempt(3), close_at(50, Some(5), "completed"), close_at(51, Some(8), "error")];
        assert_eq!(world.report().facts.metrics, expected(&events));
        assert_eq!(world.report().status, schemas::report::Status::Final);
        assert_eq!(world.applied(), 3);
    }
}

#[test]
fn a_first_event_that_was_mended_takes_the_place_of_its_hole() {
    let mut world = World::new();
    world.put_hole(0, BEGIN);
    world.put(&attempt(0), BEGIN);
    world.put(&close(Some(1), "completed"), BEGIN);
    world.run();
    assert_eq!((world.asked, world.applied()), (0, 2));
    assert_eq!(world.report().facts.metrics, expected(&[attempt(0), close(Some(1), "completed")]));
    assert_eq!(world.report().facts.complete, Some(true));
}
