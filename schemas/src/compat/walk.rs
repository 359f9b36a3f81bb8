//! The walk over the new schema: each of its keywords must follow from what is known of the old one.

use serde_json::{Map, Value};

use super::facts::{Facts, stands_alone};
use super::side::{Side, has_references, same};
use super::types::Types;
use super::{Finding, Kind, scalar};
use crate::registry::validator;

/// So many schemas are compared at most: branches within branches can have many ways.
const MOST: usize = 20_000;
/// So deep at most.
const DEEPEST: usize = 64;

/// Where a walk stands.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) new: &'a Side<'a>,
    compared: usize,
    /// How many steps into members and elements.
    pub(super) level: usize,
    /// Comparisons under way, with their levels.
    open: Vec<(Question, usize)>,
}

/// Which old parts and types against which new schema.
type Question = (Vec<usize>, Types, usize);

impl<'a> Walk<'a> {
    pub(super) fn new(new: &'a Side<'a>) -> Self {
        Self { new, compared: 0, level: 0, open: Vec::new() }
    }

    /// What in the schema `new` does not follow from what is known; nothing where it takes all of it.
    pub(super) fn follows(&mut self, old: &Facts<'a>, new: &'a Value, at: &str) -> Vec<Finding> {
        let members = match new {
            _ if old.is_never() => return Vec::new(),
            Value::Bool(true) => return Vec::new(),
            Value::Object(members) => members,
            _ => return breaking(at, "nothing is taken here any more"),
        };
        if old.parts.iter().any(|part| same(part, members)) {
            return Vec::new();
        }
        self.compared += 1;
        if self.compared > MOST || self.open.len() > DEEPEST {
            return unknown(at, "there are too many branches to follow");
        }
        if let Some(values) = old.values()
            && !has_references(new)
        {
            return refused(&values, new, at);
        }
        let mut parts: Vec<_> = old.parts.iter().map(|part| std::ptr::from_ref(*part) as usize).collect();
        parts.sort_unstable();
        let question = (parts, old.types, std::ptr::from_ref(new) as usize);
        if let Some((_, level)) = self.open.iter().rfind(|(open, _)| *open == question) {
            // The same question about a part of the value: if it has an answer, this is it.
            return if *level < self.level { Vec::new() } else { unknown(at, "it refers to itself") };
        }
        self.open.push((question, self.level));
        let mut findings = Vec::new();
        for (keyword, value) in members {
            findings.extend(self.keyword(old, members, keyword, value, at));
        }
        if !findings.is_empty()
            && let Some(less) = self.by_branch(old, new, at)
        {
            findings = less;
        }
        self.open.pop();
        findings
    }

    fn keyword(
        &mut self,
        old: &Facts<'a>,
        new: &'a Map<String, Value>,
        keyword: &str,
        value: &'a Value,
        at: &str,
    ) -> Vec<Finding> {
        let here = format!("{at}/{keyword}");
        let is_first = |names: &[&str]| names.iter().find(|name| new.contains_key(**name)) == Some(&keyword);
        match keyword {
            "properties" | "patternProperties" | "additionalProperties"
                if is_first(&["properties", "patternProperties", "additionalProperties"]) =>
            {
                self.members(old, new, at)
            }
            "unevaluatedProperties" if stands_alone(new) && !new.contains_key("additionalProperties") => {
                if is_first(&["properties", "patternProperties", "unevaluatedProperties"]) {
                    self.members(old, new, at)
                } else {
                    Vec::new()
                }
            }
            "propertyNames" => self.names(old, value, &here),
            "dependentRequired" => dependent_required(old, value, &here),
            "dependentSchemas" => self.dependent_schemas(old, value, &here),
            "prefixItems" | "items" if is_first(&["prefixItems", "items"]) => self.elements(old, new, at),
            // Judged with the first of them.
            "properties" | "patternProperties" | "additionalProperties" | "prefixItems" | "items" => Vec::new(),
            "allOf" => self.all_of(old, value, &here),
            "anyOf" => self.any_of(old, value, &here),
            "oneOf" => self.one_of(old, value, &here),
            "not" => self.not(old, value, &here),
            "if" => self.condition(old, new, at),
            "$ref" => self.reference(old, value, &here),
            "unevaluatedProperties" | "unevaluatedItems" if *value == Value::Bool(true) => Vec::new(),
            "unevaluatedProperties"
            | "unevaluatedItems"
            | "$dynamicRef"
            | "$recursiveRef"
            | "dependencies"
            | "additionalItems" => unknown(&here, "this keyword is judged only where nothing beside it has changed"),
            _ => scalar::keyword(old, new, keyword, value, &here),
        }
    }

    fn reference(&mut self, old: &Facts<'a>, value: &'a Value, here: &str) -> Vec<Finding> {
        let target = value.as_str().and_then(|reference| Some((reference, self.new.target(reference)?)));
        match target {
            Some((reference, target)) => self.follows(old, target, reference.trim_start_matches('#')),
            None => unknown(here, "only references such as #/$defs/name are followed"),
        }
    }
}

fn dependent_required(old: &Facts<'_>, value: &Value, here: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !old.types.has(Types::OBJECT) {
        return findings;
    }
    for (name, asked) in value.as_object().into_iter().flatten() {
        let known = |asked: &&str| {
            let also = |value: &Value| {
                let names = value.get(name).and_then(Value::as_array);
                names.is_some_and(|names| names.iter().any(|name| name == asked))
            };
            old.required().contains(asked) || old.all("dependentRequired").any(also) || name == asked
        };
        if old.member(name).is_never() {
            continue;
        }
        for asked in asked.as_array().into_iter().flatten().filter_map(Value::as_str).filter(|asked| !known(asked)) {
            findings.extend(breaking(here, format!("`{asked}` is required now where there is `{name}`")));
        }
    }
    findings
}

/// Which of the values that the old schema listed the new one refuses.
pub(super) fn refused(values: &[Value], new: &Value, at: &str) -> Vec<Finding> {
    let Ok(judge) = validator(new) else { return unknown(at, "it can't be judged for itself") };
    let refused = values.iter().filter(|value| !judge.is_valid(value)).map(Value::to_string).collect::<Vec<_>>();
    if refused.is_empty() {
        return Vec::new();
    }
    breaking(at, format!("is not taken any more: {}", refused.join(", ").chars().take(200).collect::<String>()))
}

pub(super) fn breaking(at: &str, why: impl Into<String>) -> Vec<Finding> {
    vec![Finding { pointer: at.to_owned(), kind: Kind::Breaking, why: why.into() }]
}

pub(super) fn unknown(at: &str, why: impl Into<String>) -> Vec<Finding> {
    vec![Finding { pointer: at.to_owned(), kind: Kind::Unknown, why: why.into() }]
}
