//! Thousands of histories of the real worker, in virtual time, on a log that does its worst.
//!
//! A history follows from its seed: which events come in which order, which process is killed, freezes or
//! moves when, and what becomes of each commit. What is left in the topics is judged by an oracle that
//! reads them alone, and by the same history without any fault. `SEED=…` lives one through again.

#![expect(unreachable_pub, reason = "a test program exports nothing")]
#![expect(clippy::expect_used, reason = "a test that fails says where")]

mod befall;
mod content;
mod found;
mod history;
mod oracle;
mod plan;
mod planted;
mod run;
mod shrink;
mod stamp;

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use history::History;
use oracle::Reached;
use run::Ways;

/// Histories of every run of the tests.
const HISTORIES: u64 = 2_000;

/// Lives a history through and judges it: by what lies in the topics, and by what becomes of the same events
/// without any fault, as they come or, most of the time, read from the log when all is over.
fn try_history(history: &History, ways: &Ways) -> Result<(), String> {
    let content = run::live(history, ways)?;
    let found = oracle::judge(&content)?;
    let undisturbed = if history.seed.is_multiple_of(4) {
        run::live(&plan::undisturbed(history), &Ways::default())
    } else {
        run::replay(history, &content.events)
    };
    let expected = undisturbed.and_then(|content| oracle::judge(&content));
    oracle::compare(&found, &expected.map_err(|why| format!("without any fault: {why}"))?)
}

/// What there is to say of a history that fails: how to live it through again, and the least of it that fails.
fn report(history: &History, why: &str) -> String {
    let small = shrink::shrink(history, |tried| try_history(tried, &Ways::default()).is_err());
    let still = try_history(&small, &Ways::default()).err().unwrap_or_default();
    format!(
        "SEED={} cargo test -p feature-worker --test simulation\n{why}\n{} of {} steps will do:\n{}{still}\n",
        history.seed,
        small.steps.len(),
        history.steps.len(),
        shrink::explain(&small)
    )
}

/// Tries seeds on all cores; those that fail, and why.
fn try_all(seeds: Range<u64>) -> Vec<(u64, String)> {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let try_next = || {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed < seeds.end
            && let Err(why) = try_history(&plan::history(seed), &Ways::default())
        {
            println!("seed {seed} fails");
            failed.lock().expect("no panic").push((seed, why));
        }
        seed < seeds.end
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| while try_next() {});
        }
    });
    let mut failed = failed.into_inner().expect("no panic");
    failed.sort_unstable();
    failed
}

/// `SEED` tries one, `HISTORIES` so many (from `FROM` on) instead of those that every run tries.
#[test]
fn whatever_befalls_the_workers_every_event_counts_once() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let from = number("SEED").or(number("FROM")).unwrap_or(0);
    let count = if number("SEED").is_some() { 1 } else { number("HISTORIES").unwrap_or(HISTORIES) };
    let begun = Instant::now();
    let failed = try_all(from..from + count);
    let took = begun.elapsed();
    println!("{count} histories from seed {from} in {took:.1?}: {} failed", failed.len());
    if let Some((seed, why)) = failed.first() {
        panic!("{}", report(&plan::history(*seed), why));
    }
}

#[test]
fn histories_of_small_bounds_reach_them() {
    for which in [4, 9] {
        let mut reached = Reached::default();
        for seed in (which..which + 200).step_by(10) {
            let content = run::live(&plan::undisturbed(&plan::history(seed)), &Ways::default()).expect("it ends well");
            reached += oracle::judge(&content).expect("all is well").reached();
        }
        assert!(reached.counted > 5 && reached.uncounted > 0 && reached.skipped > 0, "{which}: {reached:?}");
    }
}

#[test]
fn a_history_lived_again_leaves_the_same_bytes() {
    for seed in 0..20 {
        let history = plan::history(seed);
        let [first, second] = [(); 2].map(|()| run::live(&history, &Ways::default()).expect("it ends well"));
        assert_eq!(first, second, "seed {seed}");
    }
}
