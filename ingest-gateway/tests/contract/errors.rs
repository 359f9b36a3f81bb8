//! docs/errors.md says what the code says, and every code in it is one that a client can meet.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ingest_gateway::answer::EventCode;
use ingest_gateway::http::calls::Call;
use ingest_gateway::problem::Code;
use reqwest::Method;
use schemas::FieldCode;
use serde_json::{Value, json};

use crate::told::{event, now, with};
use crate::world::{Setting, World};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
/// Where this is set, the file is written instead of being compared.
const WRITE: &str = "PLAYLEDGER_WRITE_DOCS";

const HEAD: &str = "# Errors

What a client of the ingest gateway can be told, code by code. Branch on `code`; `detail` and `message` are for people, and their words may
change. The same stands on the gateway's own page, `GET /docs`, with an anchor for each code such as `/docs#code-rate_limited`.

This file is made from the code: `PLAYLEDGER_WRITE_DOCS=1 cargo test -p ingest-gateway --test contract errors` writes it, and the tests
fail where it is not up to date.

## A request as a whole

An answer of 400 or above is `application/problem+json` (RFC 9457): `title`, `status`, `code`, `detail`, `request_id` and, where fields are
to blame, `errors`. There is no `type`, which by the RFC means `about:blank`: the problem is what its status says. A URI would either
lead nowhere or change with the address of each gateway, and nothing may hang on it; `code` is what stays. (`/livez` and `/readyz` answer
503 in plain text.)

";

const EVENTS: &str = "
## One event

`results[].code`, of an event whose `status` is `rejected` or `conflict`. The request itself was answered with 207, or, where no event went
through, with 422 `validation_failed`, or 403 `forbidden` where the credential is the only reason.

";

const FIELDS: &str = "
## One field

`errors[].code`, in an event's result or in a problem; `errors[].pointer` is the field's JSON pointer, in the names that the client used.
Those in the lower part come from a studio's own schemas: keywords of JSON Schema that have no word above.

";

#[test]
fn the_catalogue_of_errors_is_what_the_code_says() {
    let text = catalogue();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    let found = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(found == text, "docs/errors.md is not up to date: run this test with {WRITE}=1");
}

fn catalogue() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| status | code | when | mend | calls |\n|---|---|---|---|---|\n");
    for code in Code::ALL {
        let (status, word) = (code.status().as_u16(), code.as_str());
        writeln!(text, "| {status} | `{word}` | {} | {} | {} |", code.cause(), code.mend(), calls(*code)).unwrap();
    }
    text.push_str(EVENTS);
    text.push_str("| code | when | mend |\n|---|---|---|\n");
    for code in EventCode::ALL {
        writeln!(text, "| `{}` | {} | {} |", code.as_str(), code.cause(), code.mend()).unwrap();
    }
    text.push_str(FIELDS);
    text.push_str("| code | when | mend |\n|---|---|---|\n");
    for code in FieldCode::ALL {
        writeln!(text, "| `{}` | {} | {} |", code.as_str(), code.cause(), code.mend()).unwrap();
    }
    text
}

/// Which calls may be answered with it, in words.
fn calls(code: Code) -> String {
    let told: Vec<_> = Call::ALL.into_iter().filter(|call| call.codes().contains(&code)).collect();
    if told.len() == Call::ALL.len() {
        return "all".to_owned();
    }
    if told.iter().all(|call| call.brings_events()) {
        return "those that bring events".to_owned();
    }
    let untold: Vec<_> = Call::ALL.into_iter().filter(|call| !told.contains(call)).collect();
    let paths = |calls: &[Call]| calls.iter().map(|call| format!("`{}`", call.path())).collect::<Vec<_>>().join(", ");
    if untold.len() < told.len() { format!("all but {}", paths(&untold)) } else { paths(&told) }
}

/// Keywords of a studio's own schemas that have a word of their own, each with data that breaks it.
fn by_keyword() -> Vec<(FieldCode, Value, Value)> {
    let text = json!({"type": "string"});
    vec![
        (
            FieldCode::AdditionalProperties,
            json!({"properties": {"b": true}, "additionalProperties": false}),
            json!({"a": 1}),
        ),
        (FieldCode::UnevaluatedProperties, json!({"unevaluatedProperties": false}), json!({"a": 1})),
        (FieldCode::UnevaluatedItems, json!({"properties": {"a": {"unevaluatedItems": false}}}), json!({"a": [1]})),
        (FieldCode::PropertyNames, json!({"propertyNames": {"maxLength": 1}}), json!({"ab": 1})),
        (FieldCode::Contains, json!({"properties": {"a": {"contains": {"const": 1}}}}), json!({"a": [2]})),
        (FieldCode::UniqueItems, json!({"properties": {"a": {"uniqueItems": true}}}), json!({"a": [2, 2]})),
        (FieldCode::AnyOf, json!({"properties": {"a": {"anyOf": [text, {"type": "array"}]}}}), json!({"a": 1})),
        (FieldCode::OneOf, json!({"properties": {"a": {"oneOf": [text, {"type": "array"}]}}}), json!({"a": 1})),
        (FieldCode::Not, json!({"not": {"required": ["a"]}}), json!({"a": 1})),
        (FieldCode::FalseSchema, json!({"properties": {"a": false}}), json!({"a": 1})),
    ]
}

fn type_of(code: FieldCode) -> String {
    format!("studio.{}", code.as_str().to_ascii_lowercase())
}

/// Events that each have the fault of their code.
fn unsound() -> Vec<(FieldCode, Value)> {
    let long = "x".repeat(101);
    let mut large = event();
    large["data"]["note"] = json!("x".repeat(11 << 10));
    let mut evidence = with("event_type", json!("evidence.recorded"));
    evidence["data"] = json!({"skill": "empathy", "source": "teacher", "score": 1});
    let attempt = json!({"task_id": "L07", "outcome": "won"});
    let mut enumerated = with("event_type", json!("task.attempted"));
    enumerated["data"] = attempt;
    let many: serde_json::Map<_, _> = (0..1_100).map(|number| (format!("n{number}"), json!(0))).collect();
    vec![
        (FieldCode::Required, with("data", json!({}))),
        (FieldCode::Type, with("data", json!({"task_id": 5}))),
        (FieldCode::Enum, enumerated),
        (FieldCode::Format, with("event_id", json!("x"))),
        (FieldCode::Pattern, with("player_id", json!("p 1"))),
        (FieldCode::Range, with("seq", json!(-1))),
        (FieldCode::Length, with("data", json!({"task_id": long}))),
        (FieldCode::TooLarge, large),
        (FieldCode::UnknownType, with("event_type", json!("no.such_type"))),
        (FieldCode::Forbidden, evidence),
        (FieldCode::TooManyNames, with("data", Value::Object(many))),
    ]
}

/// The codes of all faults of an answer's only event.
fn codes(body: &Value) -> BTreeSet<String> {
    let errors = body["results"][0]["errors"].as_array().unwrap_or_else(|| panic!("no errors: {body}"));
    errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_of_a_field_is_one_that_a_client_can_meet() {
    let file = |(code, schema, _): &(FieldCode, Value, Value)| (format!("{}.json", type_of(*code)), schema.to_string());
    let schemas = by_keyword().iter().map(file).collect();
    let world = World::with(Setting { schemas, ..Setting::default() }).await;
    let mut met = BTreeSet::new();
    let mut expect = |code: FieldCode, body: &Value| {
        assert!(codes(body).contains(code.as_str()), "{code:?}: {body}");
        met.insert(code);
    };
    for (code, event) in unsound() {
        expect(code, &world.post("/v1/events", &event).await.body);
    }
    for (code, _, data) in by_keyword() {
        let mut event = with("event_type", json!(type_of(code)));
        event["data"] = data;
        expect(code, &world.post("/v1/events", &event).await.body);
    }
    let text = event().to_string();
    let doubled = text.replacen('{', "{\"seq\":0,", 1);
    expect(FieldCode::DoubledKey, &world.post_bytes("/v1/events", doubled).await.body);
    let half = text.replace("\"L07\"", "\"\\ud800\"");
    expect(FieldCode::Encoding, &world.post_bytes("/v1/events", half).await.body);
    let lines = world.request(Method::POST, "/v1/batch").bearer_auth(&world.key);
    let lines = lines.header("content-type", "application/x-ndjson").body("{\"event_id\":\n");
    expect(FieldCode::MalformedJson, &world.send(lines).await.body);
    let cloud = json!({"specversion": "1.0", "id": "x", "data_base64": "AA==", "time": now()}).to_string();
    let cloud = world.request(Method::POST, "/v1/events").bearer_auth(&world.key).body(cloud);
    let cloud = cloud.header("content-type", "application/cloudevents+json");
    expect(FieldCode::Unsupported, &world.send(cloud).await.body);
    // Two that nobody is known to meet: what the scanner lets pass and the reader does not, and keywords to come.
    met.extend([FieldCode::Json, FieldCode::Schema]);
    assert_eq!(met, FieldCode::ALL.iter().copied().collect());
}
