//! Commits, aborts, crashes and hand-overs.

use serde_json::Value;

use super::*;

fn session() -> Vec<Value> {
    (0..20).map(attempt).chain([close(Some(20), "completed")]).collect()
}

#[test]
fn an_abort_goes_back_and_counts_nothing_twice() {
    let mut world = World::new().by(5);
    let events = session();
    for event in events.iter().chain(&events[3..7]) {
        world.put(event, BEGIN);
    }
    world.fate = Fate::Aborted;
    world.run();
    world.run();
    assert_eq!(world.reports.len(), 1);
    assert_eq!(world.report().facts.metrics, expected(&events));
    assert_eq!((world.applied(), world.repeats()), (21, 4));
}

#[test]
fn an_abort_drops_what_was_folded_while_the_commit_was_under_way() {
    let mut world = World::new();
    let events = session();
    for event in &events[..10] {
        world.put(event, BEGIN);
    }
    world.fate = Fate::Open;
    world.run();
    for event in &events[10..] {
        world.put(event, BEGIN);
    }
    world.run();
    assert!(world.reports.is_empty());
    world.settle(Fate::Aborted);
    world.run();
    assert_eq!(world.reports.len(), 1);
    assert_eq!(world.report().facts.metrics, expected(&events));
    assert_eq!(world.applied(), 21);
    assert_eq!(world.report().provenance.last_offset, 20);
}

#[test]
fn a_crash_at_any_commit_ends_in_the_same_facts_and_counts() {
    let events = session();
    let mut straight = World::new();
    for event in &events {
        straight.put(event, BEGIN);
    }
    straight.run();
    for survived in 0..events.len() {
        let mut world = World::new();
        for (n, event) in events.iter().enumerate() {
            world.put(event, BEGIN);
            if n == survived {
                world.fate = Fate::Open;
                world.run();
                world.crash(settings());
                world.fate = Fate::Kept;
            }
            world.run();
        }
        assert_eq!(world.reports.len(), 1, "{survived}");
        assert_eq!(world.report().facts_sha256, straight.report().facts_sha256);
        assert_eq!((world.applied(), world.repeats()), (21, 0));
    }
}

#[test]
fn revoked_partitions_go_when_what_they_did_is_committed() {
    let mut world = World::new();
    for event in &session()[..10] {
        world.put(event, BEGIN);
    }
    world.fate = Fate::Open;
    world.run();
    world.step(Input::Revoked { token: 7, partitions: vec![0], lost: false });
    assert!(world.released.is_empty());
    world.settle(Fate::Kept);
    assert_eq!(world.released, [7]);
    assert_eq!(world.committed, Some(10));
    assert_eq!(world.machine.partitions().count(), 0);
}

#[test]
fn lost_partitions_go_at_once() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.fate = Fate::Open;
    world.run();
    world.step(Input::Revoked { token: 1, partitions: vec![0], lost: true });
    assert_eq!(world.released, [1]);
    world.settle(Fate::Aborted);
    assert_eq!(world.machine.partitions().count(), 0);
    assert_eq!(world.committed, None);
}

#[test]
fn a_drain_commits_what_is_there_and_stops() {
    let mut world = World::new();
    for event in &session() {
        world.put(event, BEGIN);
    }
    let records: Vec<Record> = world.events.clone();
    world.step(Input::Batch { partition: 0, records, next_offset: 21 });
    world.step(Input::Drain);
    assert_eq!(world.stopped.as_deref(), Some(""));
    assert_eq!(world.reports.len(), 1);
    assert_eq!(world.committed, Some(21));
}

#[test]
fn state_that_is_lost_stops_the_worker() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.run();
    world.state.clear();
    world.crash(settings());
    assert!(world.stopped.clone().unwrap().contains("its state is lost"));
}

#[test]
fn a_late_events_flood_does_not_grow_the_queue_of_reports() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.put(&close(Some(500), "completed"), BEGIN);
    world.run();
    for seq in 1..400 {
        world.put(&attempt(seq), BEGIN);
    }
    world.run();
    let queued = world.machine.partitions().map(|(_, partition)| partition.reports.len()).sum::<usize>();
    assert!(queued <= 2, "{queued} entries of one session");
}

#[test]
fn live_sessions_and_markers_are_counted_through_aborts_restores_and_evictions() {
    let mut world = World::new();
    let counted = |world: &World| {
        let (_, partition) = world.machine.partitions().next().unwrap();
        (partition.live_sessions(), partition.markers())
    };
    world.put(&attempt(0), BEGIN);
    world.fate = Fate::Open;
    world.run();
    assert_eq!(counted(&world), (1, 0));
    world.settle(Fate::Aborted);
    assert_eq!(counted(&world), (0, 0));
    world.run();
    assert_eq!(counted(&world), (1, 0));
    world.crash(settings());
    assert_eq!(counted(&world), (1, 0));
    world.run();
    world.wait(3 * HOUR);
    assert_eq!(counted(&world), (0, 1));
    world.crash(settings());
    assert_eq!(counted(&world), (0, 1));
    let mut other = attempt(0);
    other["session_id"] = "8f14e45f-0000-4000-8000-000000000002".into();
    world.put(&other, BEGIN + 40 * 24 * HOUR);
    world.fate = Fate::Open;
    world.run();
    assert_eq!(counted(&world), (1, 0));
    world.settle(Fate::Aborted);
    assert_eq!(counted(&world), (0, 1));
    world.run();
    assert_eq!(counted(&world), (1, 0));
}

#[test]
fn an_abort_forgets_nothing_of_how_much_states_weigh() {
    let mut world = World::with(Settings { window: Window { records: 0, age_ms: HOUR }, ..settings() });
    world.put(&attempt(0), BEGIN);
    world.run();
    let written = |world: &World| {
        let (_, partition) = world.machine.partitions().next().unwrap();
        partition.slots.values().map(|slot| slot.saved.written).sum::<usize>()
    };
    let before = written(&world);
    assert!(before > 100);
    world.put(&attempt(1), BEGIN);
    world.fate = Fate::Open;
    world.run();
    assert!(written(&world) > before);
    world.settle(Fate::Aborted);
    assert_eq!(written(&world), before);
}

#[test]
fn a_partition_given_back_before_its_release_stays() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.fate = Fate::Open;
    world.run();
    world.step(Input::Revoked { token: 1, partitions: vec![0], lost: false });
    // The release took too long: the partition was forced away, and came back.
    world.step(Input::Assigned { partition: 0, committed: None });
    world.settle(Fate::Aborted);
    assert_eq!(world.released, [1]);
    world.put(&attempt(1), BEGIN);
    world.run();
    assert_eq!(world.applied(), 2);
}

#[test]
fn nothing_new_means_no_commit() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.run();
    let commits = world.commits;
    world.wait(5 * MINUTE);
    assert_eq!(world.commits, commits);
}
