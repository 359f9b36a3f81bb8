//! Bugs planted between the worker and its log, or in the log, and that each of them is noticed.
//!
//! A bug stands where the seam is, so that no hook is in the program itself.

mod bug;

use std::sync::Arc;

use eventlog::simulated::Defects;

use super::history::History;
use super::run::Ways;
use super::{plan, shrink, try_history};
use bug::{Bug, Planted};

/// Seeds among which each bug is to be found.
const SEEDS: u64 = 1_000;

#[test]
fn a_rewind_that_is_left_out_is_noticed() {
    is_noticed(Bug::NoRewind);
}

#[test]
fn a_restore_to_the_last_stable_offset_is_noticed() {
    is_noticed(Bug::RestoreToStable);
}

#[test]
fn offsets_that_are_committed_before_outputs_are_noticed() {
    is_noticed(Bug::OffsetsFirst);
}

#[test]
fn a_forgotten_tombstone_is_noticed() {
    is_noticed(Bug::NoTombstones);
}

#[test]
fn an_unknown_outcome_taken_for_an_abort_is_noticed() {
    is_noticed(Bug::UnknownIsAborted);
}

#[test]
fn an_unknown_outcome_taken_for_a_commit_is_noticed() {
    is_noticed(Bug::UnknownIsDone);
}

#[test]
fn a_stale_generation_that_is_not_fenced_is_noticed() {
    is_noticed(Bug::StaleGeneration);
}

#[test]
fn a_release_before_the_commit_ends_is_noticed() {
    is_noticed(Bug::EarlyRelease);
}

#[test]
fn a_restore_that_is_one_batch_short_is_noticed() {
    is_noticed(Bug::RestoreShort);
}

#[test]
fn a_read_back_that_is_one_record_short_is_noticed() {
    is_noticed(Bug::ReadBackShort);
}

#[test]
fn lost_states_are_noticed() {
    is_noticed(Bug::LostStates);
}

#[test]
fn items_from_before_a_move_are_noticed() {
    is_noticed(Bug::OldItems);
}

#[test]
fn a_failing_history_is_shrunk_to_a_short_trace() {
    let ways = ways(Bug::UnknownIsAborted);
    let fails = |history: &History| try_history(history, &ways).is_err();
    let history = (0..SEEDS).map(plan::history).find(|history| history.steps.len() > 40 && fails(history));
    let small = shrink::shrink(&history.expect("some seed finds it"), fails);
    let trace = shrink::explain(&small);
    println!("{trace}");
    assert!(fails(&small), "it still fails");
    assert!(trace.lines().count() <= 30, "{trace}");
}

/// Some seed finds the bug, and the same history is well without it.
fn is_noticed(bug: Bug) {
    let ways = ways(bug);
    let found = (0..SEEDS).find_map(|seed| {
        let history = plan::history(seed);
        try_history(&history, &ways).err().map(|why| (seed, history, why))
    });
    let (seed, history, why) = found.unwrap_or_else(|| panic!("{bug:?} is not noticed in {SEEDS} histories"));
    println!("{bug:?} is noticed by seed {seed}: {}", why.chars().take(200).collect::<String>());
    assert_eq!(try_history(&history, &Ways::default()), Ok(()), "without it");
}

fn ways(bug: Bug) -> Ways {
    let defects =
        Defects { stale_generations: bug == Bug::StaleGeneration, foreign_partitions: bug == Bug::EarlyRelease };
    Ways { between: Arc::new(move |log| Arc::new(Planted { log, bug })), defects }
}
