//! Snapshots of many running sessions: within a budget, and all alike.

use std::collections::BTreeMap;

use super::*;

fn showing(every_ms: i64, rate: u32) -> Settings {
    Settings { live: Some(LiveViews { every_ms, rate }), ..settings() }
}

fn session(number: u128) -> String {
    uuid::Uuid::from_u128(number | 7 << 76).to_string()
}

fn of(number: u128, mut event: Value) -> Value {
    event["session_id"] = session(number).into();
    event
}

/// Snapshots of each session.
fn shown(world: &World) -> BTreeMap<uuid::Uuid, Vec<u64>> {
    let mut shown: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for live in &world.live {
        shown.entry(live.session).or_default().push(live.event_count);
    }
    shown
}

/// So many sessions play for so many seconds, an event each a second; answers with the snapshots of each second.
fn play(world: &mut World, sessions: u128, seconds: u64) -> Vec<usize> {
    let mut each = Vec::new();
    for second in 0..seconds {
        let before = world.live.len();
        for number in 0..sessions {
            world.put(&of(number, attempt(second)), BEGIN + i64::try_from(second).unwrap() * SECOND);
        }
        world.run();
        world.wait(SECOND - 200);
        each.push(world.live.len() - before);
    }
    each
}

#[test]
fn above_the_budget_every_session_is_shown_more_rarely_and_all_alike() {
    // 200 sessions every 2 s would be 100 a second; there are 20.
    let mut world = World::with(showing(2 * SECOND, 20));
    let each = play(&mut world, 200, 60);
    // The first second may spend what was saved.
    assert!(each[0] <= 40 && each[1..].iter().all(|count| (19..=21).contains(count)), "{each:?}");
    let shown = shown(&world);
    assert_eq!(shown.len(), 200);
    let counts: Vec<usize> = shown.values().map(Vec::len).collect();
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least >= 5 && most - least <= 1, "{least} to {most}");
    let apart = shown.values().flat_map(|counts| counts.windows(2)).map(|pair| pair[1] - pair[0]);
    assert!(apart.clone().all(|seconds| (8..=12).contains(&seconds)), "{:?}", apart.collect::<Vec<_>>());
}

#[test]
fn below_the_budget_each_session_is_shown_as_often_as_it_may() {
    let mut world = World::with(showing(2 * SECOND, 2_000));
    play(&mut world, 50, 20);
    let shown = shown(&world);
    assert!(shown.values().all(|counts| (9..=11).contains(&counts.len())), "{shown:?}");
}

#[test]
fn quiet_sessions_are_shown_at_once_however_many_there_are() {
    let mut world = World::with(showing(SECOND, 10));
    play(&mut world, 60, 1);
    world.wait(10 * SECOND);
    assert_eq!(shown(&world).len(), 60);
    world.put(&of(7, attempt(1)), BEGIN + 12 * SECOND);
    world.run();
    assert_eq!(shown(&world)[&session(7).parse().unwrap()], [1, 2]);
}

#[test]
fn all_partitions_are_shown_alike() {
    let mut world = World::with(showing(SECOND, 10));
    world.step(Input::Assigned { partition: 1, committed: None });
    for second in 0..30 {
        for partition in 0..2 {
            let records: Vec<Record> = (0..50_i64)
                .map(|place| {
                    let number = u128::try_from(i64::from(partition) * 50 + place).unwrap();
                    let mut stamp = stamp(BEGIN + second * SECOND);
                    stamp["event"] = of(number, attempt(u64::try_from(second).unwrap()));
                    let key = format!("acme/{}", session(number)).into();
                    let value = Some(stamp.to_string().into());
                    Record { offset: second * 50 + place, timestamp_ms: BEGIN, key, value, headers: Headers::new() }
                })
                .collect();
            world.step(Input::Batch { partition, records, next_offset: (second + 1) * 50 });
        }
        world.wait(SECOND);
    }
    let counts: Vec<usize> = shown(&world).values().map(Vec::len).collect();
    assert_eq!(counts.len(), 100);
    assert!(counts.iter().all(|count| (3..=4).contains(count)), "{counts:?}");
}

#[test]
fn an_abort_takes_no_snapshot_away() {
    let mut world = World::with(showing(SECOND, 2_000));
    world.put(&attempt(0), BEGIN);
    world.run();
    world.put(&attempt(1), BEGIN + SECOND);
    world.run();
    assert_eq!(world.live.len(), 1);
    // What was to be shown falls due when nothing has changed since, and its commit is aborted.
    world.wait(400);
    world.fate = Fate::Aborted;
    world.wait(SECOND);
    assert_eq!(world.live.iter().map(|live| live.event_count).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn switched_off_nothing_is_shown_and_what_stands_is_taken_away_though_no_state_tells_of_it() {
    let mut world = World::new();
    world.put(&of(1, attempt(0)), BEGIN);
    world.run();
    assert_eq!(world.live.len(), 1);
    world.crash(Settings { live: None, ..settings() });
    for number in [1, 2] {
        world.put(&of(number, attempt(1)), BEGIN + MINUTE);
        world.put(&of(number, close(Some(2), "completed")), BEGIN + 2 * MINUTE);
        world.run();
    }
    world.wait(2 * HOUR);
    assert_eq!((world.live.len(), world.gone), (1, 2));
    assert_eq!(world.reports.iter().map(|report| report.session).collect::<std::collections::BTreeSet<_>>().len(), 2);
}

#[test]
fn each_session_is_taken_away_once_shown_or_not() {
    let mut world = World::with(showing(SECOND, 1));
    for number in 0..9 {
        world.put(&of(number, attempt(0)), BEGIN);
    }
    world.run();
    for number in 0..9 {
        world.put(&of(number, close(Some(1), "completed")), BEGIN + SECOND);
    }
    world.run();
    assert!((1..=2).contains(&world.live.len()), "{}", world.live.len());
    world.put(&of(0, attempt(7)), BEGIN + 2 * SECOND);
    world.wait(2 * HOUR);
    assert_eq!(world.gone, 9);
}
