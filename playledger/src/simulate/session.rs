//! One session from its start to its end: levels, the story between them, company, and the way out.

use rand::Rng as _;
use serde_json::{Value, json};

use super::game::{CHOICES, CONCEPTS, DIALOGUES, LEVELS, QUESTIONS};
use super::script::{Happening, Script};
use super::task::{self, End};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WayOut {
    /// Closed, with this reason.
    Closed(&'static str),
    /// The player went without a word: the session will time out.
    Vanished,
}

/// Plays a session; gives what happened, without its close, and how it ended.
pub(super) fn play(script: &mut Script<'_>) -> (Vec<Happening>, WayOut) {
    let device = script.player.device.clone();
    script.tell(
        "session.started",
        json!({ "platform": device.platform, "locale": device.locale, "device": device.kind }),
    );
    script.pass_between(800, 4_000);
    let planned = script.rng.random_range(1..6);
    let mut end = End::Solved;
    for _ in 0..planned {
        let level = LEVELS[script.player.level % LEVELS.len()];
        story(script);
        end = task::play(script, &level);
        company(script, level.id);
        script.pass_between(800, 6_000);
        if end == End::Quit || script.chance(0.04) {
            break;
        }
    }
    let out = way_out(script, end);
    (std::mem::take(&mut script.happened), out)
}

/// What may come before a level: a talk, a choice, a question.
fn story(script: &mut Script<'_>) {
    if script.chance(0.5) {
        let dialogue = script.any(&DIALOGUES);
        let skipped = script.chance(0.3);
        let view = if skipped { script.rng.random_range(200..1_500) } else { script.rng.random_range(2_000..12_000) };
        let rereads = if skipped { 0 } else { script.rng.random_range(0..3_u32) };
        script.pass(view);
        script.tell(
            "dialogue.viewed",
            json!({ "dialogue_id": dialogue, "view_ms": view, "rereads": rereads, "skipped": skipped }),
        );
    }
    if script.chance(0.3) {
        let choice = script.any(&CHOICES);
        let aligned = script.chance(0.45 + script.player.company * 0.5);
        let deliberation = script.rng.random_range(900..14_000);
        script.pass(deliberation);
        let changed = script.chance(0.15);
        script.tell(
            "choice.made",
            json!({
                "choice_id": choice.id, "option_id": choice.options[usize::from(!aligned)], "skill": choice.skill,
                "aligned": aligned, "deliberation_ms": deliberation, "changed_mind": changed,
            }),
        );
    }
    if script.chance(0.25) {
        ask(script);
    }
}

fn ask(script: &mut Script<'_>) {
    let concept = script.rng.random_range(0..QUESTIONS.len());
    let latency = script.rng.random_range(1_500..15_000);
    script.pass(latency);
    let correct = script.chance(script.player.chance(concept, 0.4));
    script.tell(
        "question.answered",
        json!({
            "question_id": QUESTIONS[concept], "correct": correct, "latency_ms": latency, "skills": [CONCEPTS[concept]],
        }),
    );
}

/// What may come after a level: a message, help, a turn given away.
fn company(script: &mut Script<'_>, task: &str) {
    if !script.chance(script.player.company) {
        return;
    }
    script.pass_between(500, 5_000);
    match script.rng.random_range(0..3) {
        0 => {
            let length = script.rng.random_range(2..140);
            script.tell("social.message_sent", json!({ "channel": "team", "length": length }));
        }
        1 => script.tell("social.help", json!({ "direction": "given", "task_id": task })),
        _ => {
            let voluntary = script.chance(0.6);
            script.tell("social.turn", json!({ "voluntary": voluntary, "to": "teammate" }));
        }
    }
}

fn way_out(script: &mut Script<'_>, end: End) -> WayOut {
    if script.chance(0.03) {
        script.tell("client.error", json!({ "code": "gl_context_lost", "message": "the drawing context was lost" }));
        script.pass_between(100, 1_000);
        return WayOut::Closed("error");
    }
    if script.chance(0.06) {
        return WayOut::Vanished;
    }
    script.pass_between(300, 3_000);
    WayOut::Closed(if end == End::Solved { "completed" } else { "abandoned" })
}

/// A teacher's word on a player, from outside the game.
pub(super) fn evidence(rng: &mut rand_chacha::ChaCha8Rng) -> Value {
    const SKILLS: [&str; 7] = [
        "empathy",
        "adaptability",
        "problem_solving",
        "self_regulation",
        "resilience",
        "communication",
        "collaboration",
    ];
    // A rubric of 1 to 4.
    let rubric = f64::from(rng.random_range(1..=4_u32));
    json!({
        "skill": SKILLS[rng.random_range(0..SKILLS.len())], "source": "teacher", "score": (rubric - 1.0) / 3.0,
        "opportunities": rng.random_range(2..=6_u32),
    })
}
