//! Branches: `allOf`, `anyOf`, `oneOf`, `not`, `if`.

use serde_json::{Map, Value};

use super::Finding;
use super::facts::Facts;
use super::side::has_references;
use super::types::Types;
use super::walk::{Walk, breaking, unknown};

/// So deep two branches are looked into for what sets them apart.
const APART: usize = 3;

impl<'a> Walk<'a> {
    pub(super) fn all_of(&mut self, old: &Facts<'a>, value: &'a Value, here: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (place, branch) in branches(value).iter().enumerate() {
            findings.extend(self.follows(old, branch, &format!("{here}/{place}")));
        }
        findings
    }

    pub(super) fn any_of(&mut self, old: &Facts<'a>, value: &'a Value, here: &str) -> Vec<Finding> {
        let new = branches(value);
        let [first, rest @ ..] = new else { return unknown(here, "there is no branch") };
        let alone = self.follows(old, first, &format!("{here}/0"));
        if alone.is_empty() || rest.is_empty() {
            return alone;
        }
        if self.takes(old, rest, here) {
            return Vec::new();
        }
        // Each type for itself.
        if old.types.each().all(|types| self.takes(&old.only(types), new, here)) {
            return Vec::new();
        }
        let union = new.iter().map(|branch| Facts::of(self.new, [branch], Types::ALL).types);
        let missing = old.types.without(union.fold(Types::NULL.without(Types::NULL), Types::or));
        if !missing.is_none() {
            return breaking(here, format!("no branch takes: {}", missing.words()));
        }
        unknown(here, "it is not known that the branches together take all that was taken")
    }

    /// Whether one of the branches takes all of it.
    fn takes(&mut self, old: &Facts<'a>, new: &'a [Value], here: &str) -> bool {
        new.iter().any(|branch| self.follows(old, branch, here).is_empty())
    }

    /// What does not follow from each of the old one's branches by itself; none where it has no branches.
    pub(super) fn by_branch(&mut self, old: &Facts<'a>, new: &'a Value, at: &str) -> Option<Vec<Finding>> {
        let mut findings: Vec<Finding> = Vec::new();
        for branch in old.branches()? {
            for finding in self.follows(&branch, new, at) {
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
        Some(findings)
    }

    pub(super) fn one_of(&mut self, old: &Facts<'a>, value: &'a Value, here: &str) -> Vec<Finding> {
        if is_kept(old, "oneOf", value) {
            return Vec::new();
        }
        let new = branches(value);
        let facts: Vec<_> = new.iter().map(|branch| Facts::of(self.new, [branch], Types::ALL)).collect();
        let are_apart = facts
            .iter()
            .enumerate()
            .all(|(place, one)| facts[place + 1..].iter().all(|other| one.is_apart(other, APART)));
        if are_apart {
            return self.any_of(old, value, here);
        }
        let removed = |known: &'a Value| {
            let known = branches(known);
            known.len() > new.len() && new.iter().all(|branch| known.contains(branch))
        };
        if !has_references(value) && old.all("oneOf").any(removed) {
            return breaking(here, "a branch has gone");
        }
        unknown(here, "the branches may overlap: it is not known that exactly one takes each value")
    }

    pub(super) fn not(&mut self, old: &Facts<'a>, value: &'a Value, here: &str) -> Vec<Finding> {
        let refused = Facts::of(self.new, [value], Types::ALL);
        if is_kept(old, "not", value) || old.is_apart(&refused, APART) {
            return Vec::new();
        }
        unknown(here, "it is not known that nothing of what was taken is refused by it")
    }

    pub(super) fn condition(&mut self, old: &Facts<'a>, new: &'a Map<String, Value>, at: &str) -> Vec<Finding> {
        let triple = ["if", "then", "else"];
        let same = |part: &&'a Map<String, Value>| triple.iter().all(|name| part.get(*name) == new.get(*name));
        if !triple.iter().filter_map(|name| new.get(*name)).any(has_references) && old.parts.iter().any(same) {
            return Vec::new();
        }
        for branch in ["then", "else"] {
            if let Some(schema) = new.get(branch) {
                let here = format!("{at}/{branch}");
                if !self.follows(old, schema, &here).is_empty() {
                    return unknown(&here, "it is not known that this follows wherever it is asked for");
                }
            }
        }
        Vec::new()
    }
}

fn branches(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether the old one says the very same.
fn is_kept(old: &Facts<'_>, keyword: &str, value: &Value) -> bool {
    !has_references(value) && old.all(keyword).any(|known| known == value)
}
