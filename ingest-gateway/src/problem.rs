//! Whole-request failures, as RFC 9457 writes them. Pure.

use schemars::JsonSchema;
use schemas::{FieldCode, FieldError};
use serde::Serialize;

use crate::answer::Answer;

mod code;

pub use code::Code;

/// A failure of a request as a whole.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Why.
    pub code: Code,
    /// What is wrong and what to do, in words.
    pub detail: String,
    /// The fields that are wrong.
    pub errors: Vec<FieldError>,
    /// After how many seconds the same may be sent again, where that is known better than by its code.
    pub retry_after: Option<u32>,
    /// What became of each event, where events had been judged.
    pub answer: Option<Box<Answer>>,
}

impl Problem {
    /// A failure in words.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after: None, answer: None }
    }

    /// A body of which one field is wrong.
    pub fn field(pointer: &str, code: FieldCode, message: impl Into<String>) -> Self {
        Self::of_field(FieldError::new(pointer, code, message))
    }

    /// A body of which one field is wrong, as whoever read it says.
    pub fn of_field(error: FieldError) -> Self {
        let detail = format!("{}: {}", error.pointer, error.message);
        Self { errors: vec![error], ..Self::new(Code::MalformedBody, detail) }
    }

    /// A failure of our own; the cause goes to the log, never to the client.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "the gateway failed; send the same events again, and tell the operator the request_id",
        )
    }

    /// After how many seconds the same may be sent again; none where that would not help.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after.or_else(|| self.code.retry_after())
    }

    /// The body of its response.
    pub fn to_json(&self, request_id: &str) -> Vec<u8> {
        let status = self.code.status();
        let form = Told {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.code,
            detail: &self.detail,
            errors: &self.errors,
            request_id: self.answer.is_none().then_some(request_id),
            answer: self.answer.as_deref(),
        };
        // Strings, numbers and lists of them: there is nothing that could fail.
        serde_json::to_vec(&form).unwrap_or_default()
    }
}

/// A request failed as a whole (RFC 9457). `type` is left out, which means `about:blank`: the status and `code` say it all.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Told<'a> {
    /// The status in words.
    title: &'a str,
    /// The status.
    status: u16,
    /// Why, for programs.
    code: Code,
    /// What is wrong and what to do, for people.
    detail: &'a str,
    /// What is wrong with which field, where it is known.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// Names the request in every log line.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(flatten)]
    #[schemars(skip)]
    answer: Option<&'a Answer>,
}
