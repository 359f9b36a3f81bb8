//! States that are written rarely, and events that are read again: all comes out as if every commit had
//! written every session, whatever crashes, aborts and drains lie between.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::speed::{Told, settings_of_few, settings_of_fewer, story};
use super::*;
use crate::state::{self, Position};

/// A window that writes every touched session at every commit.
const EAGER: Window = Window { records: 0, age_ms: HOUR };
/// Windows in records and log time, to be compared with that.
const LAZY: [Window; 6] = [
    Window { records: 1, age_ms: HOUR },
    Window { records: 4, age_ms: 48 * HOUR },
    Window { records: 13, age_ms: 20 * MINUTE },
    Window { records: 13, age_ms: 48 * HOUR },
    Window { records: 60, age_ms: 48 * HOUR },
    Window { records: 10_000, age_ms: 48 * HOUR },
];

/// Histories; a seed that fails is not made any smaller by shrinking it.
const CASES: u32 = 60;

fn session(number: usize) -> String {
    format!("8f14e45f-0000-4000-8000-00000000010{number}")
}

/// Three sessions' stories, each record with its session, in the order of time.
fn stories(rng: &mut ChaCha8Rng) -> Vec<(usize, Told)> {
    let mut told: Vec<_> = (0..3).flat_map(|number| story(rng).into_iter().map(move |told| (number, told))).collect();
    told.sort_by_key(|(_, (_, at, _))| *at);
    // Gateways append beside each other: now and then one is late.
    for (_, (_, at, _)) in &mut told {
        if rng.random_bool(0.2) {
            *at -= rng.random_range(0..3) * HOUR;
        }
    }
    told
}

fn put(world: &mut World, number: usize, (what, at, more): &Told) {
    match what {
        Ok(event) => {
            let mut event = event.clone();
            event["session_id"] = session(number).into();
            world.put_stamped(&event, *at, more);
        }
        Err(seq) => {
            let mut hole = stamp(*at);
            hole["hole"] = json!({"session_id": session(number), "seq": seq, "reason": "invalid"});
            world.put_raw(&session(number), hole.to_string(), *at);
        }
    }
}

/// All that it has put out but snapshots, in a fixed order: when those go hangs on aborts too.
fn put_out(world: &World) -> Value {
    let mut reports: Vec<_> = world.reports.iter().map(|report| serde_json::to_value(report).unwrap()).collect();
    reports.sort_by_key(|report| (report["session"].to_string(), report["revision"].as_u64()));
    let mut aside: Vec<_> = world.quarantine.iter().map(|aside| (aside.offset, aside.reason.as_str())).collect();
    aside.sort_unstable();
    json!({
        "reports": reports, "aside": aside, "applied": world.applied(), "repeats": world.repeats(),
        "late": world.set_aside("late"), "gone": world.gone,
    })
}

/// What it holds of each session, and log time.
fn held(world: &World) -> Value {
    let (_, partition) = world.machine.partitions().next().unwrap();
    let live = partition.slots.iter().map(|(key, slot)| (format!("{key:?}"), serde_json::to_value(slot.copied())));
    let live: BTreeMap<String, Value> = live.map(|(key, value)| (key, value.unwrap())).collect();
    let markers = partition.markers.all().into_iter();
    let markers: BTreeMap<String, Value> =
        markers.map(|(key, marker)| (format!("{key:?}"), serde_json::to_value(marker).unwrap())).collect();
    json!({"live": live, "markers": markers, "log_time": partition.log_time(), "position": partition.position()})
}

/// The partition's record: its version, and what it says.
fn position(world: &World) -> (u64, Position) {
    let value = &world.state[state::PARTITION_KEY];
    let Ok(Some(state::Record::Partition(position))) = state::decode(state::PARTITION_KEY, Some(value)) else {
        panic!("no position")
    };
    (serde_json::from_slice::<Value>(value).unwrap()["v"].as_u64().unwrap(), position)
}

/// What happens between two records, the same to every world.
fn disturb(world: &mut World, what: u32) {
    match what {
        0 => {
            world.run();
            world.crash(world.settings.clone());
        }
        1 => {
            world.fate = Fate::Open;
            world.run();
            world.fate = Fate::Kept;
            world.crash(world.settings.clone());
        }
        2 => {
            world.fate = Fate::Open;
            world.run();
            world.fate = Fate::Kept;
            world.crash_after_commit(world.settings.clone());
        }
        3 => {
            world.fate = Fate::Aborted;
            world.run();
            world.fate = Fate::Kept;
        }
        4 => {
            world.answer();
            world.run();
            world.step(Input::Drain);
            assert_eq!(world.stopped.take().as_deref(), Some(""));
            let before = world.replayed;
            world.crash(world.settings.clone());
            assert_eq!(world.replayed, before, "a clean stop leaves nothing to be read again");
        }
        5 => world.slow = true,
        6 => world.answer(),
        7..14 => world.run(),
        _ => {}
    }
}

fn tell(seed: u64) -> Result<(), TestCaseError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let of = if rng.random_bool(0.5) { settings_of_few() } else { settings_of_fewer(rng.random_range(1..30)) };
    let with = |window: Window| Settings { window, ..of.clone() };
    let story = stories(&mut rng);
    let by = rng.random_range(1..12);
    let mut eager = World::with(with(EAGER)).by(by);
    let mut lazy = [0; 2].map(|_| World::with(with(LAZY[rng.random_range(0..LAZY.len())])).by(by));
    for (number, told) in &story {
        let what = rng.random_range(0..24);
        put(&mut eager, *number, told);
        disturb(&mut eager, what);
        for world in &mut lazy {
            put(world, *number, told);
            disturb(world, what);
            prop_assert_eq!(&world.stopped, &None);
        }
        if what >= 7 {
            continue;
        }
        let expected = (put_out(&eager), held(&eager));
        for world in &lazy {
            let window = world.settings.window;
            prop_assert_eq!(&put_out(world), &expected.0, "{:?} after {}", window, what);
            prop_assert_eq!(&held(world), &expected.1, "{:?} after {}", window, what);
        }
    }
    for world in lazy.iter_mut().chain([&mut eager]) {
        world.answer();
        world.run();
        world.wait(9 * HOUR);
        prop_assert!(world.is_read());
    }
    prop_assert_eq!(eager.replayed, 0);
    for world in &lazy {
        prop_assert_eq!(&put_out(world), &put_out(&eager), "{:?} at the end", world.settings.window);
        prop_assert_eq!(&held(world), &held(&eager), "{:?} at the end", world.settings.window);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn rarely_written_states_come_to_the_same_as_ever_written_ones(seed: u64) {
        tell(seed)?;
    }
}

fn wide() -> World {
    World::with(Settings { window: Window { records: 1_000, age_ms: 48 * HOUR }, ..settings() })
}

#[test]
fn a_running_session_is_written_when_it_begins_and_then_left_to_its_records() {
    let mut world = wide();
    let key = format!("acme/{SESSION}");
    world.put(&attempt(0), BEGIN);
    world.run();
    let first = world.state[key.as_bytes()].clone();
    for seq in 1..20 {
        world.put(&attempt(seq), BEGIN + i64::try_from(seq).unwrap() * SECOND);
        world.run();
    }
    assert_eq!(world.state[key.as_bytes()], first);
    let (version, position) = position(&world);
    assert_eq!((version, position.next_offset), (2, 20));
    assert_eq!(position.replay, Some(state::Replay { from: 1, log_time: BEGIN + SECOND }));
    let applied = world.applied();
    world.crash(world.settings.clone());
    world.run();
    assert_eq!((world.replayed, world.applied()), (1, applied));
    world.put(&close(Some(20), "completed"), BEGIN + MINUTE);
    world.run();
    assert_eq!(world.report().facts.metrics.event_count, 21);
    assert_eq!(world.applied(), 21);
    assert!(world.state[key.as_bytes()] != first);
}

#[test]
fn once_all_sessions_are_written_the_release_before_can_read_on() {
    let mut world = wide();
    for seq in 0..2 {
        world.put(&attempt(seq), BEGIN);
        world.run();
    }
    assert_eq!(position(&world).0, 2);
    world.step(Input::Drain);
    assert_eq!(world.stopped.as_deref(), Some(""));
    assert_eq!(position(&world), (1, Position { log_time: BEGIN, next_offset: 2, replay: None, poison: None }));
}

#[test]
fn no_window_writes_every_session_at_every_commit() {
    let mut world = World::with(Settings { window: EAGER, ..settings() });
    for seq in 0..5 {
        world.put(&attempt(seq), BEGIN);
        world.run();
        assert_eq!(position(&world).0, 1);
    }
    world.crash(world.settings.clone());
    assert_eq!(world.replayed, 0);
}

#[test]
fn what_is_read_again_never_exceeds_the_window_for_long() {
    let mut world = World::with(Settings { window: Window { records: 50, age_ms: 48 * HOUR }, ..settings() }).by(10);
    for seq in 0..400 {
        let mut event = attempt(seq / 8);
        event["session_id"] = session(usize::try_from(seq % 8).unwrap()).into();
        world.put(&event, BEGIN);
        if seq % 10 == 9 {
            world.run();
            let (_, position) = position(&world);
            let behind = position.replay.map_or(0, |replay| position.next_offset - replay.from);
            assert!(behind <= 50, "{behind}");
        }
    }
}

#[test]
fn a_quiet_session_is_written_when_its_records_grow_old() {
    let mut world = World::with(Settings { window: Window { records: 1_000, age_ms: 5 * MINUTE }, ..settings() });
    for minute in 0..6 {
        world.put(&attempt(minute), BEGIN + i64::try_from(minute).unwrap() * MINUTE);
        world.run();
    }
    assert_eq!(position(&world).1.replay.unwrap().from, 1);
    world.put(&attempt(6), BEGIN + 6 * MINUTE + SECOND);
    world.run();
    assert_eq!(position(&world).1.replay, None);
}

#[test]
fn a_session_that_was_forgotten_is_not_begun_again_by_what_is_read_again() {
    let mut world = wide();
    let mut other = attempt(0);
    other["session_id"] = session(1).into();
    world.put(&other, BEGIN);
    world.run();
    let mut more = attempt(1);
    more["session_id"] = session(1).into();
    world.put(&more, BEGIN);
    // A close without a session: it goes to the quarantine when its grace is over.
    world.put(&close(Some(1), "completed"), BEGIN);
    world.run();
    for minute in 1..70 {
        let mut more = attempt(1 + minute);
        more["session_id"] = session(1).into();
        world.put(&more, BEGIN + i64::try_from(minute).unwrap() * MINUTE);
        world.run();
    }
    assert_eq!(world.reasons(), ["no_session"]);
    let before = (held(&world), put_out(&world));
    assert!(position(&world).1.replay.unwrap().from < 3);
    world.crash(world.settings.clone());
    world.run();
    assert_eq!((held(&world), put_out(&world)), before);
}

#[test]
fn a_changed_file_of_games_changes_nothing_of_sessions_that_have_begun() {
    let mut world = wide();
    for seq in 0..10 {
        world.put(&attempt(seq), BEGIN);
        world.run();
    }
    // Another begins with a refused event's place; what holds for it, its first event tells.
    let mut hole = stamp(BEGIN);
    hole["hole"] = json!({"session_id": session(1), "seq": 0, "reason": "invalid"});
    world.put_raw(&session(1), hole.to_string(), BEGIN);
    world.run();
    for seq in 1..4 {
        let mut event = attempt(seq);
        event["session_id"] = session(1).into();
        world.put(&event, BEGIN);
        world.run();
    }
    let before = held(&world);
    let other = GameSettings { idle_ms: 1, session_timeout_ms: 1, grace_ms: 1, cap_ms: 1, ..GameSettings::default() };
    world.crash(Settings { games: Games::all(other), ..world.settings.clone() });
    assert_eq!(world.replayed, 1);
    assert_eq!(held(&world), before);
}

#[test]
fn a_read_that_breaks_off_and_begins_anew_applies_nothing_twice() {
    let mut world = wide();
    for seq in 0..10 {
        world.put(&attempt(seq), BEGIN);
        world.run();
    }
    let before = held(&world);
    let mut machine = Machine::new(world.settings.clone());
    machine.step(0, Input::Assigned { partition: 0, committed: world.committed });
    let state: Vec<Record> = world.state.iter().map(|(key, value)| record(key, value)).collect();
    let records = Restored::of(&state).unwrap();
    machine.step(0, Input::Restored { partition: 0, epoch: 1, records });
    let asked = machine.step(0, Input::RestoreDone { partition: 0, epoch: 1 });
    assert!(matches!(asked[..], [Command::Replay { partition: 0, epoch: 1, from: 1, until: 10 }]));
    assert!(!machine.is_restored());
    for stretch in [0..6, 1..10, 0..10] {
        machine.step(0, Input::Replayed { partition: 0, epoch: 1, records: world.events[stretch].to_vec() });
    }
    let asked = machine.step(0, Input::ReplayDone { partition: 0, epoch: 1 });
    assert!(matches!(asked[..], [Command::FetchFrom { partition: 0, offset: Some(10) }]));
    world.machine = machine;
    assert_eq!(held(&world), before);
}

#[test]
fn a_partition_that_goes_while_it_is_read_again_leaves_no_trace() {
    let mut world = wide();
    for seq in 0..10 {
        world.put(&attempt(seq), BEGIN);
        world.run();
    }
    let mut machine = Machine::new(world.settings.clone());
    machine.step(0, Input::Assigned { partition: 0, committed: world.committed });
    let state: Vec<Record> = world.state.iter().map(|(key, value)| record(key, value)).collect();
    let records = Restored::of(&state).unwrap();
    machine.step(0, Input::Restored { partition: 0, epoch: 1, records });
    machine.step(0, Input::RestoreDone { partition: 0, epoch: 1 });
    machine.step(0, Input::Replayed { partition: 0, epoch: 1, records: world.events[..5].to_vec() });
    let told = machine.step(0, Input::Revoked { token: 3, partitions: vec![0], lost: false });
    assert!(matches!(told[..], [Command::Release { token: 3 }]));
    let late = Input::Replayed { partition: 0, epoch: 1, records: world.events[5..].to_vec() };
    assert!(machine.step(0, late).is_empty());
    assert!(machine.step(0, Input::ReplayDone { partition: 0, epoch: 1 }).is_empty());
}
