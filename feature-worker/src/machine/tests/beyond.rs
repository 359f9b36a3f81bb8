//! A session that outgrows its bounds goes on, and says so.

use schemas::report::{Flag, Status};
use serde_json::json;

use super::arrival::redriven;
use super::bounds::{assert_state_fits, with};
use super::*;
use crate::session::terms::USUAL_EVENTS;

/// A world in which so many newest events of a session are told apart.
fn world_of(events: usize) -> World {
    World::with(with(GameSettings { events, ..GameSettings::default() })).by(1_000)
}

/// Another event under a seq.
fn other(seq: u64) -> Value {
    event_at(1_000_000 + seq, Some(seq), "task.started", &json!({"task_id": "L9"}))
}

/// An event without seq.
fn uncounted(number: u64) -> Value {
    event_at(1 + number, None, "task.started", &json!({"task_id": "L1"}))
}

#[test]
fn a_numbered_session_of_more_events_than_it_remembers_loses_none() {
    let mut world = World::new();
    let most = 2 * USUAL_EVENTS as u64;
    for seq in 0..most + 10 {
        world.put(&attempt(seq), BEGIN);
    }
    world.put(&close(Some(most + 10), "completed"), BEGIN);
    world.run();
    assert_state_fits(&world);
    let report = world.report();
    assert_eq!((report.status, report.facts.close_reason.as_str()), (Status::Final, "completed"));
    assert_eq!((&report.facts.flags[..], report.facts.complete), (&[Flag::Truncated][..], Some(true)));
    assert_eq!((world.applied(), world.quarantine.len()), (most + 11, 0));
    assert_eq!(report.facts.metrics.event_count, most + 11);
}

#[test]
fn as_long_as_nothing_is_forgotten_nothing_is_flagged() {
    // An eighth of the bound before the first id is forgotten, where the session has seqs.
    for (events, seq, flags) in [(94, true, 0), (95, true, 1), (100, false, 0), (101, false, 1)] {
        let mut world = world_of(50);
        for number in 0..events {
            world.put(&if seq { attempt(number) } else { uncounted(number) }, BEGIN);
        }
        world.run();
        world.wait(2 * HOUR);
        let facts = &world.report().facts;
        assert_eq!(&facts.flags[..], &[Flag::Truncated][..flags], "{events}");
        assert_eq!((facts.metrics.event_count, facts.complete), (events, seq.then_some(true)));
    }
}

#[test]
fn late_events_of_a_session_close_to_its_bound_are_answered_in_one_pass_and_beyond_it_in_none() {
    // Of 1,000 events one is read back up to 1,875.
    for (records, asked) in [(1_874, 1), (1_876, 0)] {
        let mut world = world_of(1_000);
        for seq in 0..records {
            if seq % 10 == 3 { world.put_hole(seq, BEGIN) } else { world.put(&attempt(seq), BEGIN) }
        }
        world.run();
        world.slow = true;
        for seq in (3..records).step_by(10) {
            world.put(&attempt(seq), BEGIN + SECOND);
        }
        world.run();
        assert!(world.is_read(), "none waits for the log");
        world.answer();
        world.run();
        assert_eq!(world.asked, asked);
        world.wait(2 * HOUR);
        let report = world.report();
        assert_eq!((report.facts.complete, report.facts.flags.len()), (Some(asked == 1), 1 - asked));
        assert_eq!(world.quarantine.is_empty(), asked == 1);
        assert_eq!(world.applied() + world.set_aside("late"), records);
    }
}

#[test]
fn what_is_told_again_under_a_forgotten_seq_is_a_repeat_whatever_its_id() {
    let mut world = world_of(50);
    let mut events: Vec<Value> = (0..500).map(attempt).collect();
    events.push(close(Some(500), "completed"));
    for event in &events {
        world.put(event, BEGIN);
    }
    for again in [&events[0], &other(0), &other(380), &events[499]] {
        world.put(again, BEGIN + SECOND);
    }
    // Of the newest fifty it knows the ids.
    world.put(&other(460), BEGIN + SECOND);
    world.run();
    assert_eq!((world.repeats(), world.reasons()), (4, vec!["seq_conflict"]));
    let report = world.report();
    assert_eq!(report.facts.metrics, expected(&events));
    assert_eq!(report.provenance.bounds.map(|bounds| bounds.events), Some(50));
    // So too when it is evicted; nothing brings it back.
    world.wait(2 * HOUR);
    world.put(&other(0), BEGIN + 2 * HOUR);
    world.put_stamped(&attempt(600), BEGIN + 2 * HOUR, &redriven());
    world.run();
    assert_eq!((world.repeats(), world.reasons()), (5, vec!["seq_conflict", "late"]));
    assert_eq!(world.asked, 0);
}

#[test]
fn a_session_without_seq_knows_its_ids_exactly_within_its_bound_and_the_newest_beyond() {
    let mut world = world_of(50);
    for number in 0..100 {
        world.put(&uncounted(number), BEGIN);
    }
    for number in 0..100 {
        world.put(&uncounted(number), BEGIN);
    }
    world.run();
    assert_eq!((world.applied(), world.repeats()), (100, 100));
    for number in 100..501 {
        world.put(&uncounted(number), BEGIN);
        world.put(&uncounted(number - 49), BEGIN);
    }
    world.run();
    assert_eq!((world.applied(), world.repeats()), (501, 501));
    // Long forgotten: it counts anew, and the flag says so.
    world.put(&uncounted(0), BEGIN);
    world.run();
    world.wait(2 * HOUR);
    assert_eq!((world.applied(), world.repeats(), world.quarantine.len()), (502, 501, 0));
    assert_eq!(world.report().facts.flags, [Flag::Truncated]);
    assert_eq!(world.report().facts.metrics.event_count, 502);
}

#[test]
fn a_session_that_leaves_out_every_other_seq_goes_on() {
    let mut world = World::new().by(1_000);
    for number in 0..14_000 {
        world.put(&attempt(2 * number), BEGIN);
    }
    world.put(&close(Some(28_000), "completed"), BEGIN);
    world.run();
    assert_state_fits(&world);
    // The oldest gaps are told from events no longer; the newest are.
    for (seq, times) in [(0, 2), (1, 2), (19_000, 1), (19_001, 2)] {
        for _ in 0..times {
            world.put(&attempt(seq), BEGIN + SECOND);
        }
    }
    world.run();
    world.wait(2 * HOUR);
    assert_state_fits(&world);
    let report = world.report();
    assert_eq!(report.facts.close_reason.as_str(), "completed");
    assert_eq!(report.facts.flags[..], [Flag::GapSkipped, Flag::Truncated]);
    assert_eq!((world.applied(), report.facts.metrics.event_count), (14_001, 14_001));
    assert_eq!((world.repeats(), world.reasons()), (1, vec!["late"; 6]));
}

#[test]
fn a_session_of_which_every_other_event_is_refused_goes_on_and_stays_small() {
    let mut world = World::new().by(1_000);
    for seq in 0..16_000 {
        world.put(&attempt(2 * seq), BEGIN);
        world.put_hole(2 * seq + 1, BEGIN);
    }
    world.run();
    world.wait(2 * HOUR);
    assert_state_fits(&world);
    assert_eq!((world.report().facts.metrics.event_count, &world.report().facts.flags[..]), (16_000, &[][..]));
    // Evicted, it is brought back by what was mended.
    world.slow = true;
    for hole in [1, 3, 20_001] {
        world.put(&attempt(hole), BEGIN + 3 * HOUR);
    }
    world.run();
    assert_state_fits(&world);
    world.answer();
    world.run();
    world.wait(2 * HOUR);
    assert_eq!((world.report().facts.metrics.event_count, world.applied()), (16_003, 16_003));
    // With more holes than a marker names it is not.
    let mut world = World::new().by(1_000);
    for seq in 0..20_000 {
        world.put(&attempt(2 * seq), BEGIN);
        world.put_hole(2 * seq + 1, BEGIN);
    }
    world.run();
    world.wait(2 * HOUR);
    assert_state_fits(&world);
    // Of its newest holes it is still told what is a repeat.
    for seq in [0, 1, 39_998, 39_999] {
        world.put(&attempt(seq), BEGIN + 3 * HOUR);
    }
    world.run();
    assert_eq!((world.repeats(), world.reasons(), world.asked), (1, vec!["late"; 3], 0));
    assert_eq!(world.applied(), 20_000);
}

#[test]
fn what_comes_for_the_hole_of_a_session_that_outgrew_its_bounds_is_late_and_the_session_goes_on() {
    for slow in [false, true] {
        let mut world = world_of(50);
        world.slow = slow;
        for seq in 0..300 {
            if seq % 20 == 7 { world.put_hole(seq, BEGIN) } else { world.put(&attempt(seq), BEGIN) }
        }
        for seq in [7, 287] {
            world.put(&attempt(seq), BEGIN + SECOND);
        }
        world.put(&close(Some(300), "completed"), BEGIN + SECOND);
        world.run();
        let report = world.report();
        assert_eq!((report.status, &report.facts.flags[..]), (Status::Final, &[Flag::Truncated][..]));
        assert_eq!((report.facts.complete, report.facts.metrics.event_count), (Some(false), 286));
        assert_eq!((world.reasons(), world.asked), (vec!["late"; 2], 0));
    }
}

#[test]
fn an_event_that_comes_before_any_other_for_a_hole_long_passed_is_late_and_begins_nothing() {
    let mut world = world_of(50);
    world.put(&close(Some(3), "completed"), BEGIN);
    for seq in (0..3).chain(4..200) {
        world.put_hole(seq, BEGIN);
    }
    world.put_hole(3, BEGIN);
    world.put(&attempt(20), BEGIN);
    world.run();
    assert_eq!(world.reasons(), ["late"]);
    world.put(&attempt(199), BEGIN);
    world.put(&attempt(200), BEGIN);
    world.run();
    // Its close stands where no event can.
    assert_eq!((world.reasons(), world.applied()), (vec!["late"; 2], 2));
    world.wait(3 * HOUR);
    let report = world.report();
    assert_eq!((report.facts.close_reason.as_str(), report.facts.metrics.event_count), ("timeout", 2));
    assert_eq!((&report.facts.flags[..], report.facts.complete), (&[Flag::Truncated][..], Some(false)));
}

#[test]
fn a_fold_keeps_as_many_tasks_and_pieces_of_evidence_as_the_game_says() {
    let game = GameSettings { tasks: 3, evidence: 2, text_bytes: 4, ..GameSettings::default() };
    let mut world = World::with(with(game));
    world.put(&event(Some(0), "session.started", &json!({"platform": "windows"})), BEGIN);
    for seq in 1..11 {
        let task = json!({"task_id": format!("L{seq}"), "outcome": "success"});
        world.put(&event(Some(seq), "task.attempted", &task), BEGIN);
        let piece = json!({"skill": "empathy", "source": "teacher", "score": 0.5});
        world.put(&event(Some(seq + 10), "evidence.recorded", &piece), BEGIN);
    }
    world.put(&close(Some(21), "completed"), BEGIN);
    world.run();
    let report = world.report();
    assert_eq!((report.facts.tasks.len(), report.facts.metrics.attempts), (3, 10), "sums go on");
    let recorded = report.facts.evidence.iter().filter(|piece| piece.signal == "teacher").count();
    assert_eq!((recorded, report.facts.platform.as_deref()), (2, Some("wind")));
    assert_eq!((&report.facts.flags[..], report.facts.metrics.event_count), (&[Flag::Truncated][..], 22));
    let bounds = report.provenance.bounds.unwrap();
    assert_eq!((bounds.tasks, bounds.evidence, bounds.text_bytes, bounds.events), (3, 2, 4, USUAL_EVENTS));
}

#[test]
fn the_bounds_that_held_when_a_session_began_hold_to_its_end() {
    let mut world = world_of(50);
    for seq in 0..70 {
        world.put(&attempt(seq), BEGIN);
    }
    world.run();
    world.crash(with(GameSettings { events: 10, tasks: 1, ..GameSettings::default() }));
    for seq in 70..90 {
        world.put(&attempt(seq), BEGIN);
    }
    world.put(&close(Some(90), "completed"), BEGIN);
    world.run();
    assert_eq!(world.report().provenance.bounds.map(|bounds| (bounds.events, bounds.tasks)), Some((50, 2_000)));
    assert_eq!(world.report().facts.flags, []);
}

#[test]
fn a_close_that_comes_first_and_a_thousand_events_after_it_give_few_revisions() {
    let mut world = World::new();
    world.put(&close(Some(1_000), "completed"), BEGIN);
    world.run();
    for seq in 0..1_000 {
        world.put(&attempt(seq), BEGIN + i64::try_from(seq).unwrap() * 100);
        world.run();
    }
    let at: Vec<i64> = world.reports.iter().map(|report| report.provenance.reported_at.ms() - BEGIN).collect();
    assert!((5..10).contains(&at.len()), "{at:?}");
    let (last, spaced) = at.split_last().unwrap();
    assert!(spaced.windows(2).zip([1, 2, 4, 8, 16, 32]).all(|(pair, least)| pair[1] - pair[0] >= least * SECOND));
    assert!(*last < 101 * SECOND, "the final one goes at once");
    assert_eq!((world.report().status, world.report().facts.metrics.event_count), (Status::Final, 1_001));
}

#[test]
fn ten_thousand_late_events_of_many_sessions_are_answered_in_one_pass_while_others_go_on() {
    let in_session = |number: u64, mut event: Value| {
        event["session_id"] = uuid::Uuid::from_u128(u128::from(number) | 7 << 76).to_string().into();
        event
    };
    let (sessions, holes) = (400, 25);
    let mut world = World::new().by(100_000);
    for number in 0..sessions {
        let id = in_session(number, json!({}))["session_id"].clone();
        world.put(&in_session(number, attempt(0)), BEGIN);
        for seq in 1..=holes {
            let mut stamp = stamp(BEGIN);
            stamp["hole"] = json!({"session_id": id, "seq": seq, "reason": "invalid"});
            world.put_raw(id.as_str().unwrap(), stamp.to_string(), BEGIN);
        }
        world.put(&in_session(number, attempt(holes + 1)), BEGIN);
    }
    world.run();
    world.slow = true;
    for seq in 1..=holes {
        for number in 0..sessions {
            world.put(&in_session(number, attempt(seq)), BEGIN + SECOND);
        }
    }
    // Between them, and after.
    for seq in 0..10 {
        world.put(&attempt(seq), BEGIN + SECOND);
    }
    world.put(&close(Some(10), "completed"), BEGIN + SECOND);
    world.run();
    assert_eq!(world.asked, 1);
    assert_eq!((world.report().session.to_string().as_str(), world.report().status), (SESSION, Status::Final));
    world.answer();
    world.run();
    assert_eq!(world.asked, 1, "one pass");
    assert_eq!((world.applied(), world.quarantine.len()), (sessions * (holes + 2) + 11, 0));
    world.wait(3 * HOUR);
    let ends = world.reports.iter().filter(|report| report.status == Status::Final);
    assert_eq!(ends.filter(|report| report.facts.complete == Some(true)).count() as u64, sessions + 1);
}
