//! Closing, grace, revisions, eviction, snapshots.

use schemas::report::{Kind, Status};
use serde_json::{Value, json};

use super::*;

#[test]
fn a_session_closes_by_time_out_in_log_time_and_is_final_after_grace() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put(&attempt(1), BEGIN + MINUTE);
    world.run();
    assert!(world.reports.is_empty());
    // Another session's record carries log time on.
    world.put(&other(1), BEGIN + 31 * MINUTE);
    world.run();
    let report = world.report().clone();
    assert_eq!((report.revision, report.status), (1, Status::Provisional));
    assert_eq!(report.facts.close_reason.as_str(), "timeout");
    world.put(&other(2), BEGIN + 31 * MINUTE + HOUR - 1);
    world.run();
    assert_eq!(world.reports.iter().filter(|report| report.session.to_string() == SESSION).count(), 1);
    world.put(&other(3), BEGIN + 31 * MINUTE + HOUR);
    world.run();
    let last = world.reports.iter().rfind(|report| report.session.to_string() == SESSION).unwrap();
    assert_eq!((last.revision, last.status), (2, Status::Final));
    assert_eq!(last.facts_sha256, report.facts_sha256);
}

/// An event of another session, without seq.
fn other(number: u64) -> Value {
    let mut event = event_at(number, None, "task.started", &json!({"task_id": "L1"}));
    event["session_id"] = "8f14e45f-0000-4000-8000-000000000002".into();
    event
}

#[test]
fn on_a_drained_partition_deadlines_fire_by_the_monotonic_clock_a_margin_late() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.run();
    world.wait(30 * MINUTE + MARGIN - SECOND);
    assert!(world.reports.is_empty());
    world.wait(2 * SECOND);
    assert_eq!(world.report().facts.close_reason.as_str(), "timeout");
    assert_eq!(world.gone, 1);
}

#[test]
fn after_a_restart_log_time_goes_on_from_where_it_was() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.run();
    world.wait(20 * MINUTE);
    world.crash(settings());
    world.run();
    world.wait(30 * MINUTE + MARGIN - SECOND);
    assert!(world.reports.is_empty());
    world.wait(2 * SECOND);
    assert_eq!(world.report().facts.close_reason.as_str(), "timeout");
}

#[test]
fn a_late_close_within_grace_gives_its_reason_and_the_same_facts() {
    let events = [attempt(0), attempt(1), close(Some(2), "completed")];
    let mut in_time = World::new();
    let mut late = World::new();
    for event in &events {
        in_time.put(event, BEGIN);
    }
    in_time.run();
    late.put(&events[0], BEGIN);
    late.run();
    late.wait(40 * MINUTE);
    assert_eq!(late.report().facts.close_reason.as_str(), "timeout");
    late.put(&events[2], BEGIN + 45 * MINUTE);
    late.put(&events[1], BEGIN + 46 * MINUTE);
    late.run();
    assert_eq!(late.report().status, Status::Final);
    assert_eq!(late.report().facts_sha256, in_time.report().facts_sha256);
}

#[test]
fn closes_without_seq_stand_last_by_id_and_the_highest_gives_the_reason() {
    let first = event_at(50, None, "session.closed", &json!({"reason": "abandoned"}));
    let second = event_at(60, None, "session.closed", &json!({"reason": "error"}));
    let mut untimed = event_at(40, None, "session.closed", &json!({"reason": "completed"}));
    untimed.as_object_mut().unwrap().remove("timestamp");
    let events = [attempt(0), attempt(1), first, second, untimed];
    for order in [[3, 0, 2, 1, 4], [0, 1, 2, 3, 4], [4, 2, 3, 1, 0]] {
        let mut world = World::new();
        for index in order {
            let more = if index == 4 { json!({"origin": "close"}) } else { json!({}) };
            world.put_stamped(&events[index], BEGIN, &more);
        }
        world.run();
        world.wait(2 * HOUR);
        assert_eq!(world.report().facts.close_reason.as_str(), "error");
        assert_eq!(world.report().facts.metrics, expected(&events));
        assert_eq!(world.report().status, Status::Final);
        assert_eq!(world.applied(), 5);
    }
}

#[test]
fn a_session_longer_than_the_cap_takes_only_what_fills_its_gaps() {
    let mut world = World::new();
    for seq in (0..103).filter(|seq| *seq != 5) {
        world.put(&attempt(seq), BEGIN + i64::try_from(seq).unwrap() * 14 * MINUTE);
    }
    world.put(&attempt(103), BEGIN + 24 * HOUR + SECOND);
    world.put(&attempt(5), BEGIN + 24 * HOUR + 2 * SECOND);
    world.run();
    world.wait(2 * HOUR);
    assert_eq!(world.reasons(), ["late"]);
    let report = world.report();
    assert_eq!((report.facts.close_reason.as_str(), report.status), ("too_long", Status::Final));
    assert_eq!((report.facts.complete, report.facts.metrics.event_count), (Some(true), 103));
}

#[test]
fn revisions_are_spaced_and_a_final_one_goes_at_once() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put(&close(Some(40), "completed"), BEGIN);
    world.run();
    assert_eq!(world.reports.len(), 1);
    for seq in 2..40 {
        world.put(&attempt(seq), BEGIN + i64::try_from(seq).unwrap() * 500);
        world.run();
    }
    let at: Vec<i64> = world.reports.iter().map(|report| report.provenance.reported_at.ms() - BEGIN).collect();
    assert!(at.windows(2).zip([1, 2, 4, 8, 16]).all(|(pair, least)| pair[1] - pair[0] >= least * SECOND), "{at:?}");
    assert!((4..7).contains(&at.len()), "{at:?}");
    let before = world.reports.len();
    world.put(&attempt(1), BEGIN + 19_600);
    world.run();
    assert_eq!(world.reports.len(), before + 1);
    assert_eq!(world.report().status, Status::Final);
    assert_eq!(world.report().facts.metrics.event_count, 41);
}

#[test]
fn evidence_alone_is_reported_at_once_and_play_makes_it_a_session_of_play() {
    let mut world = World::new();
    let piece = json!({"skill": "empathy", "source": "teacher", "score": 0.5});
    world.put(&event(Some(1), "evidence.recorded", &piece), BEGIN);
    world.run();
    assert_eq!((world.report().kind, world.report().status), (Kind::Evidence, Status::Provisional));
    assert_eq!(world.report().facts.evidence.len(), 1);
    world.put(&attempt(0), BEGIN + SECOND);
    world.put(&close(Some(2), "completed"), BEGIN + MINUTE);
    world.run();
    assert_eq!((world.report().kind, world.report().status), (Kind::Play, Status::Final));
    assert_eq!(world.report().facts.metrics.event_count, 3);
}

#[test]
fn evidence_alone_is_final_after_grace() {
    let mut world = World::new();
    let piece = json!({"skill": "empathy", "source": "teacher", "score": 0.5});
    world.put(&event(None, "evidence.recorded", &piece), BEGIN);
    world.run();
    world.wait(HOUR + MARGIN + SECOND);
    assert_eq!(
        (world.report().kind, world.report().status, world.report().revision),
        (Kind::Evidence, Status::Final, 2)
    );
    assert!(world.live.is_empty());
}

#[test]
fn a_marker_goes_after_32_days() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put(&close(Some(1), "completed"), BEGIN);
    world.run();
    let key = format!("acme/{SESSION}");
    world.put(&other(1), BEGIN + 2 * HOUR);
    world.run();
    assert!(String::from_utf8_lossy(&world.state[key.as_bytes()]).contains("marker"));
    world.put(&other(2), BEGIN + 34 * 24 * HOUR);
    world.run();
    assert!(!world.state.contains_key(key.as_bytes()));
}

#[test]
fn snapshots_of_a_running_session_come_at_most_every_five_seconds() {
    let mut world = World::new();
    for seq in 0..45 {
        world.put(&attempt(seq), BEGIN + i64::try_from(seq).unwrap() * SECOND);
        world.run();
    }
    // Forty-five commits in nine seconds.
    assert_eq!(world.live.iter().map(|live| live.event_count).collect::<Vec<_>>(), [1, 25]);
    world.wait(5 * SECOND);
    assert_eq!(world.live.last().unwrap().event_count, 45);
    assert_eq!(world.live.last().unwrap().active_ms, 44 * SECOND);
    world.wait(MINUTE);
    assert_eq!(world.live.len(), 3);
    world.put(&close(Some(45), "completed"), BEGIN + MINUTE);
    world.run();
    assert_eq!(world.gone, 1);
}
