//! Poison above its limit: the partition stops before it, and goes on when it is told.

use super::*;

const LIMIT: PoisonLimit = PoisonLimit { records: 3, within_ms: MINUTE };

fn limited(limit: PoisonLimit) -> Settings {
    Settings { poison_limit: limit, ..settings() }
}

fn poison(world: &mut World, count: usize) {
    for _ in 0..count {
        world.put_raw(SESSION, "not JSON".into(), BEGIN);
    }
}

fn stopped_at(world: &World, partition: i32) -> Option<i64> {
    let mut partitions = world.machine.partitions();
    partitions.find(|(number, _)| *number == partition).unwrap().1.stop().map(|stop| stop.offset)
}

fn aside(world: &World) -> Vec<i64> {
    world.quarantine.iter().map(|aside| aside.offset).collect()
}

/// An event, so many poison records, and two events more.
fn flooded(count: usize) -> World {
    let mut world = World::with(limited(LIMIT));
    world.put(&attempt(0), BEGIN);
    poison(&mut world, count);
    world.put(&attempt(1), BEGIN);
    world.put(&close(Some(2), "completed"), BEGIN);
    world.run();
    world
}

#[test]
fn above_the_limit_the_partition_stops_and_all_before_is_committed() {
    let mut world = flooded(5);
    assert_eq!((stopped_at(&world, 0), aside(&world), world.committed), (Some(4), vec![1, 2, 3], Some(4)));
    assert!(world.machine.waits(0));
    let before = world.commits;
    // No time passes that log time does not tell: nothing is closed, and nobody goes on by himself.
    world.wait(3 * HOUR);
    assert!(world.reports.is_empty());
    assert_eq!((stopped_at(&world, 0), aside(&world), world.commits), (Some(4), vec![1, 2, 3], before));
    world.step(Input::Resume);
    world.run();
    assert_eq!((stopped_at(&world, 0), aside(&world)), (None, vec![1, 2, 3, 4, 5]));
    assert_eq!((world.report().facts.metrics.event_count, world.applied()), (3, 3));
}

#[test]
fn who_is_told_to_go_on_has_a_free_window_and_no_more() {
    let mut world = flooded(8);
    world.step(Input::Resume);
    world.run();
    assert_eq!((stopped_at(&world, 0), aside(&world)), (Some(7), (1..=6).collect()));
    world.step(Input::Resume);
    world.run();
    assert_eq!((stopped_at(&world, 0), aside(&world)), (None, (1..=8).collect()));
}

#[test]
fn poison_that_comes_slowly_stops_nothing() {
    let mut world = World::with(limited(LIMIT));
    for seq in 0..12 {
        world.put(&attempt(seq), BEGIN + i64::try_from(seq).unwrap() * 20 * SECOND);
        world.put_raw(SESSION, r#"{"v":1}"#.into(), BEGIN);
    }
    world.run();
    assert_eq!((stopped_at(&world, 0), world.quarantine.len(), world.applied()), (None, 12, 12));
}

#[test]
fn whoever_takes_the_partition_over_stops_at_the_same_record_unless_the_limit_is_higher() {
    for limit in [LIMIT, PoisonLimit { records: 4, ..LIMIT }, PoisonLimit { records: 0, ..LIMIT }] {
        let mut world = flooded(5);
        for _ in 0..3 {
            world.crash(limited(LIMIT));
            world.run();
            assert_eq!((stopped_at(&world, 0), aside(&world)), (Some(4), vec![1, 2, 3]));
        }
        world.crash(limited(limit));
        world.run();
        let goes_on = limit != LIMIT;
        assert_eq!(aside(&world), (1..=if goes_on { 5 } else { 3 }).collect::<Vec<_>>());
        assert_eq!(stopped_at(&world, 0).is_none(), goes_on);
    }
}

#[test]
fn what_was_counted_before_a_crash_counts_after_it() {
    let mut world = flooded(2);
    assert_eq!((stopped_at(&world, 0), aside(&world)), (None, vec![1, 2]));
    world.crash(limited(LIMIT));
    poison(&mut world, 2);
    world.run();
    assert_eq!((stopped_at(&world, 0), aside(&world)), (Some(6), vec![1, 2, 5]));
}

#[test]
fn an_abort_counts_nothing_twice() {
    let mut world = World::with(limited(LIMIT));
    world.put(&attempt(0), BEGIN);
    poison(&mut world, 3);
    for _ in 0..4 {
        world.fate = Fate::Aborted;
        world.run();
    }
    world.run();
    assert_eq!((stopped_at(&world, 0), aside(&world)), (None, vec![1, 2, 3]));
    poison(&mut world, 1);
    world.fate = Fate::Aborted;
    world.run();
    assert_eq!((stopped_at(&world, 0), aside(&world)), (Some(4), vec![1, 2, 3]));
}

#[test]
fn an_abort_after_it_was_told_to_go_on_stops_it_no_second_time() {
    let mut world = World::with(limited(LIMIT));
    poison(&mut world, 5);
    world.fate = Fate::Open;
    world.run();
    assert_eq!(stopped_at(&world, 0), Some(3));
    world.step(Input::Resume);
    world.settle(Fate::Aborted);
    world.run();
    assert_eq!((stopped_at(&world, 0), aside(&world)), (None, vec![0, 1, 2, 3, 4]));
}

#[test]
fn other_partitions_go_on_and_a_stopped_one_can_be_taken_away() {
    let mut world = flooded(5);
    world.step(Input::Assigned { partition: 1, committed: None });
    // It takes up the same state, and so reads on behind it.
    let records: Vec<Record> = [attempt(0), close(Some(1), "completed")]
        .into_iter()
        .zip(10..)
        .map(|(event, offset)| {
            let mut stamp = stamp(BEGIN);
            stamp["event"] = event;
            stamp["event"]["session_id"] = "8f14e45f-0000-4000-8000-000000000002".into();
            let key = Bytes::from_static(b"acme/8f14e45f-0000-4000-8000-000000000002");
            let value = Some(stamp.to_string().into());
            Record { offset, timestamp_ms: BEGIN, key, value, headers: Headers::new() }
        })
        .collect();
    world.step(Input::Batch { partition: 1, records, next_offset: 12 });
    world.wait(SECOND);
    assert_eq!((world.reports.len(), world.report().facts.metrics.event_count), (1, 2));
    assert_eq!((stopped_at(&world, 0), stopped_at(&world, 1)), (Some(4), None));
    world.step(Input::Revoked { token: 7, partitions: vec![0], lost: false });
    world.wait(SECOND);
    assert_eq!(world.released, [7]);
    assert_eq!(world.machine.partitions().map(|(number, _)| number).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_drain_ends_while_a_partition_is_stopped() {
    let mut world = flooded(5);
    world.step(Input::Drain);
    assert_eq!((world.stopped.as_deref(), world.committed, aside(&world)), (Some(""), Some(4), vec![1, 2, 3]));
}
