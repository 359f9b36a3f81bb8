//! Sessions and events for tests: valid ones, of every type, strange where the rules allow it.
//!
//! All of it follows from a seed: the same seed, the same events.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::parse::catalogue::CATALOGUE;
use crate::time::Timestamp;

mod tell;
mod value;

use tell::Teller;

/// What a session may hold beyond what every client may send.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Events of [`OWN_TYPES`].
    pub own_types: bool,
    /// A `session.closed` without a timestamp, as the close call writes it.
    pub untimed_close: bool,
    /// Numbers such as 3.0 where an integer is meant, null where a field is optional, other spellings of times.
    pub odd_forms: bool,
}

impl Style {
    /// What the log may hold.
    pub const ALL: Self = Self { own_types: true, untimed_close: true, odd_forms: true };
    /// What any client may send in one request to a gateway without schemas of its own.
    pub const CLIENT: Self = Self { own_types: false, untimed_close: false, odd_forms: true };
}

/// Types outside of the catalogue that sessions hold, with their schemas.
pub const OWN_TYPES: [(&str, &str); 2] = [
    ("puzzle.rotated", r#"{"type":"object","required":["angle"],"properties":{"angle":{"type":"integer"}}}"#),
    ("world.part.entered", r#"{"type":"object","properties":{"part":{"type":"string","maxLength":40}}}"#),
];

/// The events of one session of play in the order of its record; at least one that is no close, at most one close.
pub fn session(seed: u64, style: Style) -> Vec<Value> {
    Teller::new(rng(seed, 0), style).session()
}

/// The events of one session that is nothing but evidence from outside the game.
pub fn evidence(seed: u64) -> Vec<Value> {
    Teller::new(rng(seed, 1), Style::default()).evidence()
}

/// The events of many sessions, one session after the other; one in ten is of evidence.
pub fn sessions(seed: u64, count: usize, style: Style) -> Vec<Value> {
    let mut seeds = rng(seed, 2);
    let one = |_| match seeds.random_range(0..10) {
        0 => evidence(seeds.random()),
        _ => session(seeds.random(), style),
    };
    (0..count).flat_map(one).collect()
}

/// One sound event of a type of the catalogue, with any of its fields.
///
/// # Panics
/// When the catalogue has no such type.
pub fn event(seed: u64, event_type: &str, style: Style) -> Value {
    let rng = &mut rng(seed, 3);
    let data = value::data(rng, event_type, style);
    let ms = 1_767_225_600_000 + rng.random_range(0..86_400_000);
    json!({
        "event_id": uuid(rng), "session_id": uuid(rng), "player_id": "p-1", "seq": rng.random_range(0..100),
        "event_type": event_type, "timestamp": Timestamp::from_ms(ms).to_string(), "data": data,
    })
}

/// The names of all types of the catalogue.
pub fn event_types() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().map(|entry| entry.name)
}

/// The stream keeps the uses of one seed apart.
fn rng(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Never nil, never max: the version's and variant's bits are set.
fn uuid(rng: &mut ChaCha8Rng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid()
}

#[cfg(test)]
mod tests;
