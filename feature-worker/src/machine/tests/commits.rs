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
fn nothing_new_means_no_commit() {
    let mut world = World::new();
    world.put(&attempt(0), BEGIN);
    world.run();
    let commits = world.commits;
    world.wait(5 * MINUTE);
    assert_eq!(world.commits, commits);
}
