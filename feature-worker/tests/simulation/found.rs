//! Faults that histories have found in the worker, each as a history of its own: it must not come back.

use std::sync::Arc;
use std::time::Duration;

use eventlog::simulated::{Effect, Fault, Point};
use schemas::testing;
use serde_json::json;
use uuid::Uuid;

use super::history::{Action, Arrival, History, Step, What};
use super::run::{MARGIN, TIMEOUT, Ways};
use super::try_history;

/// A process stood still in the midst of a commit for so long that its partition was taken away, came back
/// to life and got the partition again: what it restored lay before the commit that then went through, and
/// all of that was done twice.
#[test]
fn a_commit_that_outlives_the_loss_of_its_partition_counts_once() {
    for at in [Point::Begin, Point::Produced] {
        let freeze = Fault { at, skip: 0, effect: Effect::Freeze(Duration::from_millis(350)) };
        let steps = vec![
            step(0, Action::Start(0)),
            step(300, Action::Arm(0, freeze)),
            step(310, event(0)),
            step(315, event(1)),
        ];
        assert_eq!(lived(steps), Ok(()), "{at:?}");
    }
}

/// A refused event's place let the session run out before its only event came, which is evidence: the facts
/// said `timeout` or `completed`, by the time that lay between the two.
#[test]
fn evidence_is_complete_however_long_after_its_hole_it_comes() {
    let mut evidence = testing::evidence(1).swap_remove(0);
    evidence["seq"] = json!(0);
    let session = evidence["session_id"].as_str().and_then(|id| id.parse().ok()).expect("its session");
    let hole = Arrival { session, what: What::Hole(0), lag: 0, game: "demo", redriven: false };
    let later = Arrival { what: What::Event(Arc::from(evidence.to_string())), ..hole.clone() };
    let steps = vec![
        step(0, Action::Start(0)),
        step(300, Action::Append(hole)),
        step(300 + TIMEOUT + MARGIN + 50, Action::Append(later)),
    ];
    assert_eq!(lived(steps), Ok(()));
}

/// The first commit of a partition was aborted, so that it had to be read anew from its oldest record. While
/// the log was asked which that is, what came next was read on, and all before it was then passed over.
#[test]
fn what_comes_while_the_oldest_record_is_looked_for_passes_nothing_over() {
    let abort = Fault { at: Point::Sent, skip: 0, effect: Effect::Abort };
    let slow = Fault { at: Point::Read, skip: 0, effect: Effect::Delay(Duration::from_millis(40)) };
    let faults = [abort, slow].map(|fault| step(300, Action::Arm(0, fault)));
    let mut steps = vec![step(0, Action::Start(0))];
    steps.extend(faults);
    steps.extend((0..40).map(|seq| step(310 + 5 * seq, event(seq))));
    assert_eq!(lived(steps), Ok(()));
}

/// The log broke off for good while a successor read again what no state told: it ended as if a person had to act, where
/// a new connection was all that it took.
#[test]
fn a_log_that_breaks_off_at_any_read_of_a_restore_is_joined_anew() {
    for skip in 0..12 {
        let breaks_off = Fault { at: Point::Read, skip, effect: Effect::Fatal };
        let mut steps = vec![step(0, Action::Start(2))];
        steps.extend((0..30).map(|seq| step(300 + 5 * seq, event(seq))));
        steps.push(step(600, Action::Kill(2)));
        steps.push(step(610, Action::Start(2)));
        steps.push(step(610, Action::Arm(2, breaks_off)));
        steps.push(step(1_500, event(30)));
        assert_eq!(lived(steps), Ok(()), "after {skip} reads");
    }
}

fn lived(steps: Vec<Step>) -> Result<(), String> {
    let history = History {
        games: History::GAMES,
        seed: 1,
        partitions: 1,
        latency: Duration::from_millis(2),
        marking: Duration::ZERO,
        batch: 10,
        steps,
    };
    try_history(&history, &Ways::default())
}

fn step(at: u64, action: Action) -> Step {
    Step { at, action }
}

fn event(seq: u64) -> Action {
    let session = Uuid::from_u128(7 << 76);
    let raw = json!({
        "event_id": Uuid::from_u128(u128::from(seq + 1) | 7 << 76), "session_id": session, "player_id": "p-1",
        "event_type": "session.heartbeat", "timestamp": "2026-01-05T08:00:00Z", "seq": seq,
    });
    let what = What::Event(Arc::from(raw.to_string()));
    Action::Append(Arrival { session, what, lag: 0, game: "demo", redriven: false })
}
