//! Data against a compiled schema; a validator's errors in the words of this house.

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use crate::field_error::{FieldCode, FieldError};

/// Most faults that are told of one event.
const MOST_ERRORS: usize = 20;
/// Most characters of a sentence: a schema may quote long lists.
const MOST_CHARACTERS: usize = 300;

pub(super) fn judge(validator: &Validator, data: Option<&str>) -> Result<(), Vec<FieldError>> {
    let fault = |code, message: String| Err(vec![FieldError::new("/data", code, message)]);
    let mut data = match data.map(serde_json::from_str::<Value>) {
        None | Some(Ok(Value::Null)) => Value::Object(Map::new()),
        Some(Ok(data @ Value::Object(_))) => data,
        Some(Ok(_)) => return fault(FieldCode::Type, "must be an object".to_owned()),
        Some(Err(error)) => return fault(FieldCode::Json, error.to_string()),
    };
    if validator.is_valid(&data) {
        return Ok(());
    }
    // null in an optional field is as if it were absent; a schema that asks for null has had its say.
    drop_nulls(&mut data);
    let errors: Vec<_> = validator.iter_errors(&data).take(MOST_ERRORS).map(|error| told(&error)).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn told(error: &ValidationError<'_>) -> FieldError {
    let mut pointer = format!("/data{}", error.instance_path().as_str());
    let message = match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            "is required".to_owned()
        }
        _ => error.masked_with("the value").to_string(),
    };
    FieldError::new(pointer, code(error.kind()), message.chars().take(MOST_CHARACTERS).collect::<String>())
}

/// The words that the catalogue's own rules use; a keyword of JSON Schema where there is none.
fn code(kind: &Kind) -> FieldCode {
    match kind {
        Kind::Required { .. } => FieldCode::Required,
        Kind::Type { .. } => FieldCode::Type,
        Kind::Enum { .. } | Kind::Constant { .. } => FieldCode::Enum,
        Kind::Format { .. } => FieldCode::Format,
        Kind::Pattern { .. } => FieldCode::Pattern,
        Kind::Minimum { .. }
        | Kind::Maximum { .. }
        | Kind::ExclusiveMinimum { .. }
        | Kind::ExclusiveMaximum { .. }
        | Kind::MultipleOf { .. } => FieldCode::Range,
        Kind::MinLength { .. }
        | Kind::MaxLength { .. }
        | Kind::MinItems { .. }
        | Kind::MaxItems { .. }
        | Kind::MinProperties { .. }
        | Kind::MaxProperties { .. } => FieldCode::Length,
        other => by_keyword(other.keyword()),
    }
}

fn by_keyword(keyword: &str) -> FieldCode {
    FieldCode::ALL.iter().copied().find(|code| code.as_str() == keyword).unwrap_or(FieldCode::Schema)
}
