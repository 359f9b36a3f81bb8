//! What stands beside a body: parameters of the path and of the query, and headers.

use schemas::{envelope, parse};
use serde_json::{Value, json};

use super::{Object, examples, schema};
use crate::decode::Encoding;
use crate::http::calls::Call;

/// A call's parameters.
pub(super) fn of(call: Call) -> Vec<Value> {
    let shared = |names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")})).collect()
    };
    let mut parameters = match call {
        Call::Event | Call::Batch => shared(&["dry_run", "results", "sent_at", "app_version", "game_id"]),
        Call::Close => {
            let mut parameters =
                vec![in_path("session_id", "The session to close.", schema("session_id"), &examples::session_id())];
            parameters.extend(shared(&["dry_run", "results", "sent_at", "app_version", "game_id"]));
            parameters
        }
        Call::Schema => {
            let rule =
                json!({"type": "string", "pattern": "^[a-z]+(\\.[a-z_]+)+$", "maxLength": parse::MAX_EVENT_TYPE});
            vec![in_path(
                "event_type",
                "A type of the catalogue, or one of the studio's own.",
                rule,
                &"task.attempted".into(),
            )]
        }
        Call::OpenApi => shared(&["if_none_match"]),
        Call::WhoAmI | Call::Schemas | Call::Livez | Call::Readyz | Call::Docs => Vec::new(),
    };
    parameters.extend(shared(&["request_id"]));
    if call.brings_events() {
        parameters.extend(shared(&["traceparent", "content_encoding"]));
    }
    if call == Call::Event {
        parameters.extend(cloud_headers());
    }
    parameters
}

/// The parameters that several calls share, by the names that the document gives them.
pub(super) fn shared() -> Object {
    let game = json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"});
    let version = json!({"type": "string", "maxLength": envelope::MAX_APP_VERSION});
    let encodings: Vec<_> = Encoding::NAMES.iter().map(|(name, _)| *name).collect();
    let all = [
        (
            "dry_run",
            in_query("dry_run", "Judges the events and keeps nothing.", json!({"type": "boolean"}), &true.into()),
        ),
        (
            "results",
            in_query(
                "results",
                "`all` names every event in `results`, the accepted ones too.",
                json!({"type": "string", "enum": ["all"]}),
                &"all".into(),
            ),
        ),
        (
            "sent_at",
            in_query(
                "sent_at",
                "The client's clock when it sent the request, so that a wrong clock is seen through. A body's own counts more.",
                json!({"type": "string", "format": "date-time"}),
                &examples::received_at().to_string().into(),
            ),
        ),
        (
            "app_version",
            in_query("app_version", "The client's version. A body's own counts more.", version, &"1.4.2".into()),
        ),
        (
            "game_id",
            in_query(
                "game_id",
                "Which game; needed where the credential is for several. A body's own counts more.",
                game,
                &Value::Null,
            ),
        ),
        (
            "request_id",
            in_header(
                "X-Request-ID",
                "Names the request in the answer and in every log line, if it is 1 to 64 of `A-Za-z0-9._-`; else one is made.",
                json!({"type": "string"}),
            ),
        ),
        (
            "traceparent",
            in_header(
                "traceparent",
                "W3C trace context, carried with the events; one that is not sound is replaced.",
                json!({"type": "string"}),
            ),
        ),
        (
            "content_encoding",
            in_header(
                "Content-Encoding",
                "How the body is encoded, once. The limit of 2 MB holds for the encoded and for the decoded body.",
                json!({"type": "string", "enum": encodings}),
            ),
        ),
        (
            "if_none_match",
            in_header("If-None-Match", "The `ETag` of the document that is here already.", json!({"type": "string"})),
        ),
    ];
    all.into_iter().map(|(name, parameter)| (name.to_owned(), parameter)).collect()
}

/// The attributes of a CloudEvent in binary mode.
fn cloud_headers() -> Vec<Value> {
    let about = "A CloudEvent's attribute in binary mode: with it the body is the event's `data`. Percent-encoded where it is not plain ASCII.";
    let (headers, _) = examples::binary();
    headers
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| in_header(name, about, json!({"type": "string"})))
        .collect()
}

fn in_query(name: &str, about: &str, rule: Value, example: &Value) -> Value {
    let mut parameter = json!({"name": name, "in": "query", "description": about, "schema": rule});
    if !example.is_null() {
        parameter["example"] = example.clone();
    }
    parameter
}

fn in_header(name: &str, about: &str, rule: Value) -> Value {
    json!({"name": name, "in": "header", "description": about, "schema": rule})
}

fn in_path(name: &str, about: &str, rule: Value, example: &Value) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": about, "schema": rule, "example": example})
}
