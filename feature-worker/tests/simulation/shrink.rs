//! Makes a failing history small: leaves out what it fails without.

use std::time::Duration;

use super::history::{History, Step};

/// Most histories that are smaller on the way.
const TRIES: usize = 500;

/// The smallest history found that still fails.
pub fn shrink(history: &History, fails: impl Fn(&History) -> bool) -> History {
    let mut tries = 0;
    let mut fails = |smaller: &History| {
        tries += 1;
        tries <= TRIES && fails(smaller)
    };
    let mut small = history.clone();
    let mut part = small.steps.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        let before = small.steps.len();
        while from < small.steps.len() {
            let mut steps = small.steps.clone();
            steps.drain(from..(from + part).min(small.steps.len()));
            let smaller = History { steps, ..small.clone() };
            if fails(&smaller) { small = smaller } else { from += part }
        }
        part = match part {
            // Once more at the finest, as long as it helps.
            1 => usize::from(small.steps.len() < before),
            part => part / 2,
        };
    }
    let knobs: [fn(&mut History); 4] = [
        |history| history.latency = Duration::ZERO,
        |history| history.marking = Duration::ZERO,
        |history| history.partitions = 1,
        |history| history.batch = 1,
    ];
    for turn in knobs {
        let mut smaller = small.clone();
        turn(&mut smaller);
        if fails(&smaller) {
            small = smaller;
        }
    }
    small
}

/// The history in words, a line a step.
pub fn explain(history: &History) -> String {
    let History { partitions, latency, marking, batch, .. } = history;
    let knobs = format!(
        "{partitions} partitions, calls up to {latency:?}, markers up to {marking:?} late, batches up to {batch}\n"
    );
    history.steps.iter().map(Step::to_string).fold(knobs, |text, step| text + &step + "\n")
}
