//! This interface as OpenAPI 3.1 tells it: made of the table of calls, the codes, the types of the answers and the
//! schemas that events are judged by. Pure.

use schemas::Tenant;
use serde_json::{Map, Value, json};

use crate::http::calls::Call;
use crate::types::Types;

mod answers;
mod bodies;
mod events;
mod examples;
mod operations;
mod parameters;
mod problems;
mod shapes;

/// A JSON object under construction.
type Object = Map<String, Value>;

const ABOUT: &str = "Takes play events over HTTP, judges each one, and answers when the log has it.\n\n\
     A 202 is sent after the log has acknowledged every accepted event on all in-sync replicas: what a client was told \
     is kept, is kept. The same `event_id` with the same body counts once, however often it is sent; so after a 408, 429, \
     500 or 503, or without any answer, the same is sent again.\n\n\
     One bad event never takes the others of its batch with it. Failures of a request as a whole are problems \
     (RFC 9457) whose `code` is for programs and whose `detail` is for people.";

/// The whole document, with the catalogue's event types and, for a tenant, its own.
pub fn document(types: &Types, tenant: Option<&Tenant>) -> Value {
    let events = events::Events::of(types, tenant);
    let mut schemas = shapes::of_answers();
    problems::schemas(&mut schemas);
    bodies::schemas(&mut schemas);
    events.schemas(&mut schemas);
    let mut paths = Object::new();
    for (place, call) in Call::ALL.into_iter().enumerate() {
        let method = call.method().as_str().to_ascii_lowercase();
        let path = paths.entry(call.path()).or_insert_with(|| json!({}));
        path[method.as_str()] = operations::operation(call);
        // A JSON object has no order, and a reader wants one.
        path[method.as_str()]["x-order"] = place.into();
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Playledger ingest gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": operations::tags(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": answers::headers(),
            "parameters": parameters::shared(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key `pl_<public id>_<secret>`, or a JSON Web Token of an issuer that the \
                                    operator has named.",
                },
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
                "publishableKey": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "key",
                    "description": "A publishable key, for pages. Any other key in a query is refused.",
                },
            },
        },
    })
}

/// A reference to a schema of the document.
fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[cfg(test)]
mod tests;
