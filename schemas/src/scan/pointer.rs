//! JSON pointers (RFC 6901) to where a scanner stands.

use super::string::Span;
use crate::field_error::MAX_POINTER;

/// The member or element of an object or array.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Name(Span),
    Index(usize),
}

/// The pointer of these steps in `text`; of a long one more than is ever told, but not all.
pub(super) fn of(steps: &[Step], text: &str) -> String {
    let mut pointer = String::new();
    for step in steps {
        pointer.push('/');
        match step {
            Step::Index(index) => pointer.push_str(&index.to_string()),
            Step::Name(name) => {
                let name = name.content(text);
                for character in name.chars().take(MAX_POINTER) {
                    match character {
                        '~' => pointer.push_str("~0"),
                        '/' => pointer.push_str("~1"),
                        other => pointer.push(other),
                    }
                }
            }
        }
    }
    pointer
}
