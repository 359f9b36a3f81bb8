use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::registry::validator;

/// Pointer and kind of each finding.
fn told(old: &Value, new: &Value) -> Vec<(String, Kind)> {
    for schema in [old, new] {
        validator(schema).expect("a sound schema");
    }
    compare(old, new).into_iter().map(|finding| (finding.pointer, finding.kind)).collect()
}

/// The schemas of one member `a`.
fn of(schema: &Value) -> Value {
    json!({"properties": {"a": schema}})
}

#[test]
fn what_is_looser_is_compatible() {
    for (old, new) in [
        (json!({"type": "string"}), json!({})),
        (json!({"type": "string"}), json!({"type": ["string", "null"], "description": "changed"})),
        (json!({"type": "integer"}), json!({"type": "number"})),
        (json!({"enum": ["x", "y"]}), json!({"enum": ["y", "z", "x"]})),
        (json!({"const": 4}), json!({"type": "integer", "minimum": 4, "multipleOf": 2})),
        (json!({"type": "boolean"}), json!({"enum": [true, false]})),
        (json!({"type": "integer", "minimum": 1, "maximum": 9}), json!({"minimum": 0.5, "exclusiveMaximum": 10})),
        (json!({"type": "integer", "exclusiveMinimum": 0}), json!({"minimum": 1})),
        (json!({"multipleOf": 6}), json!({"multipleOf": 3})),
        (json!({"type": "string"}), json!({"minimum": 5, "required": ["x"]})),
        (json!({"minLength": 2, "maxLength": 5, "pattern": "^x"}), json!({"maxLength": 6, "pattern": "^x"})),
        (json!({"type": "array", "items": {"type": "integer"}}), json!({"items": {"type": "number"}})),
        (json!({"prefixItems": [{"type": "string"}], "items": false}), json!({"items": {"type": "string"}})),
        (json!({"required": ["x", "y"]}), json!({"required": ["x"], "minProperties": 2})),
        (
            json!({"properties": {"x": {"type": "string"}}, "additionalProperties": false}),
            json!({"properties": {"x": {"type": "string"}, "y": {"type": "string"}}, "additionalProperties": false}),
        ),
        (json!({"properties": {"x": {}}, "additionalProperties": false}), json!({"propertyNames": {"maxLength": 1}})),
        (
            json!({"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": {"type": "string"}}),
            json!({"additionalProperties": {"type": ["string", "integer"]}}),
        ),
        (json!({"allOf": [{"type": "string"}, {"maxLength": 3}]}), json!({"type": "string", "maxLength": 4})),
        (json!({"type": "string"}), json!({"anyOf": [{"type": "integer"}, {"type": "string"}]})),
        (json!({"type": ["string", "integer"]}), json!({"oneOf": [{"type": "integer"}, {"type": "string"}]})),
        (json!({"anyOf": [{"type": "integer"}, {"const": "x"}]}), json!({"type": ["integer", "string"]})),
        (json!({"type": "string"}), json!({"not": {"type": "integer"}})),
        (json!({"dependentRequired": {"x": ["y", "z"]}}), json!({"dependentRequired": {"x": ["z"]}})),
        (
            json!({"type": "object", "unevaluatedProperties": false, "properties": {"x": {}}}),
            json!({"type": "object", "unevaluatedProperties": false, "properties": {"x": {}, "y": {}}}),
        ),
        (json!(false), json!({"type": "string"})),
    ] {
        assert_eq!(told(&of(&old), &of(&new)), [], "{old} → {new}");
    }
}

#[test]
fn what_is_tighter_is_breaking_where_it_is_so() {
    for (old, new, pointer) in [
        (json!({"type": ["string", "null"]}), json!({"type": "string"}), "/type"),
        (json!({"type": "number"}), json!({"type": "integer"}), "/type"),
        (json!({}), json!({"type": "string"}), "/type"),
        (json!({"enum": ["x", "y"]}), json!({"enum": ["x"]}), ""),
        (json!({"type": "string"}), json!({"enum": ["x"]}), "/enum"),
        (json!({"const": "x"}), json!({"const": "y"}), ""),
        (json!({"type": "string"}), json!({"const": "y"}), "/const"),
        (json!({"type": "integer"}), json!({"minimum": 0}), "/minimum"),
        (json!({"minimum": 0}), json!({"exclusiveMinimum": 0}), "/exclusiveMinimum"),
        (json!({"maximum": 10}), json!({"maximum": 9.5}), "/maximum"),
        (json!({"multipleOf": 2}), json!({"multipleOf": 4}), "/multipleOf"),
        (json!({"minLength": 1}), json!({"minLength": 2}), "/minLength"),
        (json!({"maxLength": 9}), json!({"maxLength": 8}), "/maxLength"),
        (json!({"type": "string"}), json!({"pattern": "^x"}), "/pattern"),
        (json!({"type": "string"}), json!({"format": "date-time"}), "/format"),
        (json!({"type": "array"}), json!({"maxItems": 3}), "/maxItems"),
        (json!({"type": "array"}), json!({"uniqueItems": true}), "/uniqueItems"),
        (json!({"type": "array"}), json!({"contains": {"type": "string"}}), "/contains"),
        (json!({"items": {"type": "string"}}), json!({"items": {"type": "integer"}}), "/items/type"),
        (json!({"type": "object"}), json!({"required": ["x"]}), "/required"),
        (json!({"type": "object"}), json!({"additionalProperties": false}), "/additionalProperties"),
        (
            json!({"properties": {"x": {}, "y": {}}, "additionalProperties": false}),
            json!({"properties": {"x": {}}, "additionalProperties": false}),
            "/additionalProperties",
        ),
        (
            json!({"properties": {"x/y": {"type": "string"}}}),
            json!({"properties": {"x/y": {"type": "null"}}}),
            "/properties/x~1y/type",
        ),
        (json!({"type": "object"}), json!({"propertyNames": {"maxLength": 3}}), "/propertyNames/maxLength"),
        (json!({"type": "object"}), json!({"dependentRequired": {"x": ["y"]}}), "/dependentRequired"),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"oneOf": [{"type": "string"}]}),
            "/oneOf/0/type",
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}),
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            "/anyOf",
        ),
        (json!({"type": "string"}), json!({"allOf": [{"maxLength": 3}]}), "/allOf/0/maxLength"),
        (json!({"type": "string"}), json!(false), ""),
    ] {
        let told = told(&of(&old), &of(&new));
        assert_eq!(told, [(format!("/properties/a{pointer}"), Kind::Breaking)], "{old} → {new}");
    }
}

#[test]
fn what_can_not_be_judged_is_unknown() {
    for (old, new) in [
        (json!({"pattern": "^x"}), json!({"pattern": "^xy?"})),
        (json!({"type": "string"}), json!({"anyOf": [{"maxLength": 5}, {"minLength": 6}]})),
        (json!({"type": "string"}), json!({"oneOf": [{"maxLength": 5}, {"minLength": 6}]})),
        (json!({"type": "string"}), json!({"not": {"const": "x"}})),
        (json!({}), json!({"if": {"type": "string"}, "then": {"maxLength": 3}})),
        (json!({"multipleOf": 0.5}), json!({"multipleOf": 0.25})),
        (json!({"properties": {"x": {}}}), json!({"anyOf": [{}], "unevaluatedProperties": false})),
    ] {
        let told = told(&of(&old), &of(&new));
        assert!(!told.is_empty() && told.iter().all(|(_, kind)| *kind == Kind::Unknown), "{old} → {new}: {told:?}");
    }
}

#[test]
fn references_are_followed_also_to_themselves() {
    let tree = |leaf: &str| {
        json!({"$ref": "#/$defs/node", "$defs": {"node": {"properties": {
            "leaf": {"type": leaf}, "left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"}}}}})
    };
    assert_eq!(told(&tree("integer"), &tree("number")), []);
    assert_eq!(told(&tree("number"), &tree("integer"))[0], ("/$defs/node/properties/leaf/type".into(), Kind::Breaking));
    assert_eq!(
        told(&tree("number"), &json!({"version": 2, "$ref": "#/$defs/node", "$defs": tree("number")["$defs"]})),
        []
    );
    let inner =
        of(&json!({"$id": "https://example.com/inner", "$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}}));
    assert_eq!(told(&of(&json!({"type": "string"})), &inner)[0].1, Kind::Unknown);
}

#[test]
fn the_data_is_an_object_at_the_root() {
    assert_eq!(told(&json!({}), &json!({"type": "object"})), []);
    assert_eq!(told(&json!({"title": "a"}), &json!({"title": "b", "version": 2})), []);
    assert_eq!(told(&json!({}), &json!({"required": ["a"]})), [("/required".into(), Kind::Breaking)]);
}

fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(1.5),
        json!(-1),
        json!(""),
        json!("x"),
        json!("xyz"),
    ])
}

fn instance() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        let object = prop::collection::hash_map(select(vec!["a", "b", "c"]), inner.clone(), 0..3);
        prop_oneof![prop::collection::vec(inner, 0..3).prop_map(Value::from), object.prop_map(|members| json!(members))]
    })
}

fn keyword(inner: BoxedStrategy<Value>) -> BoxedStrategy<(&'static str, Value)> {
    let types = select(vec!["null", "boolean", "integer", "number", "string", "array", "object"]);
    let named =
        |keyword: &'static str, value: BoxedStrategy<Value>| value.prop_map(move |value| (keyword, value)).boxed();
    let number = || select(vec![json!(0), json!(1), json!(1.5), json!(2)]).boxed();
    let count = || (0..3_u32).prop_map(|count| json!(count)).boxed();
    let some = || prop::collection::hash_set(select(vec!["a", "b"]), 0..2).prop_map(|names| json!(names)).boxed();
    let members = |inner: BoxedStrategy<Value>, names: Vec<&'static str>| {
        prop::collection::hash_map(select(names), inner, 1..3).prop_map(|members| json!(members)).boxed()
    };
    let list = || prop::collection::vec(inner.clone(), 1..3).prop_map(Value::from).boxed();
    let values = prop::collection::hash_set(scalar().prop_map(|value| value.to_string()), 1..4)
        .prop_map(|values| values.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()).collect());
    let types = prop::collection::hash_set(types, 1..4).prop_map(|types| json!(types)).boxed();
    let mut all = vec![
        named("type", types.clone()),
        named("type", types),
        named("enum", values.boxed()),
        named("const", scalar().boxed()),
    ];
    for name in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
        all.push(named(name, number()));
    }
    for name in ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"] {
        all.push(named(name, count()));
    }
    for name in ["allOf", "anyOf", "oneOf", "prefixItems"] {
        all.push(named(name, list()));
    }
    for name in [
        "items",
        "contains",
        "additionalProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
        "unevaluatedProperties",
    ] {
        all.push(named(name, inner.clone()));
    }
    all.push(named("required", some()));
    all.push(named("multipleOf", select(vec![json!(1), json!(2), json!(0.5)]).boxed()));
    all.push(named("uniqueItems", any::<bool>().prop_map(Value::from).boxed()));
    all.push(named("pattern", select(vec![json!("^x"), json!("y")]).boxed()));
    all.push(named("properties", members(inner.clone(), vec!["a", "b"])));
    all.push(named("patternProperties", members(inner.clone(), vec!["^a", "[bc]"])));
    all.push(named("dependentSchemas", members(inner, vec!["a", "b"])));
    all.push(named("dependentRequired", some().prop_map(|some| json!({ "a": some })).boxed()));
    prop::strategy::Union::new(all).boxed()
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(true)), Just(json!({})), Just(json!(false)), Just(json!({"$ref": "#/$defs/d"}))];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop::collection::vec(keyword(inner.boxed()), 1..4)
            .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

/// Two schemas that have something to do with each other.
fn pair() -> impl Strategy<Value = (Value, Value)> {
    (schema(), schema(), 0..8, any::<prop::sample::Index>()).prop_map(|(one, other, how, which)| match how {
        0 => (json!({"allOf": [one, other]}), one),
        1 => (one.clone(), json!({"anyOf": [one, other]})),
        2 => (json!({"items": {"allOf": [one, other]}}), json!({"items": one})),
        3 => (json!({"properties": {"a": one, "b": false}}), json!({"properties": {"a": {"anyOf": [other, one]}}})),
        4 => (json!({"oneOf": [one, other]}), json!({"anyOf": [other, one]})),
        // One keyword less, or one from another.
        5 | 6 => {
            let (Value::Object(before), Value::Object(from)) = (&one, &other) else { return (one, other) };
            let mut after = before.clone();
            if let Some(name) = (!before.is_empty()).then(|| before.keys().nth(which.index(before.len()))).flatten() {
                after.remove(name);
            }
            if how == 6 {
                after.extend(from.clone().into_iter().take(1));
            }
            (one, Value::Object(after))
        }
        _ => (one, other),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_to_be_compatible_takes_all_that_was_taken(
        (old, new) in pair(),
        both in schema(),
        data in prop::collection::vec(prop::collection::hash_map(select(vec!["a", "b", "c"]), instance(), 0..3), 30),
    ) {
        let with = |schema: Value| json!({"allOf": [schema], "$defs": {"d": both.clone()}});
        let (old, new) = (with(json!({"properties": {"a": old}})), with(json!({"properties": {"a": new}})));
        // A definition that leads to itself is no sound schema.
        prop_assume!(!both.to_string().contains("$ref"));
        if compare(&old, &new).is_empty() {
            let (takes, also) = (validator(&old).unwrap(), validator(&new).unwrap());
            for data in data {
                let data = json!(data);
                prop_assert!(!takes.is_valid(&data) || also.is_valid(&data), "{data}");
            }
        }
    }
}
