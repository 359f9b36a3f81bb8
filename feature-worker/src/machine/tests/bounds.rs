//! Hostile sessions stay within bounds: their state is always small enough for its topic.

use schemas::topics::Topic;
use serde_json::json;
use uuid::Uuid;

use super::*;

/// Settings of a game.
pub(super) fn with(game: GameSettings) -> Settings {
    Settings { games: Games::all(game), ..settings() }
}

/// Fails where the state of any session is too large for its record.
pub(super) fn assert_state_fits(world: &World) {
    let most = usize::try_from(Topic::SessionState.max_message_bytes()).unwrap();
    assert!(world.state.values().all(|value| value.len() < most));
    // Far below the topic's bound: what an operator has not widened as yet takes it too.
    assert!(world.reports.iter().all(|report| serde_json::to_vec(report).unwrap().len() < 1 << 20));
    assert_eq!(world.stopped, None);
}

#[test]
fn a_report_fits_its_topic_whatever_its_tasks_are_called() {
    let mut world = World::new();
    // What JSON writes largest: control characters, at six bytes each.
    let name = |number: u64| format!("{}{number:04}", "\u{1}".repeat(96));
    for seq in 0..2_000 {
        world.put(&event(Some(seq), "task.completed", &json!({"task_id": name(seq)})), BEGIN);
    }
    world.put(&close(Some(2_000), "completed"), BEGIN);
    world.run();
    assert_state_fits(&world);
    let facts = &world.report().facts;
    assert_eq!(facts.flags, [schemas::report::Flag::Truncated]);
    assert!((500..2_000).contains(&facts.tasks.len()), "{}", facts.tasks.len());
    let kept: Vec<String> = (0..).map(name).take(facts.tasks.len()).collect();
    assert!(facts.tasks.iter().map(|task| &task.task_id).eq(&kept), "those that came first in the record are kept");
    assert_eq!(facts.metrics.event_count, 2_001);
}

#[test]
fn two_thousand_tasks_with_names_of_a_usual_length_are_all_told_apart() {
    let mut world = World::new();
    for seq in 0..2_000 {
        let task = json!({"task_id": format!("chapter-01/scene-07/puzzle-{seq:04}")});
        world.put(&event(Some(seq), "task.completed", &task), BEGIN);
    }
    world.put(&close(Some(2_000), "completed"), BEGIN);
    world.run();
    assert_eq!((world.report().facts.tasks.len(), &world.report().facts.flags[..]), (2_000, &[][..]));
}

#[test]
fn what_a_client_says_of_itself_and_all_the_evidence_there_may_be_fit_a_report() {
    let mut world = World::new();
    let long = "\u{1}é".repeat(350);
    let told = json!({"platform": long, "locale": long, "device": "tablet"});
    world.put(&event(Some(0), "session.started", &told), BEGIN);
    let piece = json!({"skill": "self_regulation", "source": "transcript", "score": 0.123_456_789_012_345_67, "opportunities": 1e-290});
    for seq in 1..3_000 {
        world.put(&event(Some(seq), "evidence.recorded", &piece), BEGIN);
    }
    world.put(&close(Some(3_000), "completed"), BEGIN);
    world.run();
    assert_state_fits(&world);
    let facts = &world.report().facts;
    assert_eq!(facts.flags, [schemas::report::Flag::Truncated]);
    let platform = facts.platform.as_deref().unwrap();
    assert!(long.starts_with(platform) && (500..1_025).contains(&platform.len()), "{}", platform.len());
    assert_eq!(facts.device.as_deref(), Some("tablet"));
    assert!(facts.evidence.len() >= 512);
}

#[test]
fn a_report_that_would_not_fit_is_written_without_tasks() {
    let settings = with(GameSettings { tasks: usize::MAX, task_bytes: usize::MAX, ..GameSettings::default() });
    let mut world = World::with(settings);
    for seq in 0..33_000 {
        let task = json!({"task_id": format!("L{seq}")});
        world.put(&event(Some(seq), "task.completed", &task), BEGIN);
    }
    world.put(&close(Some(33_000), "completed"), BEGIN);
    world.run();
    assert_state_fits(&world);
    let facts = &world.report().facts;
    assert_eq!((facts.tasks.len(), &facts.flags[..]), (0, &[schemas::report::Flag::Truncated][..]));
    assert_eq!(facts.metrics.event_count, 33_001);
}

#[test]
fn a_session_whose_state_would_not_fit_ends_as_too_long() {
    let settings = with(GameSettings { tasks: usize::MAX, task_bytes: usize::MAX, ..GameSettings::default() });
    for waits in [false, true] {
        let mut world = World::with(settings.clone()).by(10_000);
        world.put(&attempt(0), BEGIN);
        world.put_hole(1, BEGIN);
        world.put(&attempt(2), BEGIN);
        world.run();
        world.slow = waits;
        if waits {
            world.put(&attempt(1), BEGIN);
        }
        let name = "\u{1}".repeat(96);
        for seq in 3..9_000 {
            let task = json!({"task_id": format!("{name}{seq:04}")});
            world.put(&event(Some(seq), "task.completed", &task), BEGIN);
        }
        world.run();
        world.answer();
        world.run();
        assert_state_fits(&world);
        let report = world.report();
        assert_eq!((report.facts.close_reason.as_str(), report.status), ("too_long", schemas::report::Status::Final));
        assert_eq!((report.facts.tasks.len(), report.facts.metrics.event_count), (0, world.applied()));
        assert_eq!(report.facts.metrics.event_count, 8_999 + u64::from(waits));
        world.put(&attempt(10_000), BEGIN + SECOND);
        world.run();
        assert_eq!(world.reasons(), ["late"]);
        assert_eq!(world.stopped, None);
    }
}

/// A number as a note that makes an event large.
pub(super) fn padded(number: u64, seq: Option<u64>, event_type: &str) -> Value {
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

/// An event of one of many sessions.
fn of_session(number: u128, mut event: Value) -> Value {
    event["session_id"] = Uuid::from_u128(number | 7 << 76).to_string().into();
    event
}

#[test]
fn large_states_are_committed_in_parts_by_their_bytes() {
    let mut settings = settings();
    settings.commit_interval_ms = 20;
    let mut world = World::with(settings.clone());
    // 200 sessions of 450 KB behind a gap.
    for seq in 1..51 {
        for number in 0..200 {
            world.put(&of_session(number, padded(20_000 + seq, Some(seq), "task.completed")), BEGIN);
        }
    }
    world.run();
    world.wait(SECOND);
    assert!(world.is_read());
    assert!(world.heaviest < 80 << 20, "{} bytes in one commit", world.heaviest);
    // They all end at once, and a worker that was restarted knows how large they are.
    world.crash(settings);
    world.heaviest = 0;
    world.put(&attempt(0), BEGIN + 3 * HOUR);
    world.run();
    world.wait(10 * SECOND);
    assert!(world.heaviest < 80 << 20, "{} bytes in one commit", world.heaviest);
    let ended = world.reports.iter().filter(|report| report.status == schemas::report::Status::Final).count();
    assert_eq!((ended, world.applied()), (200, 10_001));
}

#[test]
fn revisions_that_are_due_at_once_go_in_parts() {
    let mut settings = settings();
    settings.commit_interval_ms = 20;
    let mut world = World::with(settings);
    let sessions = 11_000;
    let tell = |world: &mut World, event: &Value, at: i64| {
        for number in 0..sessions {
            world.put(&of_session(number, event.clone()), at);
        }
        world.run();
    };
    tell(&mut world, &attempt(0), BEGIN);
    tell(&mut world, &close(Some(9), "completed"), BEGIN);
    world.wait(SECOND);
    tell(&mut world, &attempt(2), BEGIN);
    world.wait(100);
    world.largest = 0;
    world.wait(20 * SECOND);
    assert!((1..6_000).contains(&world.largest), "{} outputs in one commit", world.largest);
    assert_eq!(world.reports.iter().filter(|report| report.facts.metrics.event_count == 3).count() as u128, sessions);
}
