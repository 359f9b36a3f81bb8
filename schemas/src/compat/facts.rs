//! What is known of all that a schema takes: the parts that hold at once, references and `allOf` resolved.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::number;
use super::side::Side;
use super::types::Types;
use crate::registry::validator;

/// A part: the members of one schema object.
pub(super) type Part<'a> = &'a Map<String, Value>;

/// What is known of the values that a schema takes.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    pub(super) side: &'a Side<'a>,
    /// Each of them holds.
    pub(super) parts: Vec<Part<'a>>,
    /// What the values may be.
    pub(super) types: Types,
    /// Lists of branches of which one has been added.
    chosen: Vec<&'a Value>,
}

impl<'a> Facts<'a> {
    /// Of what every one of these schemas takes.
    pub(super) fn of(side: &'a Side<'a>, schemas: impl IntoIterator<Item = &'a Value>, types: Types) -> Self {
        let mut facts = Self { side, parts: Vec::new(), types, chosen: Vec::new() };
        for schema in schemas {
            facts.add(schema);
        }
        facts
    }

    /// The same, where another schema takes the values, too.
    pub(super) fn and(&self, schema: &'a Value) -> Self {
        let mut facts = self.clone();
        facts.add(schema);
        facts
    }

    /// The same, of some types only.
    pub(super) fn only(&self, types: Types) -> Self {
        Self { types: self.types.and(types), ..self.clone() }
    }

    /// The same, once for each branch of an `anyOf` or `oneOf` that has not been looked into; none where there is none.
    pub(super) fn branches(&self) -> Option<Vec<Self>> {
        let fresh = |list: &&Value| !self.chosen.iter().any(|chosen| std::ptr::eq(*chosen, *list));
        let list = self.all("anyOf").chain(self.all("oneOf")).find(fresh)?;
        let with = |branch| {
            let mut facts = self.and(branch);
            facts.chosen.push(list);
            facts
        };
        Some(list.as_array()?.iter().map(with).collect())
    }

    fn add(&mut self, schema: &'a Value) {
        let part = match schema {
            Value::Bool(false) => {
                self.types = self.types.without(Types::ALL);
                return;
            }
            Value::Object(part) if !self.parts.iter().any(|known| std::ptr::eq(*known, part)) => part,
            _ => return,
        };
        self.parts.push(part);
        if let Some(named) = part.get("type") {
            self.types = self.types.and(Types::named(named));
        }
        if let Some(Value::Array(values)) = part.get("enum") {
            self.types = self.types.and(values.iter().map(Types::of).fold(Types::NULL.without(Types::NULL), Types::or));
        }
        if let Some(value) = part.get("const") {
            self.types = self.types.and(Types::of(value));
        }
        if let Some(Value::String(reference)) = part.get("$ref")
            && let Some(target) = self.side.target(reference)
        {
            self.add(target);
        }
        if let Some(Value::Array(branches)) = part.get("allOf") {
            for branch in branches {
                self.add(branch);
            }
        }
    }

    /// Whether nothing is taken at all.
    pub(super) fn is_never(&self) -> bool {
        self.types.is_none()
    }

    /// The values of a keyword.
    pub(super) fn all(&self, keyword: &str) -> impl Iterator<Item = &'a Value> {
        self.parts.iter().filter_map(move |part| part.get(keyword))
    }

    /// The values that it takes are among these; none where they can't be listed.
    pub(super) fn values(&self) -> Option<Vec<Value>> {
        let listed = self.parts.iter().find_map(|part| match (part.get("const"), part.get("enum")) {
            (Some(value), _) => Some(vec![value.clone()]),
            (None, Some(Value::Array(values))) => Some(values.clone()),
            _ => None,
        });
        let few = || {
            let all = [Value::Null, Value::Bool(false), Value::Bool(true)];
            self.types.within(Types::NULL.or(Types::BOOLEAN)).then(|| all.to_vec())
        };
        let mut values = listed.or_else(few)?;
        values.retain(|value| Types::of(value).within(self.types));
        Some(values)
    }

    /// The highest lower bound of that name.
    pub(super) fn at_least(&self, keyword: &str) -> u64 {
        let known = self.all(keyword).filter_map(number::count).max().unwrap_or(0);
        if keyword == "minProperties" { known.max(self.required().len() as u64) } else { known }
    }

    /// The lowest upper bound of that name.
    pub(super) fn at_most(&self, keyword: &str) -> Option<u64> {
        let closed = self.closed().filter(|_| keyword == "maxProperties").map(|names| names.len() as u64);
        self.all(keyword).filter_map(number::count).chain(closed).min()
    }

    /// Names that every object has.
    pub(super) fn required(&self) -> BTreeSet<&'a str> {
        self.all("required").filter_map(Value::as_array).flatten().filter_map(Value::as_str).collect()
    }

    /// Names that its parts speak of.
    pub(super) fn named(&self) -> BTreeSet<&'a str> {
        self.all("properties").filter_map(Value::as_object).flat_map(Map::keys).map(String::as_str).collect()
    }

    /// All the names that an object can have; none where they can't be listed.
    pub(super) fn closed(&self) -> Option<BTreeSet<&'a str>> {
        let is_closed = |part: &&Part<'_>| {
            let patterns = part.get("patternProperties").and_then(Value::as_object);
            additional(part) == Some(&Value::Bool(false)) && patterns.is_none_or(Map::is_empty)
        };
        let part = self.parts.iter().find(is_closed)?;
        let names = part.get("properties").and_then(Value::as_object);
        Some(names.into_iter().flat_map(Map::keys).map(String::as_str).collect())
    }

    /// What is known of the member of that name.
    pub(super) fn member(&self, name: &str) -> Self {
        let schemas: Vec<_> = self.parts.iter().flat_map(|part| member(part, name)).map(|(schema, _)| schema).collect();
        Self::of(self.side, schemas, Types::ALL)
    }

    /// What is known of the element of that index, or, without one, of those beyond all `prefixItems`.
    pub(super) fn element(&self, index: Option<usize>) -> Self {
        let at = |part: &Part<'a>| {
            let prefix = part.get("prefixItems").and_then(Value::as_array);
            prefix.zip(index).and_then(|(prefix, index)| prefix.get(index)).or_else(|| part.get("items"))
        };
        Self::of(self.side, self.parts.iter().filter_map(at), Types::ALL)
    }

    /// Whether no value is taken by both; false where that is not known.
    pub(super) fn is_apart(&self, other: &Self, depth: usize) -> bool {
        let types = self.types.and(other.types);
        if types.is_none() {
            return true;
        }
        if let (Some(mine), Some(others)) = (self.values(), other.values()) {
            let equal = |left: &Value| {
                let constant = validator(&serde_json::json!({ "const": left }));
                others.iter().any(|right| constant.as_ref().map_or(true, |constant| constant.is_valid(right)))
            };
            return !mine.iter().any(equal);
        }
        let (mine, others) = (self.required(), other.required());
        depth > 0
            && types == Types::OBJECT
            && mine.intersection(&others).any(|name| self.member(name).is_apart(&other.member(name), depth - 1))
    }
}

/// The schemas that judge a part's member of that name, and the keyword that each stands under.
pub(super) fn member<'a>(part: Part<'a>, name: &str) -> Vec<(&'a Value, String)> {
    let mut found: Vec<(&Value, String)> = Vec::new();
    if let Some(schema) = part.get("properties").and_then(|named| named.get(name)) {
        found.push((schema, format!("/properties/{}", escaped(name))));
    }
    let patterns = part.get("patternProperties").and_then(Value::as_object);
    for (pattern, schema) in patterns.into_iter().flatten() {
        if matches(pattern, name) {
            found.push((schema, format!("/patternProperties/{}", escaped(pattern))));
        }
    }
    if found.is_empty()
        && let Some(schema) = additional(part)
    {
        found.push((schema, "/additionalProperties".to_owned()));
    }
    found
}

/// The schema of the members that are named nowhere. `unevaluatedProperties` is one where nothing beside it
/// could evaluate any.
pub(super) fn additional(part: Part<'_>) -> Option<&Value> {
    part.get("additionalProperties").or_else(|| part.get("unevaluatedProperties").filter(|_| stands_alone(part)))
}

/// Whether a part has no branches of its own.
pub(super) fn stands_alone(part: Part<'_>) -> bool {
    const BRANCHES: [&str; 9] =
        ["$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "if", "dependentSchemas", "not"];
    !BRANCHES.iter().any(|name| part.contains_key(*name))
}

/// A name or a pattern as a pointer holds it.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn matches(pattern: &str, name: &str) -> bool {
    // Of a schema that has been read every pattern compiles.
    validator(&serde_json::json!({ "pattern": pattern })).is_ok_and(|pattern| pattern.is_valid(&name.into()))
}
