//! The JSON Schemas and the typed judgement say the same of every event.

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::parse;
use crate::parse::catalogue::CATALOGUE;
use crate::registry::validator;
use crate::testing::{self, Style};

struct Schemas {
    event: Validator,
    types: Vec<(&'static str, Validator)>,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let compiled = |text| validator(&serde_json::from_str(text).unwrap()).unwrap();
    let types = all().iter().map(|schema| (schema.name, compiled(schema.text))).collect();
    Schemas { event: compiled(EVENT), types }
});

/// What the schemas say of an event; the bounds on bytes are not theirs to judge.
fn schemas_take(event: &Value) -> bool {
    if !SCHEMAS.event.is_valid(event) {
        return false;
    }
    let data = match &event["data"] {
        Value::Null => json!({}),
        data => data.clone(),
    };
    let own = SCHEMAS.types.iter().find(|(name, _)| event["event_type"] == **name);
    own.is_none_or(|(_, schema)| schema.is_valid(&data))
}

fn agree(event: &Value) {
    let json = event.to_string();
    let judged = parse::event(&json);
    if judged.as_ref().is_err_and(|errors| errors.iter().any(|error| error.code == "too_large")) {
        return;
    }
    assert_eq!(judged.is_ok(), schemas_take(event), "{json}\n{judged:?}");
}

#[test]
fn every_type_of_the_catalogue_has_its_schema() {
    let mut names: Vec<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    assert_eq!(all().iter().map(|schema| schema.name).collect::<Vec<_>>(), names);
    for schema in all() {
        assert_eq!(get(schema.name), Some(schema));
        let json: Value = serde_json::from_str(schema.text).unwrap();
        assert_eq!(json["$id"], format!("urn:playledger:data:{}:1", schema.name));
        assert_eq!(json["version"], schema.version);
        assert!(json["title"].is_string() && json["description"].is_string());
    }
    assert_eq!(get("boss.defeated"), None);
}

#[test]
fn every_field_of_the_schemas_is_a_field_of_the_code_and_told_in_words() {
    for entry in &CATALOGUE {
        let json: Value = serde_json::from_str(get(entry.name).unwrap().text).unwrap();
        let properties = json["properties"].as_object().cloned().unwrap_or_default();
        let mut fields: Vec<_> = entry.fields.iter().map(|field| field.name).collect();
        let mut required: Vec<_> = entry.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        let mut told: Vec<_> = json["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        fields.sort_unstable();
        required.sort_unstable();
        told.sort_unstable();
        assert_eq!(properties.keys().collect::<Vec<_>>(), fields, "{}", entry.name);
        assert_eq!(told, required, "{}", entry.name);
        for (name, property) in &properties {
            assert!(property["title"].is_string() && property["description"].is_string(), "{} {name}", entry.name);
            let unit = !name.ends_with("_ms") || property["description"].as_str().unwrap().contains("Unit: ms");
            assert!(unit, "{} {name}", entry.name);
        }
    }
}

/// Values that stand at the bounds of some rule, or beyond them.
fn hostile() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] = &[
        "",
        "a",
        "success",
        "completed",
        "user",
        "blur",
        "teacher",
        "empathy",
        "given",
        "quit",
        "nil",
        "1",
        "true",
        "task.started",
        "session.closed",
        "boss.defeated",
        "Task.Started",
        "a.",
        "p:1",
        "p 1",
        "\u{0}",
        "\u{1f600}",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-FFFF-ffff-ffff-ffffffffffff",
        "0198c0de-0000-7000-8000-00000000000A",
        "0198c0de000070008000-00000000000000-0",
        "2026-01-05T08:12:31Z",
        "2026-01-05 08:12:31+00:00",
        "2026-01-05t08:12:60z",
        "2026-02-29T00:00:00Z",
        "2024-02-29T24:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
        "2026-01-05T08:12:31,5Z",
        "2026-01-05T08:12:31.Z",
    ];
    prop_oneof![
        prop::sample::select(WORDS).prop_map(Value::from),
        prop::sample::select(&[63_usize, 64, 65, 99, 100, 101, 200, 201, 500, 501][..])
            .prop_map(|n| json!("ü".repeat(n))),
        prop::sample::select(&[64_usize, 65, 98, 99][..]).prop_map(|n| json!(format!("a.{}", "b".repeat(n)))),
        prop::sample::select(
            &[0.0, -0.0, 0.5, 1.0, 1.000_000_1, -1.0, 2.0, 1e15, 9e15, 1e16, 1e300, -1e300, 1e-300][..]
        )
        .prop_map(|double| json!(double)),
        prop::sample::select(&[0_i64, 1, -1, 2, (1 << 53) - 1, 1 << 53, -(1 << 53) + 1, -(1 << 53), i64::MIN][..])
            .prop_map(Value::from),
        Just(json!(u64::MAX)),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![json!([]), json!({}), json!(["a"]), json!([1]), json!(["a", null]), json!([["a"]])]),
        "\\PC{0,12}".prop_map(Value::from),
    ]
}

/// Which member is changed: an own one of the event, or one of its data.
#[derive(Clone, Debug)]
enum Mutation {
    Own(&'static str, Option<Value>),
    Data(usize, Option<Value>),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let own = &["event_id", "session_id", "player_id", "seq", "event_type", "timestamp", "data", "unknown"][..];
    prop_oneof![
        1 => (prop::sample::select(own), prop::option::of(hostile())).prop_map(|(name, value)| Mutation::Own(name, value)),
        3 => (any::<prop::sample::Index>(), prop::option::weighted(0.85, hostile()))
            .prop_map(|(place, value)| Mutation::Data(place.index(7), value)),
    ]
}

fn mutate(event: &mut Value, mutation: Mutation) {
    let set = |members: &mut Map<String, Value>, name: &str, value: Option<Value>| match value {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => drop(members.remove(name)),
    };
    let fields = event["event_type"].as_str().and_then(parse::catalogue::entry).map_or(&[][..], |entry| entry.fields);
    match mutation {
        Mutation::Own(name, value) => set(event.as_object_mut().unwrap(), name, value),
        Mutation::Data(place, value) => {
            let name = if fields.is_empty() { "any" } else { fields[place % fields.len()].name };
            if let Some(data) = event["data"].as_object_mut() {
                set(data, name, value);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, ..ProptestConfig::default() })]

    #[test]
    fn schemas_and_code_agree_on_sound_and_on_mutated_events(
        seed: u64, place in 0..26_usize, mutations in prop::collection::vec(mutation(), 0..4)
    ) {
        let mut event = testing::event(seed, CATALOGUE[place].name, Style::ALL);
        agree(&event);
        assert!(parse::event(&event.to_string()).is_ok());
        for mutation in mutations {
            mutate(&mut event, mutation);
        }
        agree(&event);
    }
}
