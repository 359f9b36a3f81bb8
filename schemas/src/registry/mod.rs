//! A studio's own event types: JSON Schemas (2020-12), compiled once, judged by many.

use std::collections::BTreeMap;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::canonical::sha256_hex;
use crate::catalogue;
use crate::field_error::FieldError;
use crate::id::Tenant;
use crate::parse::is_event_type;
use crate::time::Timestamp;

mod judge;
mod place;

/// A schema as it lies in a file.
#[derive(Clone, Debug)]
pub struct SchemaFile<'a> {
    /// Whose type it is; none for every tenant's.
    pub tenant: Option<Tenant>,
    /// The file's path, for messages; its last part is `<event_type>.json`.
    pub path: &'a str,
    /// What it holds.
    pub text: &'a str,
}

/// A type with its compiled schema.
#[derive(Debug)]
pub struct Registered {
    /// The event type.
    pub name: String,
    /// The schema's member `version`; 1 unless told.
    pub version: u32,
    /// The schema as it lies in the file.
    pub text: String,
    /// SHA-256 of the text, hexadecimal.
    pub sha256: String,
    validator: Validator,
}

/// The types that tenants have registered.
#[derive(Debug, Default)]
pub struct Registry {
    types: BTreeMap<(Option<Tenant>, String), Registered>,
}

/// Why a schema file can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {place}: {problem}")]
pub struct SchemaError {
    /// The file.
    pub path: String,
    /// The line, with its column or a JSON pointer into the schema.
    pub place: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl Registry {
    /// Compiles schemas. One bad file refuses all, so that nobody runs with half a set.
    ///
    /// # Errors
    /// What is wrong with each bad file.
    pub fn compile<'a>(files: impl IntoIterator<Item = SchemaFile<'a>>) -> Result<Self, Vec<SchemaError>> {
        let (mut types, mut errors) = (BTreeMap::new(), Vec::new());
        for file in files {
            match compile(&file) {
                Ok(registered) => {
                    let name = registered.name.clone();
                    if types.insert((file.tenant.clone(), name), registered).is_some() {
                        errors.push(error(file.path, "file name", "another file registers the same type: keep one"));
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self { types }) } else { Err(errors) }
    }

    /// A tenant's type of that name: its own, else one that every tenant has.
    pub fn get(&self, tenant: &Tenant, name: &str) -> Option<&Registered> {
        if self.types.is_empty() {
            return None;
        }
        let name = name.to_owned();
        let own = (Some(tenant.clone()), name);
        self.types.get(&own).or_else(|| self.types.get(&(None, own.1)))
    }

    /// A tenant's types, by name.
    pub fn of<'r>(&'r self, tenant: &'r Tenant) -> impl Iterator<Item = &'r Registered> {
        let mine = self.types.iter().filter(move |((owner, name), _)| match owner {
            Some(owner) => owner == tenant,
            None => !self.types.contains_key(&(Some(tenant.clone()), name.clone())),
        });
        let mut mine: Vec<_> = mine.map(|(_, registered)| registered).collect();
        mine.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        mine.into_iter()
    }

    /// All types, with the tenant that each is for; none where it is every tenant's.
    pub fn all(&self) -> impl Iterator<Item = (Option<&Tenant>, &Registered)> {
        self.types.iter().map(|((tenant, _), registered)| (tenant.as_ref(), registered))
    }

    /// The type of that name that is every tenant's.
    pub fn common(&self, name: &str) -> Option<&Registered> {
        self.types.get(&(None, name.to_owned()))
    }

    /// How many types are registered.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }
}

impl Registered {
    /// Judges an event's data by the schema; `data` is its JSON, none where the event has none.
    ///
    /// # Errors
    /// All that is wrong with it, with pointers from the event's root.
    pub fn judge(&self, data: Option<&str>) -> Result<(), Vec<FieldError>> {
        judge::judge(&self.validator, data)
    }
}

/// Compiles a schema of this house's dialect: 2020-12, formats judged, `date-time` as [`Timestamp`] reads it.
///
/// Patterns run in linear time, whatever the text; look-around and back references are therefore refused.
/// References lead nowhere outside of the file.
pub(crate) fn validator(schema: &Value) -> Result<Validator, jsonschema::ValidationError<'static>> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_format("date-time", |text: &str| Timestamp::parse(text).is_some())
        .with_pattern_options(PatternOptions::regex())
        .offline()
        .build(schema)
}

fn compile(file: &SchemaFile<'_>) -> Result<Registered, SchemaError> {
    let name = file.path.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.strip_suffix(".json").filter(|name| is_event_type(name));
    let name = name.ok_or_else(|| {
        let problem = "must be the event type and .json, lower-case words joined by dots: boss.defeated.json";
        error(file.path, "file name", problem)
    })?;
    if catalogue::get(name).is_some() {
        return Err(error(file.path, "file name", "is a type of the catalogue: choose another"));
    }
    let (schema, validator) = read(file.path, file.text)?;
    let version = match schema.get("version") {
        None => 1,
        Some(version) => version
            .as_u64()
            .and_then(|version| u32::try_from(version).ok())
            .filter(|version| *version > 0)
            .ok_or_else(|| at(file.path, file.text, "/version", "must be an integer from 1"))?,
    };
    let sha256 = sha256_hex(file.text.as_bytes());
    Ok(Registered { name: name.to_owned(), version, text: file.text.to_owned(), sha256, validator })
}

/// Reads a text as a schema of this house's dialect, whatever its type is called; `path` is for messages.
///
/// # Errors
/// What is wrong with it, and where.
pub fn schema(path: &str, text: &str) -> Result<Value, SchemaError> {
    read(path, text).map(|(schema, _)| schema)
}

fn read(path: &str, text: &str) -> Result<(Value, Validator), SchemaError> {
    let schema: Value = serde_json::from_str(text).map_err(|json| {
        let place = format!("line {}, column {}", json.line(), json.column());
        error(path, place, format!("not JSON: {json}"))
    })?;
    if !schema.is_object() {
        return Err(at(path, text, "", "a schema is a JSON object"));
    }
    if let Some(dialect) = schema.get("$schema").filter(|dialect| **dialect != DIALECT) {
        return Err(at(path, text, "/$schema", format!("is {dialect}; must be \"{DIALECT}\" or left out")));
    }
    let validator =
        validator(&schema).map_err(|fault| at(path, text, fault.instance_path().as_str(), fault.to_string()))?;
    Ok((schema, validator))
}

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A fault at a pointer into the schema, told with its line.
fn at(path: &str, text: &str, pointer: &str, problem: impl Into<String>) -> SchemaError {
    let shown = if pointer.is_empty() { "/" } else { pointer };
    let place = place::line(text, pointer).map_or_else(|| shown.to_owned(), |line| format!("line {line}, {shown}"));
    error(path, place, problem)
}

fn error(path: &str, place: impl Into<String>, problem: impl Into<String>) -> SchemaError {
    SchemaError { path: path.to_owned(), place: place.into(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
