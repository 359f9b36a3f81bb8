//! One of the two documents: references in it, and what of it says nothing about what is taken.

use serde_json::{Map, Value};

/// Keywords that no judgement hangs on, as long as there are no references.
const ANNOTATIONS: [&str; 14] = [
    "$schema",
    "$comment",
    "$id",
    "$anchor",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "version",
    "definitions",
];

/// A document.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub(super) root: &'a Value,
    /// Whether a pointer in a reference means this document: no part of it has an address of its own.
    plain: bool,
}

impl<'a> Side<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        let below = |value: &Value| any(value, &|members| members.get("$id").is_some_and(Value::is_string));
        let plain = match root {
            Value::Object(members) => !members.values().any(below),
            _ => true,
        };
        Self { root, plain }
    }

    /// Where a reference leads; none where that is not plain.
    pub(super) fn target(&self, reference: &str) -> Option<&'a Value> {
        let pointer = reference.strip_prefix('#')?;
        if !self.plain || pointer.contains('%') {
            return None;
        }
        self.root.pointer(pointer)
    }
}

/// Whether a schema leads to others, or out of its place.
pub(super) fn has_references(value: &Value) -> bool {
    any(value, &|members| ["$ref", "$dynamicRef", "$recursiveRef"].iter().any(|name| members.contains_key(*name)))
}

/// Whether two schemas say the same and lead to no others.
pub(super) fn same(left: &Map<String, Value>, right: &Map<String, Value>) -> bool {
    let judged = |members: &Map<String, Value>| -> Map<String, Value> {
        members
            .iter()
            .filter(|(name, _)| !is_annotation(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let (left, right) = (judged(left), judged(right));
    left == right && !has_references(&Value::Object(left))
}

/// Whether two documents say the same, references and all.
pub(super) fn same_document(left: &Value, right: &Value) -> bool {
    let judged = |value: &Value| {
        let mut value = value.clone();
        if let Value::Object(members) = &mut value {
            for name in ["title", "description", "version", "$comment"] {
                members.remove(name);
            }
        }
        value
    };
    judged(left) == judged(right)
}

pub(super) fn is_annotation(name: &str) -> bool {
    ANNOTATIONS.contains(&name)
}

fn any(value: &Value, told: &dyn Fn(&Map<String, Value>) -> bool) -> bool {
    match value {
        Value::Object(members) => told(members) || members.values().any(|value| any(value, told)),
        Value::Array(elements) => elements.iter().any(|value| any(value, told)),
        _ => false,
    }
}
