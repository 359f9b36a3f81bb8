//! A second version of the metrics beside the first, from one reading of the record.

use schemas::report::Status;
use serde_json::json;

use super::arrival::redriven;
use super::*;
use crate::metrics_probe;

/// An event of a session of which both versions are computed.
fn probed(mut event: Value) -> Value {
    event["player_id"] = metrics_probe::PLAYER.into();
    event
}

/// Revision, version, status, events and distinct types of each report, in order.
fn told(world: &World) -> Vec<(u64, u32, Status, u64, u64)> {
    let told = |report: &Report| {
        let (facts, metrics) = (&report.facts, &report.facts.metrics);
        let bytes = schemas::canonical::to_vec(facts).unwrap();
        assert_eq!(report.facts_sha256, schemas::canonical::sha256_hex(&bytes), "each has a hash of its own");
        let types = if facts.metrics_version == metrics_probe::VERSION { metrics.turns } else { 0 };
        (report.revision, facts.metrics_version, report.status, metrics.event_count, types)
    };
    world.reports.iter().map(told).collect()
}

fn hint(seq: u64) -> Value {
    event(Some(seq), "hint.requested", &json!({"task_id": "L1", "hint_index": 1, "bottom_out": false}))
}

#[test]
fn both_versions_report_every_revision_each_with_facts_of_its_own() {
    let mut world = World::new();
    // A gap: the close waits behind it, and so does the hint.
    for event in [attempt(0), hint(2), close(Some(3), "completed")] {
        world.put(&probed(event), BEGIN);
    }
    world.run();
    world.crash(settings());
    world.put(&probed(attempt(1)), BEGIN + MINUTE);
    world.run();
    let (provisional, last) = (Status::Provisional, Status::Final);
    assert_eq!(
        told(&world),
        [(1, 1, provisional, 3, 0), (1, 2, provisional, 3, 3), (2, 1, last, 4, 0), (2, 2, last, 4, 3)]
    );
    let sessions: Vec<_> = [attempt(0), attempt(1), hint(2), close(Some(3), "completed")].map(probed).into();
    assert_eq!(world.reports[2].facts.metrics, expected(&sessions));
    assert_eq!(world.applied(), 4, "it was read once");
}

#[test]
fn both_versions_are_computed_anew_where_the_log_is_read_back() {
    let mut world = World::new();
    for event in [attempt(0), hint(2), close(Some(3), "completed")] {
        world.put(&probed(event), BEGIN);
    }
    world.run();
    world.wait(2 * HOUR);
    world.put_stamped(&probed(attempt(1)), BEGIN + 3 * HOUR, &redriven());
    world.run();
    let last: Vec<_> = told(&world).into_iter().rev().take(2).collect();
    assert!(
        matches!(last[..], [(r, 2, Status::Final, 4, 3), (q, 1, Status::Final, 4, 0)] if r == q && r > 2),
        "{last:?}"
    );
}

#[test]
fn a_session_that_began_before_a_version_is_told_by_the_older_one_alone() {
    let mut world = World::new();
    world.put(&probed(attempt(0)), BEGIN);
    world.run();
    // As a release writes it that does not know the second version.
    for value in world.state.values_mut() {
        let mut state: Value = serde_json::from_slice(value).unwrap();
        if let Some(told) = state.pointer_mut("/state/live/told") {
            assert!(told.as_object_mut().unwrap().remove("f2").is_some());
        }
        *value = state.to_string().into();
    }
    world.crash(settings());
    for event in [hint(1), close(Some(2), "completed")] {
        world.put(&probed(event), BEGIN);
    }
    world.run();
    assert_eq!(told(&world), [(1, 1, Status::Final, 3, 0)]);
}

#[test]
fn a_session_of_which_one_version_is_computed_is_reported_once() {
    let mut world = World::new();
    for event in [attempt(0), close(Some(1), "completed")] {
        world.put(&event, BEGIN);
    }
    world.run();
    assert_eq!(told(&world), [(1, 1, Status::Final, 2, 0)]);
    assert!(world.state.values().all(|state| !String::from_utf8_lossy(state).contains("f2")));
}
