//! Data that the rules of a type allow.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::{OWN_TYPES, Style};
use crate::event::MAX_INTEGER;
use crate::parse::catalogue;
use crate::parse::field::{Bounds, Rule};

/// Names as games give them, few enough to meet again, some of them strange.
const IDS: [&str; 8] = ["L01", "L02", "L03/goal", "boss", "", "tâche \"7\"", "\\u0041\n\t", "✪"];

/// Data of a type: all that it requires, and some of what it allows.
pub(super) fn data(rng: &mut ChaCha8Rng, event_type: &str, style: Style) -> Map<String, Value> {
    if let Some(place) = OWN_TYPES.iter().position(|(name, _)| *name == event_type) {
        let own = if place == 0 { json!({"angle": rng.random_range(0..360)}) } else { json!({"part": "north"}) };
        return own.as_object().cloned().unwrap_or_default();
    }
    let entry = catalogue::entry(event_type).unwrap_or_else(|| panic!("`{event_type}` is no type of the catalogue"));
    let mut data = Map::new();
    for field in entry.fields {
        if field.required || rng.random_bool(0.5) {
            data.insert(field.name.to_owned(), value(rng, field.rule, style));
        } else if style.odd_forms && rng.random_bool(0.2) {
            data.insert(field.name.to_owned(), Value::Null);
        }
    }
    if rng.random_bool(0.05) {
        data.insert("not_in_the_catalogue".to_owned(), json!({"deep": [1, {"er": null}]}));
    }
    data
}

/// The id of a task or the like.
pub(super) fn id(rng: &mut ChaCha8Rng) -> String {
    if rng.random_bool(0.01) {
        return "ü".repeat(100);
    }
    // The first names come up most.
    let most = if rng.random_bool(0.8) { 4 } else { IDS.len() };
    IDS[rng.random_range(0..most)].to_owned()
}

fn value(rng: &mut ChaCha8Rng, rule: Rule, style: Style) -> Value {
    match rule {
        Rule::Text(100) => id(rng).into(),
        Rule::Text(most) => text(rng, most).into(),
        Rule::OneOf(words) => words.choose(rng).copied().into(),
        Rule::Bool => rng.random::<bool>().into(),
        Rule::Integer(least) => integer(rng, least, style),
        Rule::Number(Bounds::Unit) => match rng.random_range(0..10) {
            0 => json!(0),
            1 => json!(1),
            _ => json!(rng.random::<f64>()),
        },
        Rule::Number(Bounds::Positive) => json!(rng.random_range(0.01..20.0)),
        Rule::Number(Bounds::None) => json!(rng.random_range(-1_000.0..1_000.0)),
        Rule::Texts => (0..rng.random_range(0..4)).map(|_| skill(rng)).collect(),
        Rule::Any => [json!(1), json!("x"), json!(true), json!([1, null])].choose(rng).cloned().into_iter().collect(),
    }
}

fn integer(rng: &mut ChaCha8Rng, least: i64, style: Style) -> Value {
    let value: i32 = match rng.random_range(0..100) {
        0 => return MAX_INTEGER.into(),
        1..5 => return least.max(0).into(),
        5..40 => rng.random_range(1..10),
        _ => rng.random_range(1..300_000),
    };
    let value = if least < 0 && rng.random_bool(0.5) { -value } else { value };
    if style.odd_forms && rng.random_bool(0.02) { f64::from(value).into() } else { value.into() }
}

fn text(rng: &mut ChaCha8Rng, most: usize) -> String {
    match rng.random_range(0..20) {
        0 => String::new(),
        1 => "é\u{1f600}".repeat(20).chars().take(most).collect(),
        2..8 => skill(rng).as_str().unwrap_or_default().to_owned(),
        _ => ["web", "de-DE", "tablet", "guess", "search"].choose(rng).copied().unwrap_or_default().to_owned(),
    }
}

fn skill(rng: &mut ChaCha8Rng) -> Value {
    ["empathy", "problem_solving", "leadership", "resilience", "juggling"].choose(rng).copied().into()
}
