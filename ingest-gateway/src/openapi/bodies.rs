//! What a request brings: the media types of each call that brings events, their schemas and examples.

use schemas::envelope;
use serde_json::{Value, json};

use super::events::{CLOUD_EVENT, EVENT};
use super::{Object, examples, schema};
use crate::http::calls::Call;

/// The body that a call takes; none for a call that takes none.
pub(super) fn of(call: Call) -> Option<Value> {
    let (about, content) = match call {
        Call::Event => (
            "One event, at most 32 KB. `text/plain` is taken for JSON from publishable keys only: it is what `sendBeacon` \
             sends. With a header `ce-specversion`, `ce-id` or `ce-type` the JSON is the `data` of a CloudEvent in binary mode.",
            json!({
                "application/json": {"schema": schema(EVENT), "examples": example("An event", &examples::one())},
                "application/cloudevents+json": {
                    "schema": schema(CLOUD_EVENT),
                    "examples": example("A CloudEvent in structured mode", &examples::cloud(examples::CLOUD_ID, 48)),
                },
                "text/plain": {
                    "schema": text_of(EVENT),
                    "examples": example("An event by sendBeacon", &examples::beacon_of_one().into()),
                },
            }),
        ),
        Call::Batch => (
            "1 to 1,000 events, at most 2 MB. Of NDJSON each line is an event; lines of nothing but whitespace do not count. \
             `text/plain` is taken for a JSON batch from publishable keys only: it is what `sendBeacon` sends.",
            json!({
                "application/json": {"schema": schema("Batch"), "examples": example("A batch", &examples::batch())},
                "application/x-ndjson": {"schema": lines(), "examples": example("An event a line", &examples::lines().into())},
                "application/cloudevents-batch+json": {
                    "schema": list_of(CLOUD_EVENT),
                    "examples": example("CloudEvents", &examples::clouds()),
                },
                "application/cloudevents+json": {
                    "schema": schema(CLOUD_EVENT),
                    "examples": example("One CloudEvent", &examples::cloud("0198c0de-6d04-7b10-8d04-0a1b2c3d4e5f", 53)),
                },
                "text/plain": {
                    "schema": text_of("Batch"),
                    "examples": example("A batch by sendBeacon", &examples::beacon().into()),
                },
            }),
        ),
        Call::Close => (
            "Who ends the session, and why.",
            json!({
                "application/json": {"schema": schema("Close"), "examples": example("A finished session", &examples::close())},
                "text/plain": {
                    "schema": text_of("Close"),
                    "examples": example("A finished session, by sendBeacon", &examples::close().to_string().into()),
                },
            }),
        ),
        Call::WhoAmI | Call::Schemas | Call::Schema | Call::Livez | Call::Readyz | Call::OpenApi | Call::Docs => {
            return None;
        }
    };
    Some(json!({"required": true, "description": about, "content": content}))
}

/// The form in which a call takes a CloudEvent in binary mode.
pub(super) fn binary(call: Call) -> Option<Value> {
    let (headers, value) = examples::binary();
    (call == Call::Event).then(|| json!({"summary": "A CloudEvent in binary mode", "headers": headers, "value": value}))
}

fn example(summary: &str, value: &Value) -> Value {
    json!({"example": {"summary": summary, "value": value}})
}

fn list_of(name: &str) -> Value {
    json!({"type": "array", "minItems": 1, "maxItems": envelope::MAX_EVENTS, "items": schema(name)})
}

fn text_of(name: &str) -> Value {
    json!({"type": "string", "contentMediaType": "application/json", "contentSchema": schema(name)})
}

fn lines() -> Value {
    json!({
        "type": "string",
        "contentMediaType": "application/x-ndjson",
        "description": "JSON values with LF or CRLF between them, each an event.",
        "x-item-schema": schema(EVENT),
    })
}

/// Adds the schemas of the bodies around events.
pub(super) fn schemas(schemas: &mut Object) {
    let uuid = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";
    let time = |about: &str| json!({"description": about, "type": ["string", "null"], "format": "date-time"});
    let batch = json!({
        "title": "A batch",
        "type": "object",
        "required": ["events"],
        "properties": {
            "batch_id": {
                "description": "The client's name for it; judged and not kept.",
                "type": ["string", "null"],
                "pattern": uuid,
                "not": {"enum": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]},
            },
            "sent_at": time("The client's clock when it sent the batch."),
            "app_version": {
                "description": "The client's version.",
                "type": ["string", "null"],
                "maxLength": envelope::MAX_APP_VERSION,
            },
            "game_id": {
                "description": "Which game; needed where the credential is for several.",
                "type": ["string", "null"],
                "pattern": "^[A-Za-z0-9._-]{1,64}$",
            },
            "events": list_of(EVENT),
        },
    });
    let close = json!({
        "title": "The end of a session",
        "type": "object",
        "required": ["player_id", "reason"],
        "properties": {
            "player_id": schema("player_id"),
            "reason": {"$ref": "#/components/schemas/data.session.closed/properties/reason"},
            "seq": schema("seq"),
            "timestamp": time("When it ended; left out, the gateway's own time counts."),
            "sent_at": time("The client's clock when it sent the call."),
        },
    });
    schemas.insert("Batch".into(), batch);
    schemas.insert("Close".into(), close);
}
