use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use super::*;

/// Ranges as pairs, for comparison.
fn pairs(ranges: &[Range<u64>]) -> Vec<(u64, u64)> {
    ranges.iter().map(|range| (range.start, range.end)).collect()
}

fn tag(n: u128) -> Tag {
    Tag::of(Uuid::from_u128(n))
}

#[test]
fn every_passed_seq_is_remembered_as_what_it_was() {
    let mut prefix = Prefix::default();
    prefix.push(tag(1));
    prefix.push(Tag::HOLE);
    prefix.skip_to(10);
    prefix.push(tag(2));
    assert_eq!(prefix.next(), 11);
    assert_eq!((prefix.events(), prefix.span(), prefix.len()), (2, 11, 3));
    assert_eq!(prefix.at(0), Place::Event(tag(1)));
    assert_eq!(prefix.at(1), Place::Hole);
    assert_eq!(prefix.at(9), Place::Skipped);
    assert_eq!(prefix.at(10), Place::Event(tag(2)));
    assert_eq!(prefix.at(11), Place::Ahead);
    assert_eq!(pairs(&prefix.skipped()), [(2, 10)]);
    assert_eq!(pairs(&prefix.holes()), [(1, 2)]);
    let text = serde_json::to_string(&prefix).unwrap();
    assert_eq!(serde_json::from_str::<Prefix>(&text).unwrap(), prefix);
}

#[test]
fn a_prefix_may_begin_with_a_gap() {
    let mut prefix = Prefix::default();
    prefix.skip_to(3);
    prefix.push(tag(1));
    assert_eq!(pairs(&prefix.skipped()), [(0, 3)]);
    assert_eq!(prefix.at(0), Place::Skipped);
    assert!(prefix.has_skipped());
}

#[test]
fn holes_and_skipped_gaps_can_be_filled() {
    let mut prefix = Prefix::default();
    prefix.push(Tag::HOLE);
    prefix.skip_to(4);
    prefix.push(tag(1));
    assert!(prefix.fill(0, tag(2)));
    assert!(prefix.fill(2, tag(3)));
    assert!(!prefix.fill(4, tag(4)));
    assert!(!prefix.fill(5, tag(4)));
    assert_eq!(prefix.at(0), Place::Event(tag(2)));
    assert_eq!(prefix.at(2), Place::Event(tag(3)));
    assert_eq!(pairs(&prefix.skipped()), [(1, 2), (3, 4)]);
    assert_eq!((prefix.events(), prefix.runs.len()), (3, 3));
    prefix.unfill(0, false);
    assert_eq!(prefix.at(0), Place::Hole);
    assert_eq!(prefix.events(), 2);
}

#[test]
fn what_filled_a_gap_can_be_taken_out_again() {
    for order in [[3, 4, 5], [4, 5, 3], [5, 4, 3]] {
        let mut prefix = Prefix::default();
        prefix.push(tag(0));
        prefix.skip_to(6);
        prefix.push(tag(6));
        let before = prefix.clone();
        let mut steps = Vec::new();
        for seq in order {
            steps.push(prefix.clone());
            prefix.fill(seq, tag(1));
        }
        for (seq, step) in order.into_iter().zip(steps).rev() {
            prefix.unfill(seq, true);
            assert_eq!(prefix, step);
        }
        assert_eq!(prefix, before);
    }
}

#[test]
fn a_gap_that_is_filled_leaves_one_stretch() {
    for order in [[3, 4, 5, 6], [6, 5, 4, 3], [4, 6, 3, 5]] {
        let mut prefix = Prefix::default();
        (0..3).for_each(|n| prefix.push(tag(n)));
        prefix.skip_to(7);
        prefix.push(tag(7));
        for seq in order {
            assert!(prefix.fill(seq, tag(seq.into())));
        }
        assert_eq!((prefix.runs.len(), prefix.len(), prefix.next(), prefix.span()), (1, 8, 8, 8));
        assert!((0..8).all(|seq| prefix.at(seq) == Place::Event(tag(seq.into()))));
    }
}

#[test]
fn a_marker_gives_its_prefix_back() {
    let mut prefix = Prefix::default();
    prefix.push(tag(1));
    prefix.push(Tag::HOLE);
    prefix.skip_to(5);
    prefix.push(tag(2));
    let unread = Prefix::unread(prefix.next(), &prefix.skipped(), &prefix.holes());
    assert_eq!(unread.skipped(), prefix.skipped());
    assert_eq!(unread.holes(), prefix.holes());
    assert_eq!((unread.next(), unread.events(), unread.span()), (6, 2, 6));
    assert_eq!(unread.at(0), Place::Event(Tag::UNREAD));
}

#[test]
fn what_is_counted_along_the_way_is_what_the_runs_say() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..200 {
        let mut prefix = Prefix::default();
        let mut filled = Vec::new();
        for n in 0..60 {
            match rng.random_range(0..10) {
                0 => prefix.skip_to(prefix.next() + rng.random_range(1..4)),
                1..4 => prefix.push(Tag::HOLE),
                4..7 => prefix.push(tag(n)),
                7..9 => {
                    let seq = rng.random_range(0..prefix.next() + 2);
                    let was_skipped = prefix.at(seq) == Place::Skipped;
                    if prefix.next() > seq && prefix.fill(seq, tag(n)) {
                        filled.push((seq, was_skipped));
                    }
                }
                _ => {
                    if let Some((seq, was_skipped)) = filled.pop() {
                        prefix.unfill(seq, was_skipped);
                    }
                }
            }
            let text = serde_json::to_string(&prefix).unwrap();
            assert_eq!(serde_json::from_str::<Prefix>(&text).unwrap(), prefix);
        }
    }
}

/// A prefix that was told without bounds.
#[derive(Default)]
struct Plain(BTreeMap<u64, Option<Tag>>, u64);

#[test]
fn a_worn_prefix_tells_of_new_places_what_they_are_and_of_old_ones_nothing_that_is_wrong() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for _ in 0..300 {
        let most = rng.random_range(1..200);
        let (mut prefix, mut plain) = (Prefix::default(), Plain::default());
        let (gaps, holes) = (rng.random_range(0.0..0.3), rng.random_range(0.0..0.9));
        for n in 0..1_000_u64 {
            if rng.random_bool(gaps) {
                plain.1 += rng.random_range(1..4);
                prefix.skip_to(plain.1);
            }
            let tag = if rng.random_bool(holes) { Tag::HOLE } else { tag(n.into()) };
            prefix.pass(tag, most);
            plain.0.insert(plain.1, Some(tag).filter(|tag| *tag != Tag::HOLE));
            plain.1 += 1;
            assert!(prefix.cost() <= 2 * most, "{} of {most}", prefix.cost());
        }
        let text = serde_json::to_string(&prefix).unwrap();
        assert_eq!(serde_json::from_str::<Prefix>(&text).unwrap(), prefix);
        assert_eq!(prefix.next(), plain.1);
        assert_eq!(prefix.events(), plain.0.values().flatten().count() as u64);
        let mut known = 0;
        for seq in (0..plain.1).rev() {
            let there = plain.0.get(&seq);
            match prefix.at(seq) {
                Place::Event(tag) => assert_eq!(there, Some(&Some(tag))),
                Place::Hole => assert_eq!(there, Some(&None)),
                Place::Skipped => assert_eq!(there, None),
                Place::Forgotten => assert!(matches!(there, Some(Some(_)))),
                Place::Lost => {}
                Place::Ahead => panic!("{seq} was passed"),
            }
            known += usize::from(matches!(prefix.at(seq), Place::Event(_) | Place::Hole));
        }
        assert!(gaps > 0.0 || known >= most.min(1_000), "{known} of {most}");
        let empty = |seq: u64| matches!(prefix.at(seq), Place::Skipped | Place::Lost);
        let skipped = prefix.skipped();
        assert!((0..plain.1).all(|seq| empty(seq) == skipped.iter().any(|range| range.contains(&seq))));
        assert!(skipped.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }
}

#[test]
fn without_holes_and_gaps_exactly_the_newest_tags_are_told_apart() {
    let mut prefix = Prefix::default();
    for n in 0..201_u128 {
        prefix.pass(tag(n), 100);
    }
    assert_eq!((prefix.len(), prefix.is_worn()), (100, true));
    assert_eq!((prefix.at(100), prefix.at(101)), (Place::Forgotten, Place::Event(tag(101))));
    assert_eq!((prefix.events(), prefix.span(), prefix.has_skipped()), (201, 201, false));
    assert!(!prefix.fill(3, tag(9)), "no place is filled that is not known");
}
