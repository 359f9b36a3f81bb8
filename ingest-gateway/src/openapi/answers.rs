//! A call's responses: what it is answered with where it went well, and the problems of each status.

use serde_json::{Value, json};

use super::{Object, examples, problems, schema};
use crate::http::calls::Call;
use crate::problem::Code;

/// All responses of a call, by status.
pub(super) fn of(call: Call) -> Object {
    let mut responses = Object::new();
    for (status, about, content) in good(call) {
        let mut headers = everywhere(call);
        if call == Call::OpenApi {
            headers.insert("ETag".into(), header("ETag"));
        }
        let mut response = json!({"description": about, "headers": headers});
        if !content.is_null() {
            response["content"] = content;
        }
        responses.insert(status.to_string(), response);
    }
    for (status, codes) in problems::of(call) {
        let words: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.cause())).collect();
        let mut headers = everywhere(call);
        if codes.iter().any(|code| code.retry_after().is_some()) {
            headers.insert("Retry-After".into(), header("Retry-After"));
        }
        if codes.contains(&Code::Unauthenticated) {
            headers.insert("WWW-Authenticate".into(), header("WWW-Authenticate"));
        }
        if codes.contains(&Code::MethodNotAllowed) {
            headers.insert("Allow".into(), header("Allow"));
        }
        let content = problems::content(call, status, &codes);
        let response = json!({"description": words.join("\n\n"), "headers": headers, "content": content});
        responses.insert(status.to_string(), response);
    }
    responses
}

/// The answers that are no problems: status, words, content.
fn good(call: Call) -> Vec<(u16, &'static str, Value)> {
    const ACCEPTED: &str = "The log has every event, now or from before.";
    match call {
        Call::Event => vec![(202, ACCEPTED, answer(&examples::accepted(1)))],
        Call::Close => vec![(202, ACCEPTED, answer(&examples::closed()))],
        Call::Batch => vec![
            (202, ACCEPTED, answer(&examples::accepted(2))),
            (
                207,
                "Some events were rejected or in conflict; `results` says which. Do not send those again as they are.",
                answer(&examples::partly()),
            ),
        ],
        Call::WhoAmI => vec![(200, "What the credential may do.", whoami())],
        Call::Schemas => vec![(200, "The schemas that the tenant's events are judged by.", listing())],
        Call::Schema => vec![(200, "The schema of the type's `data`.", one_schema())],
        Call::Livez => vec![(200, "It lives.", text("ok\n")), (503, "It hangs: restart it.", text("not ready\n"))],
        Call::Readyz => {
            vec![(200, "It takes events.", text("ok\n")), (503, "It takes none at the moment.", text("not ready\n"))]
        }
        Call::OpenApi => {
            vec![(200, "This document.", document()), (304, "The document has not changed.", Value::Null)]
        }
        Call::Docs => vec![(
            200,
            "A page that describes the calls and sends them.",
            json!({"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}}),
        )],
    }
}

fn answer(example: &Value) -> Value {
    json!({"application/json": {"schema": schema("Answer"), "example": example}})
}

fn document() -> Value {
    let rule = json!({"type": "object", "required": ["openapi", "paths"]});
    json!({"application/json": {"schema": rule, "example": {"openapi": "3.1.1", "paths": {}}}})
}

fn text(example: &str) -> Value {
    json!({"text/plain": {"schema": {"type": "string"}, "example": example}})
}

fn whoami() -> Value {
    let example = json!({
        "key_id": "1f0c5a9be27d", "tenant": "acme", "games": ["runner"], "environment": "live", "scopes": ["ingest"],
        "tier": "standard", "publishable": false,
        "limits": {
            "events_per_batch": schemas::envelope::MAX_EVENTS, "body_bytes": crate::intake::MAX_BYTES,
            "event_bytes": schemas::parse::MAX_EVENT_BYTES, "data_bytes": schemas::parse::MAX_DATA_BYTES,
            "max_ahead_ms": crate::judge::MAX_AHEAD_MS, "max_behind_ms": crate::judge::MAX_BEHIND_MS,
        },
        "rates": crate::limits::tiers::standard(),
    });
    json!({"application/json": {"schema": schema("WhoAmI"), "example": example}})
}

fn listing() -> Value {
    let known = schemas::catalogue::get("session.heartbeat").map(|known| {
        let schema: Value = serde_json::from_str(known.text).unwrap_or_default();
        json!({
            "event_type": known.name, "version": known.version, "sha256": known.sha256, "own": false, "schema": schema,
        })
    });
    let event: Value = serde_json::from_str(schemas::catalogue::EVENT).unwrap_or_default();
    let types: Vec<_> = known.into_iter().collect();
    json!({"application/json": {"schema": schema("Listing"), "example": {"event": event, "types": types}}})
}

fn one_schema() -> Value {
    let text = schemas::catalogue::get("task.attempted").map_or("", |known| known.text);
    let example: Value = serde_json::from_str(text).unwrap_or_default();
    json!({"application/schema+json": {"schema": {"type": "object"}, "example": example}})
}

/// Headers that answers of a call have whatever the status.
fn everywhere(call: Call) -> Object {
    let mut headers = Object::from_iter([("X-Request-ID".to_owned(), header("X-Request-ID"))]);
    if call.is_limited() {
        for name in ["RateLimit-Policy", "RateLimit"] {
            headers.insert(name.to_owned(), header(name));
        }
    }
    headers
}

fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// The headers that responses refer to.
pub(super) fn headers() -> Value {
    let text = |about: &str, required: bool, example: &str| json!({"description": about, "required": required, "schema": {"type": "string"}, "example": example});
    let policy = "The tightest limit that the request was held to: its name, how much at once (`q`), in how many seconds \
                  that comes back (`w`).";
    let left = "What is left of it (`r`), and in how many seconds it is whole again (`t`).";
    json!({
        "X-Request-ID": text("Names the request: the caller's, if it is sane, else made.", true, examples::REQUEST_ID),
        "Retry-After": {
            "description": "After so many seconds the same request may be sent again.",
            "required": true,
            "schema": {"type": "integer", "minimum": 1},
            "example": 2,
        },
        "RateLimit-Policy": text(policy, false, "\"player-events\";q=5000;w=10"),
        "RateLimit": text(left, false, "\"player-events\";r=4210;t=2"),
        "WWW-Authenticate": text("How to authenticate.", true, "Bearer realm=\"playledger\""),
        "Allow": text("The methods that the path takes.", true, "POST"),
        "ETag": text("Stands for this state of the document.", true, "\"5f2b1c9d0e7a4b36\""),
    })
}
