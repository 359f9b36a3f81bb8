//! CloudEvents 1.0 to events, and back where a client is told what is wrong. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemas::envelope::RawEvent;
use schemas::parse::Names;
use schemas::scan::Scanned;
use schemas::{FieldCode, FieldError};
use serde_json::value::RawValue;

use crate::submission::{Item, Raw};

pub mod binary;

/// Attributes of a CloudEvent and the fields that they become.
const ATTRIBUTES: [(&str, &str); 7] = [
    ("id", "event_id"),
    ("sessionid", "session_id"),
    ("subject", "player_id"),
    ("seq", "seq"),
    ("type", "event_type"),
    ("time", "timestamp"),
    ("data", "data"),
];

/// What a CloudEvent calls that by which a refused event is known.
pub const NAMES: Names = Names { event_id: "id", session_id: "sessionid", seq: "seq", event_type: "type" };

/// Translates a CloudEvent; its faults are told in its own attributes' names.
pub fn translate(event: RawEvent<'_>) -> Item<'_> {
    let scanned = match event.scanned {
        Ok(scanned) => translated(&scanned.text).map(Scanned::made),
        Err(fault) => Err(vec![fault]),
    };
    Item { raw: Raw::Json(Cow::Borrowed(event.raw)), scanned }
}

/// The attribute that becomes a field of an event; the name itself where there is none.
pub fn attribute(field: &str) -> &str {
    ATTRIBUTES.iter().find(|(_, known)| *known == field).map_or(field, |(attribute, _)| attribute)
}

/// The pointer to the attribute that a field was translated from.
pub fn pointer(field: &str) -> String {
    let (name, rest) = field
        .trim_start_matches('/')
        .split_once('/')
        .map_or_else(|| (field.trim_start_matches('/'), String::new()), |(name, rest)| (name, format!("/{rest}")));
    if field.is_empty() { String::new() } else { format!("/{}{rest}", attribute(name)) }
}

fn translated(text: &str) -> Result<String, Vec<FieldError>> {
    let fault = |pointer: &str, code: FieldCode, message: &str| vec![FieldError::new(pointer, code, message)];
    // Doubled names have been refused before.
    let attributes: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(text).map_err(|_| fault("", FieldCode::Type, "a CloudEvent is an object"))?;
    let written = |name: &str| attributes.get(name).map(|value| value.get());
    match written("specversion") {
        Some("\"1.0\"") => {}
        Some(_) => return Err(fault("/specversion", FieldCode::Enum, "must be 1.0")),
        None => return Err(fault("/specversion", FieldCode::Required, "is required; 1.0 is understood")),
    }
    if written("data_base64").is_some_and(|value| value != "null") {
        return Err(fault("/data_base64", FieldCode::Unsupported, "send data as a JSON object in `data`"));
    }
    let json_type = |value: &str| {
        let media = value.trim_matches('"').split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        media == "null" || media == "application/json" || media == "text/json" || media.ends_with("+json")
    };
    if written("datacontenttype").is_some_and(|value| !json_type(value)) {
        return Err(fault("/datacontenttype", FieldCode::Enum, "must be application/json"));
    }
    let members = ATTRIBUTES.iter().filter_map(|(attribute, field)| Some((field, written(attribute)?)));
    let members: Vec<_> = members.map(|(field, value)| format!("\"{field}\":{value}")).collect();
    Ok(format!("{{{}}}", members.join(",")))
}

#[cfg(test)]
mod tests {
    use schemas::envelope;

    use super::*;

    fn translate_one(json: &str) -> Result<String, Vec<FieldError>> {
        let list = format!("[{json}]");
        let event = envelope::list(list.as_bytes()).unwrap().remove(0);
        translate(event).scanned.map(|scanned| scanned.text.into_owned())
    }

    #[test]
    fn attributes_become_fields_in_their_own_bytes() {
        let text = translate_one(
            r#"{"specversion":"1.0","id":"A","source":"/game","type":"task.started","time":"T","subject":"p",
                "sessionid":"S","seq":4.0,"datacontenttype":"application/json","data":{"task_id" : "L1"}}"#,
        );
        let expected = r#"{"event_id":"A","session_id":"S","player_id":"p","seq":4.0,"event_type":"task.started","timestamp":"T","data":{"task_id":"L1"}}"#;
        assert_eq!(text.unwrap(), expected);
    }

    #[test]
    fn what_is_no_cloudevent_of_json_is_refused_by_its_attribute() {
        let pointer = |json: &str| translate_one(json).unwrap_err()[0].pointer.clone();
        assert_eq!(pointer(r#"{"id":"A"}"#), "/specversion");
        assert_eq!(pointer(r#"{"specversion":"0.3"}"#), "/specversion");
        assert_eq!(pointer(r#"{"specversion":"1.0","data_base64":"AA=="}"#), "/data_base64");
        assert_eq!(pointer(r#"{"specversion":"1.0","datacontenttype":"text/xml"}"#), "/datacontenttype");
        assert_eq!(pointer("5"), "");
    }

    #[test]
    fn faults_are_told_in_the_attributes_names() {
        assert_eq!(pointer("/event_id"), "/id");
        assert_eq!(pointer("/data/outcome"), "/data/outcome");
        assert_eq!(pointer("/player_id"), "/subject");
        assert_eq!(pointer(""), "");
    }
}
