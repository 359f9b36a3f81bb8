//! Makes a history of a seed: sessions of every kind, and what befalls the workers meanwhile.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::testing::{self, Style};
use serde_json::{Value, json};
use uuid::Uuid;

use super::befall;
use super::history::{Action, Arrival, History, Step, What};
use super::run::{GRACE, MARGIN, TIMEOUT};

/// Sessions to choose from: making one takes longer than many a history.
const POOL: u64 = 400;
/// Most events of a session, its close aside.
const MOST_EVENTS: usize = 9;
/// As many long sessions, of at most so many events each, for histories of small bounds.
const LONG_POOL: u64 = 80;
const MOST_LONG: usize = 40;
/// Most time from an event's receipt to its append, in ms: what a drained partition waits for.
const MOST_LAG: i64 = 100;
/// In this time all sessions of a stretch begin, in ms.
const OPENING: u64 = 1_000;
/// Longer than a marker stays, in ms.
const FORGOTTEN: i64 = 33 * 86_400_000;

/// The history of a seed.
pub fn history(seed: u64) -> History {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let partitions = rng.random_range(1..=4);
    let workers = rng.random_range(1..=4);
    let mut steps = Vec::new();
    // Every tenth by either of the small bounds.
    let (games, sessions) = match seed % 10 {
        4 => ("games-few-events.toml", &*LONG_POOL_OF),
        9 => ("games-few.toml", &*LONG_POOL_OF),
        _ => (History::GAMES, &*POOL_OF),
    };
    let mut pool: Vec<&'static [Value]> = sessions.iter().map(Vec::as_slice).collect();
    pool.shuffle(&mut rng);
    let mut end = stretch(&mut rng, &mut pool, 0, &mut steps);
    if rng.random_bool(0.08) {
        // All of it lies behind a month in which nobody played; what comes then is new.
        let jump = end + TIMEOUT + GRACE + MARGIN;
        steps.push(Step { at: jump, action: Action::Jump(FORGOTTEN) });
        end = stretch(&mut rng, &mut pool, jump + 100, &mut steps);
    } else if rng.random_bool(0.2) {
        let at = rng.random_range(0..=end);
        let ms = *[500, 3_000, 3_600_000].choose(&mut rng).unwrap_or(&500);
        steps.push(Step { at, action: Action::Jump(ms) });
    }
    let batch = rng.random_range(1..40);
    befall::befall(&mut rng, workers, end, batch, &mut steps);
    // A stable sort: what is told for one moment happens in the order in which it was told.
    steps.sort_by_key(|step| step.at);
    History {
        seed,
        games,
        partitions,
        latency: Duration::from_millis(rng.random_range(0..6)),
        marking: Duration::from_millis(*[0, 0, 10, 60].choose(&mut rng).unwrap_or(&0)),
        batch,
        steps,
    }
}

/// The same history without any fault: one worker, from the beginning.
pub fn undisturbed(history: &History) -> History {
    let is_kept = |step: &&Step| matches!(step.action, Action::Append(_) | Action::Jump(_));
    let mut steps = vec![Step { at: 0, action: Action::Start(0) }];
    steps.extend(history.steps.iter().filter(is_kept).cloned());
    History { steps, ..history.clone() }
}

/// A session of the pool, short, and what may be made of it.
static POOL_OF: LazyLock<Vec<Vec<Value>>> = LazyLock::new(|| sessions(POOL, MOST_EVENTS));
/// Long ones.
static LONG_POOL_OF: LazyLock<Vec<Vec<Value>>> = LazyLock::new(|| sessions(LONG_POOL, MOST_LONG));

fn sessions(number: u64, most: usize) -> Vec<Vec<Value>> {
    let short = |seed: u64| {
        if seed % 12 == 11 {
            return testing::evidence(seed);
        }
        let mut events = testing::session(seed, Style::ALL);
        let close = events.iter().position(|event| event["event_type"] == "session.closed").map(|at| events.remove(at));
        events.truncate(1 + usize::try_from(seed).unwrap_or(0) % most);
        let is_counted = events.iter().any(|event| event["seq"].is_u64());
        if is_counted {
            for (seq, event) in events.iter_mut().enumerate() {
                event["seq"] = seq.into();
            }
        }
        if let Some(mut close) = close {
            if close["seq"].is_u64() {
                close["seq"] = events.len().into();
            }
            events.push(close);
        }
        events
    };
    (0..number).map(short).collect()
}

/// Some sessions side by side; when the last of their records comes.
fn stretch(rng: &mut ChaCha8Rng, pool: &mut Vec<&'static [Value]>, from: u64, steps: &mut Vec<Step>) -> u64 {
    let mut end = from;
    for _ in 0..rng.random_range(1..7) {
        let Some(events) = pool.pop() else { break };
        let begin = from + rng.random_range(0..OPENING);
        for (at, arrival) in arrivals(rng, events, begin) {
            end = end.max(at);
            steps.push(Step { at, action: Action::Append(arrival) });
        }
    }
    end
}

/// A session's records as they come, disturbed in many ways.
fn arrivals(rng: &mut ChaCha8Rng, events: &[Value], begin: u64) -> Vec<(u64, Arrival)> {
    let session: Uuid = events[0]["session_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
    let mut order: Vec<&Value> = events.iter().collect();
    match rng.random_range(0..10) {
        0..5 => {}
        5..8 => order.shuffle(rng),
        // A close comes first.
        8 => order.rotate_right(1),
        _ => order.reverse(),
    }
    if rng.random_bool(0.05) {
        // Nothing but its close, if it has one.
        order.retain(|event| event["event_type"] == "session.closed");
    }
    let mut arrivals = Arrivals { session, all: Vec::new() };
    let (mut at, pace) = (begin, rng.random_range(0..120));
    let troubled = rng.random_bool(0.6);
    // Long after: when its session is closed, or evicted.
    let after = |rng: &mut ChaCha8Rng| {
        let over = if rng.random_bool(0.4) { TIMEOUT } else { 2 * (TIMEOUT + GRACE) + MARGIN };
        rng.random_range(0..over + 500)
    };
    for event in order {
        at += rng.random_range(0..=pace);
        if !troubled {
            arrivals.event(rng, at, event);
            continue;
        }
        match rng.random_range(0..24) {
            // Lost on the way.
            0 => {}
            1 => {
                let late = at + after(rng);
                arrivals.event(rng, late, event);
            }
            // Refused, and at times put right later.
            2 | 3 => {
                if let Some(seq) = event["seq"].as_u64() {
                    arrivals.push(rng, at, What::Hole(seq), "demo", false);
                }
                if rng.random_bool(0.7) {
                    let later = at + after(rng);
                    arrivals.event(rng, later, event);
                }
            }
            4 => at += TIMEOUT + rng.random_range(0..400),
            kind => {
                arrivals.event(rng, at, event);
                let later = at + if rng.random_bool(0.5) { rng.random_range(0..60) } else { after(rng) };
                arrivals.besides(rng, kind, later, event);
            }
        }
        if rng.random_bool(0.05) {
            // What was late or in the way is sent again, as it was.
            let later = at + after(rng);
            arrivals.push(rng, later, text(event), "demo", true);
        }
    }
    arrivals.all
}

/// Where a session's records are gathered.
struct Arrivals {
    session: Uuid,
    all: Vec<(u64, Arrival)>,
}

impl Arrivals {
    fn event(&mut self, rng: &mut ChaCha8Rng, at: u64, event: &Value) {
        self.push(rng, at, text(event), "demo", false);
    }

    fn push(&mut self, rng: &mut ChaCha8Rng, at: u64, what: What, game: &'static str, redriven: bool) {
        let lag = if rng.random_bool(0.8) { 0 } else { rng.random_range(0..MOST_LAG) };
        self.all.push((at, Arrival { session: self.session, what, lag, game, redriven }));
    }

    /// What may come beside an event: a repeat, or something that is none of the session's.
    fn besides(&mut self, rng: &mut ChaCha8Rng, kind: u32, at: u64, event: &Value) {
        let other_id = || json!(uuid::Builder::from_random_bytes(Rng::random(&mut rng.clone())).into_uuid());
        let mut other = event.clone();
        match kind {
            5..9 => return self.event(rng, at, event),
            9 => other["event_id"] = other_id(),
            10 => {
                (other["event_id"], other["player_id"]) = (other_id(), json!("a stranger"));
            }
            11 => {
                other["event_id"] = other_id();
                return self.push(rng, at, text(&other), "another", false);
            }
            12 => {
                other["event_id"] = other_id();
                match other.as_object_mut() {
                    Some(members) if members.contains_key("seq") => drop(members.remove("seq")),
                    _ => other["seq"] = json!(2),
                }
            }
            13 if event["event_type"] == "session.closed" => {
                // The same close in another body.
                match other.as_object_mut() {
                    Some(members) if members.contains_key("seq") && rng.random_bool(0.5) => drop(members.remove("seq")),
                    _ => other["seq"] = json!(rng.random_range(0..12)),
                }
            }
            14 => return self.push(rng, at, What::Garbage, "demo", false),
            15 => {
                other["event_id"] = other_id();
                other["event_type"] = json!("session.closed");
                other["data"] = json!({"reason": "abandoned"});
                other["seq"] = json!(rng.random_range(0..12));
            }
            _ => return,
        }
        self.event(rng, at, &other);
    }
}

fn text(event: &Value) -> What {
    What::Event(Arc::from(event.to_string()))
}
