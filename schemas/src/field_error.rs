//! What is wrong with a field: where, which rule, and a sentence.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Most characters of a pointer: the names in it are the client's, and may be as long as a body.
pub const MAX_POINTER: usize = 256;

/// One fault of one field, as clients and the quarantine see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) from the event's root, such as `/data/outcome`. Of one that is longer than
    /// [`MAX_POINTER`] the beginning, and `…`.
    pub pointer: String,
    /// The rule that it breaks, such as `enum`, `required`, `type`, `format`, `range`.
    pub code: Cow<'static, str>,
    /// What to do, in one sentence.
    pub message: String,
}

impl FieldError {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { pointer: cut(pointer.into()), code: code.into(), message: message.into() }
    }
}

fn cut(mut pointer: String) -> String {
    let mut places = pointer.char_indices().skip(MAX_POINTER - 1);
    let (Some((end, _)), Some(_)) = (places.next(), places.next()) else { return pointer };
    // Behind a `~` stands the other half of an escape.
    let end = if pointer[..end].ends_with('~') { end - 1 } else { end };
    pointer.truncate(end);
    pointer.push('…');
    pointer
}
