//! The event types in force as schemas, told apart by their type: in the client's own JSON and as CloudEvents.

use schemas::{Tenant, catalogue};
use serde_json::{Value, json};

use super::{Object, schema};
use crate::cloudevents;
use crate::types::Types;

/// Names of the schemas of any event.
pub(super) const EVENT: &str = "Event";
pub(super) const CLOUD_EVENT: &str = "CloudEvent";

/// The types that a tenant may send.
pub(super) struct Events {
    /// The catalogue's schema of what surrounds every event's data.
    around: Value,
    types: Vec<Type>,
}

struct Type {
    name: String,
    data: Value,
    /// Whether an event of it may lack data.
    may_lack_data: bool,
}

/// What a kind of event calls the fields.
struct Names {
    /// What the schemas of its types are called before the type.
    prefix: &'static str,
    name: fn(&str) -> &str,
    /// Members beside the event's own.
    beside: fn() -> Object,
}

const OWN: Names = Names { prefix: "event", name: |field| field, beside: Object::new };
const CLOUD: Names = Names { prefix: "cloudevent", name: cloudevents::attribute, beside: cloud_members };

impl Events {
    /// The catalogue's types, and a tenant's own.
    pub(super) fn of(types: &Types, tenant: Option<&Tenant>) -> Self {
        // What is in force has been compiled: it is JSON.
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let of_catalogue = catalogue::all().iter().map(|known| {
            let data = read(known.text);
            let may_lack_data = data["required"].as_array().is_none_or(Vec::is_empty);
            Type { name: known.name.to_owned(), data, may_lack_data }
        });
        let own = tenant.into_iter().flat_map(|tenant| types.registry().of(tenant)).map(|own| Type {
            name: own.name.clone(),
            data: read(&own.text),
            may_lack_data: own.judge(None).is_ok(),
        });
        Self { around: read(catalogue::EVENT), types: of_catalogue.chain(own).collect() }
    }

    /// Adds all their schemas.
    pub(super) fn schemas(&self, schemas: &mut Object) {
        for kind in &self.types {
            let name = format!("data.{}", kind.name);
            let mut data = kind.data.clone();
            at_home(&mut data, &name);
            schemas.insert(name, data);
        }
        for (field, rule) in self.around["properties"].as_object().into_iter().flatten() {
            if field != "data" && field != "event_type" {
                schemas.insert(field.clone(), rule.clone());
            }
        }
        let own = self.any(&OWN, schemas, "An event, as a client sends it");
        let cloud = self.any(&CLOUD, schemas, "An event as a CloudEvent 1.0 in JSON");
        schemas.extend([(EVENT.to_owned(), own), (CLOUD_EVENT.to_owned(), cloud)]);
    }

    /// Any event of a kind; adds the schemas of its types.
    fn any(&self, names: &Names, schemas: &mut Object, title: &str) -> Value {
        let (mut choice, mut mapping) = (Vec::new(), Object::new());
        for kind in &self.types {
            let name = format!("{}.{}", names.prefix, kind.name);
            choice.push(schema(&name));
            mapping.insert(kind.name.clone(), format!("#/components/schemas/{name}").into());
            schemas.insert(name, self.one(names, kind));
        }
        json!({
            "title": title,
            "description": self.around["description"],
            "oneOf": choice,
            "discriminator": {"propertyName": (names.name)("event_type"), "mapping": mapping},
        })
    }

    fn one(&self, names: &Names, kind: &Type) -> Value {
        let mut properties = (names.beside)();
        let mut required: Vec<Value> =
            properties.contains_key("specversion").then(|| "specversion".into()).into_iter().collect();
        for (field, rule) in self.around["properties"].as_object().into_iter().flatten() {
            let told = match field.as_str() {
                "event_type" => {
                    let mut only = json!({"type": "string", "const": kind.name});
                    for word in ["title", "description"] {
                        only[word] = rule[word].clone();
                    }
                    only
                }
                "data" => Self::data(kind),
                _ => schema(field),
            };
            properties.insert((names.name)(field).to_owned(), told);
        }
        let all = self.around["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        required.extend(all.map(|field| (names.name)(field).into()));
        if !kind.may_lack_data {
            required.push("data".into());
        }
        json!({
            "title": kind.data.get("title").map_or_else(|| kind.name.clone().into(), Value::clone),
            "type": "object",
            "required": required,
            "properties": properties,
        })
    }

    fn data(kind: &Type) -> Value {
        let data = schema(&format!("data.{}", kind.name));
        if kind.may_lack_data { json!({"anyOf": [data, {"type": "null"}]}) } else { data }
    }
}

/// What a CloudEvent has beside an event's fields.
fn cloud_members() -> Object {
    let members = json!({
        "specversion": {"const": "1.0"},
        "source": {"description": "CloudEvents asks for it; it is not judged.", "examples": ["/runner"]},
        "datacontenttype": {
            "description": "Or any other type that ends in `+json`.",
            "enum": ["application/json", "text/json", null],
        },
        "data_base64": {"description": "Not understood: send `data`.", "type": "null"},
    });
    members.as_object().cloned().unwrap_or_default()
}

/// Makes a schema that was a document of its own a part of this one: what it refers to within itself stays its own.
fn at_home(data: &mut Value, name: &str) {
    let Some(members) = data.as_object_mut() else { return };
    members.remove("$schema");
    // With an id of its own, references would be read from there.
    members.remove("$id");
    move_references(data, &format!("#/components/schemas/{name}"));
}

fn move_references(value: &mut Value, home: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(to) if name == "$ref" && to.starts_with('#') => *to = format!("{home}{}", &to[1..]),
                    // Values that stand for themselves.
                    _ if matches!(name.as_str(), "const" | "enum" | "default" | "examples") => {}
                    _ => move_references(member, home),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| move_references(element, home)),
        _ => {}
    }
}
