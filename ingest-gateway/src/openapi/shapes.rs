//! The schemas of the answers' types, as they are written out.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::Object;
use crate::answer::{Answer, EventCode};
use crate::problem::{Code, Told};
use crate::types::Listing;
use crate::whoami::WhoAmI;

/// The schemas of all types that answers are made of, by name.
pub(super) fn of_answers() -> Object {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.into_generator();
    note::<Answer>(&mut generator);
    note::<Told<'_>>(&mut generator);
    note::<Listing<'_>>(&mut generator);
    note::<WhoAmI<'_>>(&mut generator);
    note::<Code>(&mut generator);
    note::<EventCode>(&mut generator);
    let mut schemas = generator.take_definitions(true);
    for schema in schemas.values_mut() {
        never_null(schema);
        known_formats(schema);
    }
    // It comes from the problem, or from the answer that is written into it.
    if let Some(required) = schemas.get_mut("Problem").and_then(|problem| problem["required"].as_array_mut()) {
        required.push("request_id".into());
    }
    schemas
}

fn note<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

/// A member that is not required is left out where there is nothing to say: none of them is ever null.
fn never_null(schema: &mut Value) {
    let required: Vec<String> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect())
        .unwrap_or_default();
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (_, property) in properties.iter_mut().filter(|(name, _)| !required.contains(name)) {
        if let Some([one, other]) = property["type"].as_array().map(Vec::as_slice)
            && other == "null"
        {
            property["type"] = one.clone();
        }
        let choice = property["anyOf"].as_array().and_then(|choice| choice.first().cloned());
        if let (Some(first), Some(members)) = (choice, property.as_object_mut()) {
            members.remove("anyOf");
            members.extend(first.as_object().cloned().unwrap_or_default());
        }
    }
}

/// The sizes of Rust's integers tell a client nothing.
fn known_formats(schema: &mut Value) {
    for property in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let Some(members) = property.1.as_object_mut() else { continue };
        if members.get("format").is_some_and(|format| format.as_str().is_some_and(|name| name.contains("int"))) {
            members.remove("format");
        }
    }
}
