use std::collections::BTreeMap;

use proptest::prelude::*;
use schemas::data::CloseReason;
use schemas::{Game, PlayerId, Tenant};
use uuid::Uuid;

use super::*;
use crate::session::ids::Ids;
use crate::session::marker::Known;
use crate::session::prefix::Prefix;
use crate::session::tag::Tag;
use crate::session::{Cause, Order, Owner};

const DAY: i64 = 86_400_000;

fn key(tenant: &str, number: u64) -> SessionKey {
    // As random as a client's ids are.
    let high = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    SessionKey { tenant: Tenant::parse(tenant).unwrap(), session: Uuid::from_u128(high << 64 | u128::from(number)) }
}

/// What is left of a session of 200 events that began half an hour before.
fn marker(number: u64, at: i64) -> Marker {
    let offset = i64::try_from(number).unwrap() * 200 + 3_000_000_000;
    Marker {
        owner: Owner { game: Game::parse("demo").unwrap(), player: PlayerId::parse(format!("p-{number}")).unwrap() },
        order: Order::Seq,
        next: 200,
        skipped: Vec::new(),
        holes: Vec::new(),
        events: 200,
        revision: 1,
        first_offset: offset,
        last_offset: offset + 160_000,
        first_arrival: at - 5_500_000,
        last_timestamp: at - 3_700_000,
        last_log_time: at,
        play: true,
        cause: None,
        gone: false,
        known: None,
    }
}

fn known() -> Known {
    let mut prefix = Prefix::default();
    prefix.push(Tag::of(Uuid::from_u128(7)));
    prefix.skip_to(3);
    prefix.push(Tag::HOLE);
    Known { prefix, ids: Ids::default(), sent_again: [3, 9].into(), closes: Ids::default() }
}

prop_compose! {
    fn ranges()(steps in prop::collection::vec((1_u64..9, 1_u64..300), 0..30)) -> Vec<std::ops::Range<u64>> {
        let mut end = 0;
        steps.into_iter().map(|(gap, length)| {
            let start = end + gap;
            end = start + length;
            start..end
        }).collect()
    }
}

prop_compose! {
    fn any_marker()(
        (next, events, revision, order) in (any::<u64>(), any::<u64>(), any::<u64>(), 0..3_usize),
        (first_offset, last_offset, at) in (any::<i64>(), any::<i64>(), any::<i64>()),
        (first_arrival, last_timestamp, cause) in (any::<i64>(), any::<i64>(), any::<Option<(bool, i64)>>()),
        (play, gone, has_known, whole) in any::<(bool, bool, bool, bool)>(),
        (skipped, holes) in (prop_oneof![Just(Vec::new()), ranges()], prop_oneof![Just(Vec::new()), ranges()]),
        player in prop_oneof![
            "[A-Za-z0-9._:-]{1,64}",
            any::<u128>().prop_map(|number| Uuid::from_u128(number).to_string()),
            any::<u128>().prop_map(|number| Uuid::from_u128(number).to_string().to_uppercase()),
            any::<u128>().prop_map(|number| Uuid::from_u128(number).simple().to_string()),
        ],
        game in "[A-Za-z0-9._-]{1,8}(@[a-z]{1,4})?",
    ) -> Marker {
        Marker {
            owner: Owner { game: Game::parse(&game).unwrap(), player: PlayerId::parse(player).unwrap() },
            order: [Order::Open, Order::Seq, Order::Log][order],
            next, skipped, holes,
            events: if whole { next } else { events },
            revision, first_offset, last_offset, first_arrival, last_timestamp,
            last_log_time: at,
            play,
            cause: cause.map(|(long, at)| Cause {
                reason: if long { CloseReason::TooLong } else { CloseReason::Timeout }, at,
            }),
            gone,
            known: has_known.then(|| known().into()),
        }
    }
}

proptest! {
    #[test]
    fn a_marker_is_told_as_it_was_kept(all in prop::collection::vec(any_marker(), 1..40)) {
        let mut markers = Markers::default();
        for (number, marker) in (0..).zip(&all) {
            markers.insert(&key("acme", number), marker);
        }
        for (number, marker) in (0..).zip(all) {
            prop_assert_eq!(markers.get(&key("acme", number)), Some(marker));
        }
    }
}

/// Numbers without chance in them.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
    *state >> 33
}

#[test]
fn markers_come_change_and_go_as_in_a_plain_map() {
    let (mut markers, mut plain, mut dice) = (Markers::default(), BTreeMap::new(), 1);
    let mut log_time = 50 * DAY;
    for _ in 0..60_000 {
        let tenant = if next(&mut dice).is_multiple_of(4) { "other" } else { "acme" };
        let key = key(tenant, next(&mut dice) % 3_000);
        log_time += (next(&mut dice) % 120_000).cast_signed();
        match next(&mut dice) % 8 {
            0 => assert_eq!(markers.remove(&key), plain.remove(&key)),
            1 => assert_eq!(markers.get(&key).as_ref(), plain.get(&key)),
            what => {
                // Some are as old as can be: the log no longer had them when they were to come back.
                let age = if what == 2 { (next(&mut dice) % 31).cast_signed() * DAY } else { 0 };
                let mut marker = marker(next(&mut dice) % 1_000, log_time - age);
                marker.known = (what == 3).then(|| known().into());
                markers.insert(&key, &marker);
                plain.insert(key, marker);
            }
        }
        while let Some(key) = markers.due(log_time) {
            let marker = markers.remove(&key).unwrap();
            assert!(marker.last_log_time + MARKER_MS <= log_time);
            assert_eq!(plain.remove(&key), Some(marker));
        }
        assert!(plain.len() == markers.len());
    }
    assert!(plain.values().all(|marker| marker.last_log_time + MARKER_MS > log_time));
    assert!(plain.len() > 1_000 && plain.iter().all(|(key, marker)| markers.get(key).as_ref() == Some(marker)));
    let all: BTreeMap<_, _> = markers.all().into_iter().collect();
    assert_eq!(all, plain);
}

#[test]
fn a_marker_takes_no_more_than_sixty_two_bytes() {
    let mut markers = Markers::default();
    // Some close by themselves, some by a time-out; some players have names, some ids.
    for number in 0..200_000_u64 {
        let mut marker = marker(number, DAY * 20_000 + number.cast_signed() * 900);
        if number.is_multiple_of(2) {
            marker.cause = Some(Cause { reason: CloseReason::Timeout, at: marker.last_log_time - 3_600_000 });
        }
        if number.is_multiple_of(4) {
            marker.owner.player = PlayerId::parse(key("acme", number).session.to_string()).unwrap();
        }
        markers.insert(&key("acme", number), &marker);
    }
    let each = markers.bytes() / 200_000;
    assert!((50..62).contains(&each), "{each} bytes a marker");
}

#[test]
fn what_goes_gives_its_memory_back() {
    let mut markers = Markers::default();
    let insert = |markers: &mut Markers, number| markers.insert(&key("acme", number), &marker(number, 0));
    (0..50_000).for_each(|number| insert(&mut markers, number));
    let (full, index) = (markers.bytes(), markers.index.bytes());
    // In no order, so that every chunk keeps some.
    let (mut dice, mut left) = (7, (0..50_000).collect::<Vec<u64>>());
    while left.len() > 5_000 {
        let gone = left.swap_remove(usize::try_from(next(&mut dice)).unwrap() % left.len());
        assert!(markers.remove(&key("acme", gone)).is_some());
        let most = 2 * left.len() * 60 + LET_BE + full / 4 + index;
        assert!(markers.bytes() < most, "{} of {most} bytes with {} left", markers.bytes(), left.len());
    }
    for number in &left {
        assert_eq!(markers.get(&key("acme", *number)), Some(marker(*number, 0)));
    }
    for number in left {
        markers.remove(&key("acme", number));
    }
    assert!(markers.bytes() < index + full / 8, "{} bytes", markers.bytes());
    // Chunks are used again.
    let chunks = markers.chunks.len();
    (0..50_000).for_each(|number| insert(&mut markers, number));
    assert!(markers.chunks.len() <= chunks + 1);
}

#[test]
fn few_markers_take_little() {
    let mut markers = Markers::default();
    markers.insert(&key("acme", 1), &marker(1, 0));
    assert!(markers.bytes() < 8_000, "{} bytes", markers.bytes());
}
