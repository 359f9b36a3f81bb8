use std::collections::BTreeSet;

use super::*;
use crate::data::Data;
use crate::parse;
use crate::record::stamp::Origin;

#[test]
fn every_event_that_is_told_is_sound() {
    for event in sessions(1, 300, Style::ALL) {
        let json = event.to_string();
        parse::stamped(&json, Some(Origin::Close)).unwrap_or_else(|errors| panic!("{json}: {errors:?}"));
    }
    for event in sessions(1, 100, Style::CLIENT) {
        let json = event.to_string();
        let judged = parse::event(&json).unwrap_or_else(|errors| panic!("{json}: {errors:?}"));
        assert_ne!(judged.data, Data::Custom);
    }
}

#[test]
fn every_type_is_told() {
    let told = sessions(2, 200, Style::ALL);
    let told: BTreeSet<_> = told.iter().filter_map(|event| event["event_type"].as_str()).collect();
    let all = event_types().chain(OWN_TYPES.map(|(name, _)| name)).collect();
    assert_eq!(told, all);
}

#[test]
fn a_seed_tells_the_same_again() {
    assert_eq!(session(7, Style::ALL), session(7, Style::ALL));
    assert_ne!(session(7, Style::ALL), session(8, Style::ALL));
}

#[test]
fn seqs_have_no_gap_and_no_twin() {
    for seed in 0..200 {
        let events = session(seed, Style::ALL);
        let seqs: Vec<_> = events.iter().filter_map(|event| event.get("seq")?.as_u64()).collect();
        assert!(seqs.iter().copied().eq(0..seqs.len() as u64), "{seqs:?}");
        let closes = events.iter().filter(|event| event["event_type"] == "session.closed").count();
        assert!(closes <= 1 && closes < events.len());
        assert!(seqs.is_empty() || seqs.len() + closes >= events.len());
    }
}
