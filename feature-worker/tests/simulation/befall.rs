//! What befalls the workers and the log in a history.

use std::time::Duration;

use eventlog::simulated::{Effect, Fault, Point};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::history::{Action, Step};

/// Starts the workers, and has things befall them and the log.
pub fn befall(rng: &mut ChaCha8Rng, workers: usize, end: u64, batch: usize, steps: &mut Vec<Step>) {
    let mut step = |at: u64, action: Action| steps.push(Step { at, action });
    for worker in 0..workers {
        step(if worker == 0 { 0 } else { rng.random_range(0..=end) }, Action::Start(worker));
    }
    for _ in 0..rng.random_range(0..9) {
        let (at, worker) = (rng.random_range(0..=end), rng.random_range(0..workers));
        let again = at + rng.random_range(0..700);
        match rng.random_range(0..12) {
            0 | 1 => {
                step(at, Action::Kill(worker));
                step(again, Action::Start(worker));
            }
            2 => {
                step(at, Action::Drain(worker));
                step(again, Action::Start(worker));
            }
            3 => step(at, Action::Freeze(worker, Duration::from_millis(rng.random_range(20..600)))),
            // A restore ends before a tombstone goes.
            4 => step(at, Action::Slow(worker, Duration::from_millis(rng.random_range(1..=3 * batch as u64)))),
            5 => step(at, Action::Compact),
            _ => {
                step(at, Action::Arm(worker, fault(rng)));
                step(again, Action::Start(worker));
            }
        }
    }
}

fn fault(rng: &mut ChaCha8Rng) -> Fault {
    let time = Duration::from_millis(rng.random_range(1..600));
    let mut one_of = |points: &[Point]| *points.choose(rng).unwrap_or(&Point::Begin);
    let at =
        one_of(&[Point::Begin, Point::Produced, Point::Produced, Point::Sent, Point::Sent, Point::Done, Point::Done]);
    let before = one_of(&[Point::Begin, Point::Produced, Point::Sent]);
    let elsewhere = one_of(&[Point::Read, Point::Next, Point::Join]);
    let (at, effect) = match rng.random_range(0..17) {
        // Long enough for a partition to be taken from who does not let it go.
        16 => (Point::Begin, Effect::Delay(time * 3)),
        0..3 => (at, Effect::Crash),
        3..6 => (before, Effect::Freeze(time)),
        6 => (at, Effect::Delay(time / 4)),
        7 => (at, Effect::Fatal),
        8 | 9 => (before, Effect::Abort),
        10 | 11 => (at, Effect::Unknown),
        12 => (Point::Sent, Effect::Late(time)),
        13 => (elsewhere, Effect::Unavailable),
        14 => (elsewhere, Effect::Fatal),
        _ => (elsewhere, Effect::Crash),
    };
    Fault { at, skip: rng.random_range(0..4), effect }
}
