//! What stands beside a body: parameters of the path and of the query, and headers.

use schemas::{envelope, parse};
use serde_json::{Value, json};

use super::{Object, examples, schema};
use crate::decode::Encoding;
use crate::http::calls::Call;

/// What the query of a call that brings events may say.
const OF_EVENTS: [&str; 5] = ["dry_run", "results", "sent_at", "app_version", "game_id"];

/// A parameter under construction.
struct Parameter(Value);

/// A call's parameters.
pub(super) fn of(call: Call) -> Vec<Value> {
    let shared = |names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")})).collect()
    };
    let mut parameters = match call {
        Call::Event | Call::Batch => shared(&OF_EVENTS),
        Call::Close => {
            let session = Parameter::new("path", "session_id", "The session to close.", &schema("session_id"));
            [vec![session.required().with_example(&examples::session_id()).0], shared(&OF_EVENTS)].concat()
        }
        Call::Schema => {
            let most = parse::MAX_EVENT_TYPE;
            let rule = json!({"type": "string", "pattern": "^[a-z]+(\\.[a-z_]+)+$", "maxLength": most});
            let about = "A type of the catalogue, or one of the studio's own.";
            let event_type = Parameter::new("path", "event_type", about, &rule);
            vec![event_type.required().with_example(&"task.attempted".into()).0]
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
    let named = |name: &str, parameter: Parameter| (name.to_owned(), parameter.0);
    let of_queries = queries().into_iter().map(|(name, parameter)| named(name, parameter));
    let of_headers = headers().into_iter().map(|(name, parameter)| named(name, parameter));
    of_queries.chain(of_headers).collect()
}

fn queries() -> [(&'static str, Parameter); 5] {
    let query = |name, about, rule| (name, Parameter::new("query", name, about, &rule));
    let time =
        "The client's clock when it sent the request, so that a wrong clock is seen through. A body's own counts more.";
    let version = json!({"type": "string", "maxLength": envelope::MAX_APP_VERSION});
    let game = "Which game; needed where the credential is for several. A body's own counts more.";
    let with = |(name, parameter): (_, Parameter), example: Value| (name, parameter.with_example(&example));
    [
        with(query("dry_run", "Judges the events and keeps nothing.", json!({"type": "boolean"})), true.into()),
        with(
            query("results", "`all` names every event in `results`.", json!({"type": "string", "enum": ["all"]})),
            "all".into(),
        ),
        with(
            query("sent_at", time, json!({"type": "string", "format": "date-time"})),
            examples::received_at().to_string().into(),
        ),
        with(query("app_version", "The client's version. A body's own counts more.", version), "1.4.2".into()),
        query("game_id", game, json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})),
    ]
}

fn headers() -> [(&'static str, Parameter); 4] {
    let encodings: Vec<_> = Encoding::NAMES.iter().map(|(name, _)| *name).collect();
    let text = json!({"type": "string"});
    let id =
        "Names the request in the answer and in every log line, if it is 1 to 64 of `A-Za-z0-9._-`; else one is made.";
    let trace = "W3C trace context, carried with the events; one that is not sound is replaced.";
    let encoding = "How the body is encoded, once. The limit of 2 MB holds for the encoded and for the decoded body.";
    let tag = "The `ETag` of the document that is here already.";
    [
        ("request_id", Parameter::new("header", "X-Request-ID", id, &text)),
        ("traceparent", Parameter::new("header", "traceparent", trace, &text)),
        (
            "content_encoding",
            Parameter::new("header", "Content-Encoding", encoding, &json!({"type": "string", "enum": encodings})),
        ),
        ("if_none_match", Parameter::new("header", "If-None-Match", tag, &text)),
    ]
}

/// The attributes of a CloudEvent in binary mode.
fn cloud_headers() -> Vec<Value> {
    let about = "A CloudEvent's attribute in binary mode: with it the body is the event's `data`. Percent-encoded where \
                 it is not plain ASCII.";
    let (headers, _) = examples::binary();
    let header = |name: &String| Parameter::new("header", name, about, &json!({"type": "string"})).0;
    headers.as_object().into_iter().flatten().map(|(name, _)| header(name)).collect()
}

impl Parameter {
    fn new(place: &str, name: &str, about: &str, rule: &Value) -> Self {
        Self(json!({"name": name, "in": place, "description": about, "schema": rule}))
    }

    fn required(mut self) -> Self {
        self.0["required"] = true.into();
        self
    }

    fn with_example(mut self, example: &Value) -> Self {
        self.0["example"] = example.clone();
        self
    }
}
