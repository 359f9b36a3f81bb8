//! Keywords without schemas in them: types, values, bounds, lengths, patterns.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::facts::Facts;
use super::number::{compare, count, whole};
use super::types::Types;
use super::walk::{breaking, refused, unknown};
use super::{Finding, side};

pub(super) fn keyword(
    old: &Facts<'_>,
    new: &Map<String, Value>,
    keyword: &str,
    value: &Value,
    here: &str,
) -> Vec<Finding> {
    let concerns = |types: Types| old.types.has(types);
    let listed = || old.values().map(|values| refused(&values, &json!({ keyword: value }), here));
    match keyword {
        "type" => types(old, Types::named(value), here),
        "enum" | "const" => listed().unwrap_or_else(|| breaking(here, "only the values that are listed are taken now")),
        "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum" if concerns(Types::NUMBER) => {
            listed().unwrap_or_else(|| bound(old, keyword, value, here))
        }
        "multipleOf" if concerns(Types::NUMBER) => listed().unwrap_or_else(|| multiple(old, value, here)),
        "minLength" | "maxLength" if concerns(Types::STRING) => {
            listed().unwrap_or_else(|| length(old, keyword, value, here))
        }
        "pattern" | "format" if concerns(Types::STRING) => listed().unwrap_or_else(|| kept(old, keyword, value, here)),
        "minItems" | "maxItems" if concerns(Types::ARRAY) => length(old, keyword, value, here),
        "uniqueItems" if concerns(Types::ARRAY) && *value == Value::Bool(true) => {
            let few = old.at_most("maxItems").is_some_and(|most| most <= 1);
            if few || old.all(keyword).any(|known| known == value) {
                return Vec::new();
            }
            breaking(here, "the same element twice is not taken any more")
        }
        "contains" if concerns(Types::ARRAY) => contains(old, new, here),
        "required" if concerns(Types::OBJECT) => required(old, value, here),
        "minProperties" | "maxProperties" if concerns(Types::OBJECT) => length(old, keyword, value, here),
        "contentEncoding" | "contentMediaType" | "contentSchema" if concerns(Types::STRING) => {
            kept(old, keyword, value, here)
        }
        _ => Vec::new(),
    }
}

fn types(old: &Facts<'_>, new: Types, here: &str) -> Vec<Finding> {
    let lost = old.types.without(new);
    if lost.is_none() { Vec::new() } else { breaking(here, format!("is not taken any more: {}", lost.words())) }
}

fn bound(old: &Facts<'_>, keyword: &str, value: &Value, here: &str) -> Vec<Finding> {
    let is_lower = keyword.ends_with("inimum");
    let [plain, exclusive] = if is_lower { ["minimum", "exclusiveMinimum"] } else { ["maximum", "exclusiveMaximum"] };
    let inner = if is_lower { Ordering::Greater } else { Ordering::Less };
    // Of whole numbers a bound that is not included is one that includes the next.
    let next = |known: &Value| {
        let step = if is_lower { 1 } else { -1 };
        let is_next = whole(known).zip(whole(value)).is_some_and(|(known, value)| known + step == value);
        is_next && !old.types.has(Types::BROKEN)
    };
    let mut is_known = true;
    let mut follows = |known: &Value, equal_will_do: bool| match compare(known, value) {
        None => {
            is_known = false;
            false
        }
        Some(Ordering::Equal) => equal_will_do,
        Some(ordering) => ordering == inner,
    };
    if old.all(plain).any(|known| follows(known, keyword == plain))
        || old.all(exclusive).any(|known| follows(known, true) || (keyword == plain && next(known)))
    {
        return Vec::new();
    }
    if is_known {
        breaking(here, format!("the bound is tighter now: {value}"))
    } else {
        unknown(here, "the numbers are too large to compare")
    }
}

fn multiple(old: &Facts<'_>, value: &Value, here: &str) -> Vec<Finding> {
    let divides = |known: &Value| {
        known == value || whole(known).zip(whole(value)).is_some_and(|(known, value)| value > 0 && known % value == 0)
    };
    if old.all("multipleOf").any(divides) || (whole(value) == Some(1) && !old.types.has(Types::BROKEN)) {
        return Vec::new();
    }
    if whole(value).is_some() && old.all("multipleOf").all(|known| whole(known).is_some()) {
        return breaking(here, format!("only multiples of {value} are taken now"));
    }
    unknown(here, "fractions are not compared")
}

fn length(old: &Facts<'_>, keyword: &str, value: &Value, here: &str) -> Vec<Finding> {
    let Some(asked) = count(value) else { return unknown(here, "it is no whole number") };
    let is_lower = keyword.starts_with("min");
    let follows =
        if is_lower { old.at_least(keyword) >= asked } else { old.at_most(keyword).is_some_and(|most| most <= asked) };
    if follows { Vec::new() } else { breaking(here, format!("the bound is tighter now: {asked}")) }
}

/// A keyword whose values can only be the same or not.
fn kept(old: &Facts<'_>, keyword: &str, value: &Value, here: &str) -> Vec<Finding> {
    if old.all(keyword).any(|known| known == value) {
        return Vec::new();
    }
    if old.all(keyword).next().is_none() {
        return breaking(here, format!("it is asked for now: {value}"));
    }
    unknown(here, format!("it is another one now, and the two can't be compared: {value}"))
}

fn contains(old: &Facts<'_>, new: &Map<String, Value>, here: &str) -> Vec<Finding> {
    let group = ["contains", "minContains", "maxContains"];
    let same = |part: &&Map<String, Value>| group.iter().all(|name| part.get(*name) == new.get(*name));
    let asks_nothing = new.get("minContains").and_then(count) == Some(0) && !new.contains_key("maxContains");
    let has_references = new.get("contains").is_some_and(side::has_references);
    if asks_nothing || (!has_references && old.parts.iter().any(same)) {
        return Vec::new();
    }
    if old.all("contains").next().is_none() && !new.contains_key("minContains") && old.at_least("minItems") == 0 {
        return breaking(here, "an array without such an element is not taken any more");
    }
    unknown(here, "it is not known that every array that was taken holds such elements")
}

fn required(old: &Facts<'_>, value: &Value, here: &str) -> Vec<Finding> {
    let known = old.required();
    let asked = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    asked
        .filter(|name| !known.contains(name))
        .flat_map(|name| breaking(here, format!("`{name}` is required now")))
        .collect()
}
