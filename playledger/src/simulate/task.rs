//! How a player goes at one level: attempts, hints, strategies, and how it ends.

use rand::Rng as _;
use serde_json::json;

use super::game::{CONCEPTS, LEVELS, Level, STRATEGIES};
use super::script::Script;

/// A level is lost after so many failures.
const LIVES: u32 = 5;
/// The third hint gives the answer away.
const BOTTOM_OUT: u64 = 3;

/// How a level ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Solved.
    Solved,
    /// Lost, given up or skipped: the player may go on elsewhere.
    Unsolved,
    /// The player has had enough of the game for now.
    Quit,
}

/// Plays a level from its start to its end.
pub(super) fn play(script: &mut Script<'_>, level: &Level) -> End {
    let began = script.now_ms;
    script.tell(
        "task.started",
        json!({
            "task_id": level.id, "parent_id": level.chapter, "difficulty": level.difficulty,
            "expected_ms": level.expected_ms, "skills": [CONCEPTS[level.concept]],
        }),
    );
    let mut strategy = script.any(&STRATEGIES);
    let (mut failures, mut hints) = (0, 0);
    loop {
        script.interlude();
        if failures > 0 && hints < BOTTOM_OUT && script.chance(script.player.hint_taking) {
            hints += 1;
            ask_for_hint(script, level, hints);
        }
        let success = attempt(script, level, strategy, hints);
        if success {
            solved(script, level, failures, began);
            return End::Solved;
        }
        failures += 1;
        if failures == LIVES {
            script.pass_between(300, 900);
            script.tell("task.failed", json!({ "task_id": level.id, "cause": "out_of_lives" }));
            return if script.chance(0.3) { End::Quit } else { End::Unsolved };
        }
        // Each failure wears the player's persistence down.
        let goes_on = script.player.persistence - 0.03 * f64::from(failures);
        if !script.chance(goes_on) {
            return give_up(script, level);
        }
        if failures >= 2 && script.chance(0.35) {
            strategy = change_strategy(script, level, strategy);
        }
        if script.chance(0.08) {
            script.pass_between(400, 1_500);
            script.tell("task.restarted", json!({ "task_id": level.id }));
        }
    }
}

fn attempt(script: &mut Script<'_>, level: &Level, strategy: &str, hints: u64) -> bool {
    let hasty = script.chance(script.player.haste);
    let expected = i64::try_from(level.expected_ms).unwrap_or(i64::MAX);
    let latency = if hasty {
        script.rng.random_range(300..1_200)
    } else {
        script.rng.random_range(expected / 6..expected * 4 / 5)
    };
    script.pass(latency);
    let mut chance = script.player.chance(level.concept, level.difficulty);
    chance += if hasty { -0.25 } else { 0.10 * f64::from(u32::try_from(hints).unwrap_or(0)) };
    if hints >= BOTTOM_OUT {
        chance = chance.max(0.9);
    }
    let success = script.chance(chance);
    let partial = !success && script.chance(0.2);
    let outcome = if success {
        "success"
    } else if partial {
        "partial"
    } else {
        "failure"
    };
    let score = if success {
        100
    } else if partial {
        script.rng.random_range(20..80)
    } else {
        0
    };
    script.tell(
        "task.attempted",
        json!({
            "task_id": level.id, "outcome": outcome, "score": score, "max_score": 100, "latency_ms": latency,
            "strategy": strategy, "skills": [CONCEPTS[level.concept]],
        }),
    );
    script.player.learn(level.concept, success);
    success
}

fn ask_for_hint(script: &mut Script<'_>, level: &Level, index: u64) {
    script.pass_between(700, 4_000);
    let source = if script.chance(script.player.company * 0.2) { "peer" } else { "system" };
    script.tell(
        "hint.requested",
        json!({ "task_id": level.id, "hint_index": index, "bottom_out": index >= BOTTOM_OUT, "source": source }),
    );
    if source == "peer" {
        script.pass_between(500, 5_000);
        script.tell("social.help", json!({ "direction": "received", "task_id": level.id }));
    }
}

fn change_strategy(script: &mut Script<'_>, level: &Level, from: &'static str) -> &'static str {
    let to = STRATEGIES[(STRATEGIES.iter().position(|known| *known == from).unwrap_or(0) + 1) % STRATEGIES.len()];
    script.pass_between(500, 3_000);
    script.tell("strategy.changed", json!({ "task_id": level.id, "from": from, "to": to }));
    to
}

fn give_up(script: &mut Script<'_>, level: &Level) -> End {
    script.pass_between(500, 4_000);
    let reason = script.any(&["quit", "quit", "skip", "timeout"]);
    script.tell("task.abandoned", json!({ "task_id": level.id, "reason": reason }));
    if reason == "skip" { End::Unsolved } else { End::Quit }
}

fn solved(script: &mut Script<'_>, level: &Level, failures: u32, began: i64) {
    let stars = 3_u32.saturating_sub(failures).max(1);
    let points = i64::from(stars) * 50;
    script.score += points;
    script.coins += i64::from(stars);
    let (score, coins) = (script.score, script.coins);
    script.pass_between(100, 600);
    script.tell("score.changed", json!({ "score": score, "delta": points }));
    script.tell(
        "task.completed",
        json!({ "task_id": level.id, "score": points, "stars": stars, "duration_ms": script.now_ms - began }),
    );
    script.pass_between(200, 1_200);
    script.tell("item.changed", json!({ "item_id": "coin", "delta": stars, "balance": coins, "source": level.id }));
    if level.id.ends_with("-3") {
        script
            .tell("checkpoint.reached", json!({ "checkpoint_id": level.chapter, "value": score, "task_id": level.id }));
    }
    script.player.level = (script.player.level + 1) % LEVELS.len();
}
