//! What is wrong with a field: where, which rule, and a sentence.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One fault of one field, as clients and the quarantine see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) from the event's root, such as `/data/outcome`.
    pub pointer: String,
    /// The rule that it breaks, such as `enum`, `required`, `type`, `format`, `range`.
    pub code: Cow<'static, str>,
    /// What to do, in one sentence.
    pub message: String,
}

impl FieldError {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: Cow::Borrowed(code), message: message.into() }
    }
}
