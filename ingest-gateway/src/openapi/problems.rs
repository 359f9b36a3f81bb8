//! Problems by status: the codes that each may carry, with an example of every code.

use std::collections::BTreeMap;

use schemas::{FieldCode, FieldError};
use serde_json::{Value, json};

use super::{Object, examples, schema};
use crate::answer::{Answer, EventCode, Outcome, Status};
use crate::http::calls::Call;
use crate::problem::{Code, Problem};

/// Codes by status.
type ByStatus = BTreeMap<u16, Vec<Code>>;

/// A call's codes, by status.
pub(super) fn of(call: Call) -> ByStatus {
    by_status(call.codes())
}

fn by_status(codes: impl IntoIterator<Item = Code>) -> ByStatus {
    let mut statuses = ByStatus::new();
    for code in codes {
        statuses.entry(code.status().as_u16()).or_default().push(code);
    }
    statuses
}

/// Whether a problem of that status may tell what became of each event.
fn may_judge(status: u16) -> bool {
    [Code::Forbidden, Code::ValidationFailed].iter().any(|code| code.status().as_u16() == status)
}

/// What the schema of a status's problems is called.
fn name(status: u16) -> String {
    format!("problem.{status}")
}

/// Adds a schema for the problems of every status. Those of the answer's types must be there.
pub(super) fn schemas(schemas: &mut Object) {
    let answer = schemas.get("Answer").cloned().unwrap_or_default();
    for (status, codes) in by_status(Code::ALL.iter().copied()) {
        let words: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
        let told: Vec<_> = codes.iter().map(|code| code.cause()).collect();
        let mends: Vec<_> = codes.iter().map(|code| code.mend()).collect();
        let mut own = json!({
            "type": "object",
            "properties": {
                "status": {"type": "integer", "const": status},
                "code": {"type": "string", "enum": words, "x-enum-descriptions": told, "x-enum-mends": mends},
            },
        });
        if may_judge(status) {
            for (name, rule) in answer["properties"].as_object().into_iter().flatten() {
                own["properties"][name] = rule.clone();
            }
        }
        if status == Code::ValidationFailed.status().as_u16() {
            own["required"] = answer["required"].clone();
        }
        schemas.insert(name(status), json!({"allOf": [schema("Problem"), own]}));
    }
}

/// The content of a call's response of that status.
pub(super) fn content(call: Call, status: u16, codes: &[Code]) -> Value {
    let mut told = Object::new();
    for code in codes {
        let problem = example(call, *code).to_json(examples::REQUEST_ID);
        let value: Value = serde_json::from_slice(&problem).unwrap_or_default();
        told.insert(code.as_str().to_owned(), json!({"summary": code.cause(), "value": value}));
    }
    json!({"application/problem+json": {"schema": schema(&name(status)), "examples": told}})
}

fn example(call: Call, code: Code) -> Problem {
    match code {
        Code::MalformedBody if call == Call::Batch => {
            Problem::field("/events", FieldCode::Required, "must be an array of 1 to 1000 events")
        }
        Code::MalformedBody => Problem::field("", FieldCode::Type, "an event is a JSON object"),
        Code::ValidationFailed => refused(),
        _ => Problem::new(code, code.cause()),
    }
}

/// A request none of whose events went through.
fn refused() -> Problem {
    let outcome = Outcome {
        index: 0,
        event_id: schemas::parse::uuid(examples::EVENT_ID),
        status: Status::Rejected,
        code: Some(EventCode::InvalidField),
        errors: vec![FieldError::new("/data/outcome", FieldCode::Enum, "must be one of success, failure, partial")],
    };
    let answer = Answer::new(examples::REQUEST_ID.into(), examples::received_at(), vec![outcome], false);
    // None of its events went through: that is a problem.
    answer.judged().err().unwrap_or_else(Problem::internal)
}
