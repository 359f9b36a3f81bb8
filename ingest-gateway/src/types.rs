//! The event types in force: the catalogue's, and those that a studio has added.
//!
//! A file `FOLDER/boss.defeated.json` adds a type for every tenant, `FOLDER/acme/boss.defeated.json`
//! one for the tenant acme alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use schemars::JsonSchema;
use schemas::registry::{Registered, Registry, SchemaFile};
use schemas::{Event, FieldCode, FieldError, Tenant, catalogue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The event types in force.
#[derive(Debug, Default)]
pub struct Types {
    registry: Registry,
}

/// The schemas that a tenant's events are judged by.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing<'a> {
    /// Of what surrounds every event's data.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    event: &'a RawValue,
    /// Of each type's data, by name; a studio's own behind the catalogue's.
    types: Vec<Listed<'a>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Listed<'a> {
    /// The event type.
    event_type: &'a str,
    /// Version of its schema.
    version: u32,
    /// SHA-256 of the schema's text, hexadecimal.
    sha256: &'a str,
    /// Whether it is the studio's own, not the catalogue's.
    own: bool,
    /// The JSON Schema of its data.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    schema: &'a RawValue,
}

impl From<Registry> for Types {
    /// The catalogue, and what a registry adds.
    fn from(registry: Registry) -> Self {
        Self { registry }
    }
}

impl Types {
    /// The catalogue, and what the folder adds.
    ///
    /// # Errors
    /// A folder that can't be read, or every file that is no schema, with the place of its fault.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut texts = Vec::new();
        for (tenant, path) in files(folder)? {
            let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
            texts.push((tenant, path.to_string_lossy().into_owned(), text));
        }
        let files = texts.iter().map(|(tenant, path, text)| SchemaFile { tenant: tenant.clone(), path, text });
        let registry = Registry::compile(files).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            anyhow!(lines.join("; "))
        })?;
        Ok(Self { registry })
    }

    /// How many types there are beside the catalogue's.
    pub fn own(&self) -> usize {
        self.registry.len()
    }

    /// The types beside the catalogue's.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Judges an event whose type is not of the catalogue.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, tenant: &Tenant, event: &Event<'_>, text: &str) -> Result<(), Vec<FieldError>> {
        #[derive(Deserialize)]
        struct Holder<'a> {
            #[serde(borrow)]
            data: Option<&'a RawValue>,
        }
        let Some(registered) = self.registry.get(tenant, &event.event_type) else {
            let message = "is neither in the catalogue nor registered: GET /v1/schemas lists the types in force";
            return Err(vec![FieldError::new("/event_type", FieldCode::UnknownType, message)]);
        };
        // What has been judged as an event is an object without doubled names.
        let data = serde_json::from_str::<Holder<'_>>(text).ok().and_then(|holder| holder.data).map(RawValue::get);
        registered.judge(data.filter(|data| *data != "null"))
    }

    /// All schemas that hold for a tenant.
    ///
    /// # Errors
    /// When a schema is no JSON, which its compilation has ruled out.
    pub fn all<'a>(&'a self, tenant: &'a Tenant) -> serde_json::Result<Listing<'a>> {
        let raw = |text: &'a str| serde_json::from_str::<&'a RawValue>(text.trim());
        let mut types = Vec::new();
        for known in catalogue::all() {
            let (event_type, sha256) = (known.name, &*known.sha256);
            types.push(Listed { event_type, version: known.version, sha256, own: false, schema: raw(known.text)? });
        }
        for own in self.registry.of(tenant) {
            let Registered { name, version, text, sha256, .. } = own;
            types.push(Listed { event_type: name, version: *version, sha256, own: true, schema: raw(text)? });
        }
        Ok(Listing { event: raw(catalogue::EVENT)?, types })
    }

    /// The schema of one type's data.
    pub fn schema(&self, tenant: &Tenant, event_type: &str) -> Option<String> {
        let known = catalogue::get(event_type).map(|known| known.text.to_owned());
        known.or_else(|| Some(self.registry.get(tenant, event_type)?.text.clone()))
    }
}

/// The schema files of the folder and of its tenants' folders, in alphabetical order; those of a tenant with
/// its name.
///
/// # Errors
/// A folder that can't be looked into, or whose name is no tenant's.
pub fn files(folder: &Path) -> anyhow::Result<Vec<(Option<Tenant>, PathBuf)>> {
    // Files of another kind, such as a README, are none of ours.
    let is_schema = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let tenant = Tenant::parse(name).context("a folder in it is named after a tenant")?;
            let own = entries(&path)?.into_iter().filter(is_schema);
            found.extend(own.map(|path| (Some(tenant.clone()), path)));
        } else if is_schema(&path) {
            found.push((None, path));
        }
    }
    Ok(found)
}

/// What lies in a folder, hidden files aside.
fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut paths = read().with_context(|| format!("can't read {}", folder.display()))?;
    paths.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    paths.sort();
    Ok(paths)
}
