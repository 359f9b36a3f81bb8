//! Nothing that is served is missing from the description, and its examples are what it says.

use std::collections::BTreeSet;

use schemas::catalogue;
use schemas::envelope;
use schemas::registry::{Registry, SchemaFile};

use super::*;
use crate::problem::Code;

fn plain() -> Value {
    document(&Types::default(), None)
}

fn operations(document: &Value) -> Vec<(Call, Value)> {
    let of = |call: Call| {
        let method = call.method().as_str().to_ascii_lowercase();
        (call, document["paths"][call.path()][method].clone())
    };
    Call::ALL.into_iter().map(of).collect()
}

/// A validator of one of the document's schemas.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let whole = json!({"allOf": [schema], "components": document["components"]});
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .with_format("date-time", |text: &str| schemas::Timestamp::parse(text).is_some())
        .offline()
        .build(&whole)
        .unwrap()
}

fn walk(value: &Value, seen: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            seen(name, member);
            walk(member, seen);
        }),
        Value::Array(elements) => elements.iter().for_each(|element| walk(element, seen)),
        _ => {}
    }
}

#[test]
fn every_call_is_described_in_words_and_with_its_answers() {
    let document = plain();
    let mut ids = BTreeSet::new();
    for (call, operation) in operations(&document) {
        for member in ["summary", "description"] {
            assert!(operation[member].as_str().is_some_and(|text| text.len() > 5), "{call:?} {member}");
        }
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{call:?}");
        assert_eq!(operation["requestBody"].is_object(), call.brings_events(), "{call:?}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(response["description"].as_str().is_some_and(|text| text.len() > 5), "{call:?} {status}");
            assert!(response["headers"]["X-Request-ID"].is_object(), "{call:?} {status}");
        }
    }
    let paths = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len());
    assert_eq!(paths.sum::<usize>(), Call::ALL.len());
}

#[test]
fn every_code_stands_at_a_call_with_its_status_and_an_example() {
    let document = plain();
    for code in Code::ALL {
        let status = code.status().as_u16().to_string();
        let rule = &document["components"]["schemas"][format!("problem.{status}")]["allOf"][1]["properties"];
        let words = rule["code"]["enum"].as_array().unwrap();
        assert!(words.contains(&json!(code.as_str())), "{code:?}");
        let mut told = 0;
        for (call, operation) in operations(&document) {
            let content = &operation["responses"][&status]["content"]["application/problem+json"];
            let is_told = content["examples"].get(code.as_str()).is_some();
            assert_eq!(is_told, call.codes().contains(code), "{call:?} {code:?}");
            told += usize::from(is_told);
            let waits = operation["responses"][&status]["headers"]["Retry-After"].is_object();
            assert!(!is_told || waits == code.retry_after().is_some(), "{call:?} {code:?}");
        }
        assert!(told > 0, "{code:?} is told nowhere");
    }
}

#[test]
fn every_type_of_the_catalogue_is_an_event_and_a_cloudevent() {
    let document = plain();
    let schemas = &document["components"]["schemas"];
    for (name, property, prefix) in [("Event", "event_type", "event"), ("CloudEvent", "type", "cloudevent")] {
        let any = &schemas[name];
        assert_eq!(any["discriminator"]["propertyName"], property);
        assert_eq!(any["oneOf"].as_array().unwrap().len(), catalogue::all().len());
        for known in catalogue::all() {
            let own = format!("{prefix}.{}", known.name);
            assert_eq!(any["discriminator"]["mapping"][known.name], format!("#/components/schemas/{own}"));
            assert_eq!(schemas[&own]["properties"][property]["const"], known.name);
            let data: Value = serde_json::from_str(known.text).unwrap();
            assert_eq!(schemas[format!("data.{}", known.name)]["properties"], data["properties"]);
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = plain();
    let mut count = 0;
    walk(&document, &mut |name, value| {
        if name == "$ref" {
            let pointer = value.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            count += 1;
        }
    });
    assert!(count > 300, "{count}");
}

#[test]
fn every_content_has_examples_of_its_own_schema() {
    let document = plain();
    let mut count = 0;
    for (call, operation) in operations(&document) {
        let answers = operation["responses"].as_object().unwrap().values().map(|response| &response["content"]);
        for content in answers.chain([&operation["requestBody"]["content"]]) {
            for (media, content) in content.as_object().into_iter().flatten() {
                let named = content["examples"].as_object().into_iter().flatten().map(|(_, told)| &told["value"]);
                let examples: Vec<_> = named.chain(content.get("example")).collect();
                assert!(!examples.is_empty(), "{call:?} {media}");
                let validator = validator(&document, &content["schema"]);
                for example in examples {
                    let faults: Vec<_> = validator.iter_errors(example).map(|fault| fault.to_string()).collect();
                    assert!(faults.is_empty(), "{call:?} {media}: {faults:?}\n{example}");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 60, "{count}");
}

#[test]
fn schemas_of_answers_ask_for_what_is_always_there() {
    let document = plain();
    let schemas = &document["components"]["schemas"];
    let required = |name: &str| {
        let names = schemas[name]["required"].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap()).collect::<BTreeSet<_>>()
    };
    assert_eq!(required("Problem"), BTreeSet::from(["title", "status", "code", "detail", "request_id"]));
    assert!(required("Answer").is_superset(&BTreeSet::from(["request_id", "received_at", "accepted", "results"])));
    assert_eq!(required("Outcome"), BTreeSet::from(["index", "status"]));
    assert!(required("WhoAmI").contains("limits") && !required("WhoAmI").contains("player"));
    assert!(!schemas["Outcome"].to_string().contains("null") && !schemas["WhoAmI"].to_string().contains("null"));
}

#[test]
fn the_schema_of_a_batch_says_what_is_read() {
    let document = plain();
    let validator = validator(&document, &schema("Batch"));
    let event = examples::one();
    let with = |name: &str, value: Value| {
        let mut batch = json!({"events": [event]});
        batch[name] = value;
        batch
    };
    let long = "x".repeat(41);
    let cases = [
        ("batch_id", json!("0198c0de-6a00-7a52-8f3e-1b2c3d4e5f60")),
        ("batch_id", json!("00000000-0000-0000-0000-000000000000")),
        ("batch_id", json!("0198c0de6a007a528f3e1b2c3d4e5f60")),
        ("batch_id", Value::Null),
        ("batch_id", json!(7)),
        ("sent_at", json!("2026-01-05T08:12:31Z")),
        ("sent_at", json!("2026-01-05")),
        ("app_version", json!(long[1..])),
        ("app_version", json!(long)),
        ("game_id", json!("runner")),
        ("game_id", json!("runner@test")),
        ("game_id", json!("")),
        ("events", json!([])),
        ("events", json!({})),
        ("events", Value::Null),
        ("other", json!(1)),
    ];
    for (name, value) in cases {
        let batch = with(name, value);
        let read = envelope::batch(batch.to_string().as_bytes()).is_ok();
        assert_eq!(validator.is_valid(&batch), read, "{batch}");
    }
    assert!(!validator.is_valid(&json!([])) && envelope::batch(b"[]").is_err());
}

#[test]
fn a_studios_own_types_are_told_to_their_tenant_alone_and_stay_whole() {
    let text = r##"{"$id": "https://acme.example/boss", "$defs": {"name": {"type": "string"}}, "type": "object",
        "required": ["boss"], "properties": {"boss": {"$ref": "#/$defs/name"}, "kind": {"const": {"$ref": "#/x"}}}}"##;
    let tenant = Tenant::parse("acme").unwrap();
    let files = [
        SchemaFile { tenant: Some(tenant.clone()), path: "acme/boss.defeated.json", text },
        SchemaFile { tenant: None, path: "level.up.json", text: "{}" },
    ];
    let types = Types::from(Registry::compile(files).unwrap());
    let own = document(&types, Some(&tenant));
    let schemas = &own["components"]["schemas"];
    let boss = &schemas["data.boss.defeated"];
    assert_eq!(boss["properties"]["boss"]["$ref"], "#/components/schemas/data.boss.defeated/$defs/name");
    assert_eq!(boss["properties"]["kind"]["const"], json!({"$ref": "#/x"}));
    assert_eq!(schemas["event.boss.defeated"]["required"].as_array().unwrap().last().unwrap(), "data");
    assert!(schemas["event.level.up"].is_object());
    let validator = validator(&own, &schema("Event"));
    let mut event = examples::one();
    event["event_type"] = json!("boss.defeated");
    assert!(!validator.is_valid(&event));
    event["data"] = json!({"boss": "Ogre"});
    assert!(validator.is_valid(&event));
    event["data"] = json!({"boss": 5});
    assert!(!validator.is_valid(&event));
    let other = document(&types, Some(&Tenant::parse("other").unwrap())).to_string();
    assert!(!other.contains("boss.defeated") && other.contains("level.up"));
    let strangers = document(&types, None).to_string();
    assert!(!strangers.contains("boss.defeated") && !strangers.contains("level.up"));
}
