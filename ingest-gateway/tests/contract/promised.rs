//! Holds every answer that a test gets against the interface's description (OpenAPI).

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use ingest_gateway::http::calls::Call;
use ingest_gateway::openapi;
use ingest_gateway::types::Types;
use jsonschema::Validator;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// The description, as strangers get it.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| openapi::document(&Types::default(), None));
static VALIDATORS: Mutex<BTreeMap<(&'static str, u16), &'static Validator>> = Mutex::new(BTreeMap::new());

/// The call of a path.
fn call(path: &str) -> Option<Call> {
    let fits = |call: &Call| {
        let (wanted, given) = (call.path().split('/'), path.split('/'));
        wanted.clone().count() == given.clone().count()
            && wanted.zip(given).all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
    };
    Call::ALL.into_iter().find(fits)
}

/// A call's part of the description.
pub(crate) fn operation(call: Call) -> &'static Value {
    &DOCUMENT["paths"][call.path()][call.method().as_str().to_ascii_lowercase()]
}

/// Holds an answer against the description: status, headers, media type, body.
pub(crate) fn hold(path: &str, status: u16, headers: &HeaderMap, body: &[u8]) {
    let Some(call) = call(path) else {
        // A path that is none, however it is asked for.
        assert_eq!(status, 404, "{path}");
        return;
    };
    if status == 204 {
        // A browser asks before it calls.
        return;
    }
    let response = &operation(call)["responses"][status.to_string()];
    assert!(response.is_object(), "{call:?} is described without {status}: {}", String::from_utf8_lossy(body));
    for (name, header) in response["headers"].as_object().unwrap() {
        let told = DOCUMENT.pointer(header["$ref"].as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
        let is_there = headers.contains_key(name.as_str());
        assert!(is_there || told["required"] == false, "{call:?} {status} without {name}");
    }
    if body.is_empty() {
        assert!(response.get("content").is_none() || status == 405, "{call:?} {status} without a body");
        return;
    }
    let media = headers["content-type"].to_str().unwrap().split(';').next().unwrap();
    assert!(response["content"][media].is_object(), "{call:?} {status} is described without {media}");
    if !media.ends_with("json") {
        return;
    }
    let body: Value = serde_json::from_slice(body).unwrap();
    let faults: Vec<_> = validator(call, status, &response["content"][media]["schema"])
        .iter_errors(&body)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{call:?} {status}: {faults:?}\n{body}");
}

fn validator(call: Call, status: u16, schema: &Value) -> &'static Validator {
    let mut validators = VALIDATORS.lock().unwrap();
    validators.entry((call.path(), status)).or_insert_with(|| {
        let whole = json!({"allOf": [schema], "components": DOCUMENT["components"]});
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        Box::leak(Box::new(options.offline().build(&whole).unwrap()))
    })
}
