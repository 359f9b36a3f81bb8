//! Each call in words, put together with its parameters, body and responses.

use serde_json::{Value, json};

use super::{answers, bodies, parameters};
use crate::http::calls::Call;

const INGEST: &str = "Ingest";
const INTEGRATE: &str = "Integrate";
const OPERATE: &str = "Operate";

/// What is said of a call: its name for programs, its chapter, a title, and how it behaves.
struct Words {
    id: &'static str,
    tag: &'static str,
    title: &'static str,
    about: &'static str,
}

/// The chapters.
pub(super) fn tags() -> Value {
    json!([
        {"name": INGEST, "description": "The calls that bring events. They need the scope `ingest`."},
        {"name": INTEGRATE, "description": "The calls that help to integrate a game."},
        {"name": OPERATE, "description": "Health, and this interface's description."},
    ])
}

/// A call's part of the document.
pub(super) fn operation(call: Call) -> Value {
    let Words { id, tag, title, about } = words(call);
    let mut operation = json!({
        "operationId": id,
        "tags": [tag],
        "summary": title,
        "description": about,
        "security": security(call),
        "parameters": parameters::of(call),
        "responses": answers::of(call),
    });
    if let Some(body) = bodies::of(call) {
        operation["requestBody"] = body;
    }
    if let Some(binary) = bodies::binary(call) {
        operation["x-cloudevent-binary"] = binary;
    }
    operation
}

fn security(call: Call) -> Value {
    match call {
        Call::Event | Call::Batch | Call::Close | Call::WhoAmI | Call::Schemas | Call::Schema => {
            json!([{"bearer": []}, {"apiKey": []}, {"publishableKey": []}])
        }
        Call::OpenApi => json!([{}, {"bearer": []}, {"apiKey": []}, {"publishableKey": []}]),
        Call::Livez | Call::Readyz | Call::Docs => json!([]),
    }
}

fn words(call: Call) -> Words {
    let words = |id, tag, title, about| Words { id, tag, title, about };
    match call {
        Call::Event => words(
            "sendEvent",
            INGEST,
            "Send one event",
            "Answered when the log has it. What is said once for a batch goes into the query: `sent_at`, `app_version`, `game_id`.",
        ),
        Call::Batch => words(
            "sendBatch",
            INGEST,
            "Send many events",
            "Each event is judged for itself and answered for in `results`, in the batch's order. With `dry_run=true` the \
             events are judged and nothing is kept.",
        ),
        Call::Close => words(
            "closeSession",
            INGEST,
            "Close a session",
            "Writes `session.closed` under an id that is made from the session's, so that a session closes once however \
             often this is sent; repeated by any body it is a duplicate, never a conflict.",
        ),
        Call::WhoAmI => words(
            "whoAmI",
            INTEGRATE,
            "Ask what a credential may do",
            "Tenant, games, scopes, limits and rates: the first call of an integration.",
        ),
        Call::Schemas => words(
            "listSchemas",
            INTEGRATE,
            "List the event types",
            "The JSON Schemas in force: of what surrounds every event, and of each type's `data`, a studio's own included.",
        ),
        Call::Schema => words(
            "getSchema",
            INTEGRATE,
            "Get one event type's schema",
            "The JSON Schema (2020-12) of the type's `data`.",
        ),
        Call::Livez => words("isAlive", OPERATE, "Ask whether the process lives", "For whoever restarts it."),
        Call::Readyz => words("isReady", OPERATE, "Ask whether it takes events", "For whoever balances the load."),
        Call::OpenApi => words(
            "getOpenApi",
            OPERATE,
            "Get this document",
            "With a credential a studio's own event types are in it; without one, the catalogue's alone.",
        ),
        Call::Docs => words("readDocs", OPERATE, "Read it as a page", "Needs no network beside this gateway."),
    }
}
