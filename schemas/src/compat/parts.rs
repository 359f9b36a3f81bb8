//! What an object or an array holds: members, their names, elements.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Finding;
use super::facts::{Facts, Part, additional, escaped, member};
use super::side::has_references;
use super::types::Types;
use super::walk::{Walk, breaking, refused};

impl<'a> Walk<'a> {
    /// A step into the value.
    fn within(&mut self, old: &Facts<'a>, new: &'a Value, at: &str) -> Vec<Finding> {
        self.level += 1;
        let findings = self.follows(old, new, at);
        self.level -= 1;
        findings
    }

    pub(super) fn members(&mut self, old: &Facts<'a>, new: &'a Map<String, Value>, at: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !old.types.has(Types::OBJECT) {
            return findings;
        }
        let mut names: BTreeSet<&str> = old.named();
        names.extend(
            new.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str),
        );
        for name in names {
            let taken = old.member(name);
            for (schema, keyword) in member(new, name) {
                let here = format!("{at}{keyword}");
                if *schema == Value::Bool(false) && !taken.is_never() {
                    findings.extend(breaking(&here, format!("the member `{name}` is not taken any more")));
                } else {
                    findings.extend(self.within(&taken, schema, &here));
                }
            }
        }
        let patterns = new.get("patternProperties").and_then(Value::as_object);
        for (pattern, schema) in patterns.into_iter().flatten() {
            let here = format!("{at}/patternProperties/{}", escaped(pattern));
            findings.extend(self.others(old, new, Some(pattern), schema, &here));
        }
        if let Some(schema) = additional(new) {
            let keyword = if new.contains_key("additionalProperties") { "additional" } else { "unevaluated" };
            findings.extend(self.others(old, new, None, schema, &format!("{at}/{keyword}Properties")));
        }
        findings
    }

    /// Members that `properties` names nowhere: those of a pattern, or, without one, of no pattern.
    fn others(
        &mut self,
        old: &Facts<'a>,
        new: Part<'a>,
        pattern: Option<&str>,
        schema: &'a Value,
        at: &str,
    ) -> Vec<Finding> {
        let mut told = None;
        for part in &old.parts {
            let patterns = part.get("patternProperties").and_then(Value::as_object);
            let mut known: Vec<Option<&'a Value>> = Vec::new();
            if let Some(same) = pattern.and_then(|pattern| patterns?.get(pattern)) {
                known.push(Some(same));
            } else {
                known.push(additional(part));
                // A name of a pattern that both have is none of the others.
                let has = |name: &str| new.get("patternProperties").is_some_and(|names| names.get(name).is_some());
                let apart = patterns.into_iter().flatten().filter(|(name, _)| pattern.is_some() || !has(name));
                known.extend(apart.map(|(_, schema)| Some(schema)));
            }
            let mut findings = Vec::new();
            for known in known {
                let taken = Facts::of(old.side, known, Types::ALL);
                findings.extend(self.within(&taken, schema, at));
            }
            if findings.is_empty() {
                return findings;
            }
            told.get_or_insert(findings);
        }
        told.unwrap_or_else(|| {
            let anything = Facts::of(old.side, [], Types::ALL);
            self.within(&anything, schema, at)
        })
    }

    pub(super) fn names(&mut self, old: &Facts<'a>, new: &'a Value, at: &str) -> Vec<Finding> {
        if !old.types.has(Types::OBJECT) {
            return Vec::new();
        }
        if let Some(names) = old.closed()
            && !has_references(new)
        {
            let names: Vec<_> = names.into_iter().map(Value::from).collect();
            return refused(&names, new, at);
        }
        let taken = Facts::of(old.side, old.all("propertyNames"), Types::STRING);
        self.within(&taken, new, at)
    }

    pub(super) fn dependent_schemas(&mut self, old: &Facts<'a>, value: &'a Value, at: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !old.types.has(Types::OBJECT) {
            return findings;
        }
        for (name, schema) in value.as_object().into_iter().flatten() {
            if old.member(name).is_never() {
                continue;
            }
            let known: Vec<_> = old.all("dependentSchemas").filter_map(|known| known.get(name)).collect();
            let taken = known.into_iter().fold(old.only(Types::OBJECT), |taken, known| taken.and(known));
            findings.extend(self.follows(&taken, schema, &format!("{at}/{}", escaped(name))));
        }
        findings
    }

    pub(super) fn elements(&mut self, old: &Facts<'a>, new: &'a Map<String, Value>, at: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !old.types.has(Types::ARRAY) {
            return findings;
        }
        let prefix = |part: Part<'a>| part.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
        let places = old.parts.iter().map(|part| prefix(part)).chain([prefix(new)]).max().unwrap_or(0);
        let most = old.at_most("maxItems").map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        let items = new.get("items");
        for place in (0..places).take_while(|place| most.is_none_or(|most| *place < most)) {
            let taken = old.element(Some(place));
            let named = new.get("prefixItems").and_then(|prefix| prefix.get(place));
            let here = if named.is_some() { format!("{at}/prefixItems/{place}") } else { format!("{at}/items") };
            if let Some(schema) = named.or(items) {
                findings.extend(self.within(&taken, schema, &here));
            }
            if taken.is_never() {
                // Nor can there be any element behind it.
                return findings;
            }
        }
        if let Some(schema) = items
            && most.is_none_or(|most| places < most)
        {
            let taken = old.element(None);
            findings.extend(self.within(&taken, schema, &format!("{at}/items")));
        }
        findings
    }
}
