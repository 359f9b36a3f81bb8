//! Keeps the interface's description as it was made, for whoever may see which event types, until those change.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use parking_lot::Mutex;
use schemas::Tenant;
use schemas::canonical::sha256_hex;

use crate::openapi;
use crate::types::Types;

/// So many descriptions are kept, of some 170 KB each; beyond, all are made anew.
const MOST: usize = 64;

/// A description, as it is sent.
#[derive(Debug)]
pub struct Document {
    /// JSON.
    pub bytes: Bytes,
    /// Its `ETag`: the same as long as the bytes are.
    pub tag: HeaderValue,
}

/// The descriptions that were asked for under the types in force.
#[derive(Debug, Default)]
pub struct Documents {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Of these types they are; none before the first.
    types: Option<Arc<Types>>,
    /// By whose types are in it; none for strangers.
    by_tenant: HashMap<Option<Tenant>, Arc<Document>>,
}

impl Documents {
    /// The description for a tenant; for none, with the catalogue's types alone.
    pub fn of(&self, types: &Arc<Types>, tenant: Option<&Tenant>) -> Arc<Document> {
        // Who has no types beside the catalogue's is told what strangers are told.
        let tenant = tenant.filter(|tenant| types.registry().of(tenant).next().is_some());
        let mut kept = self.kept.lock();
        let full = kept.by_tenant.len() >= MOST && !kept.by_tenant.contains_key(&tenant.cloned());
        if full || !kept.types.as_ref().is_some_and(|known| Arc::ptr_eq(known, types)) {
            *kept = Kept { types: Some(Arc::clone(types)), by_tenant: HashMap::new() };
        }
        let made = kept.by_tenant.entry(tenant.cloned()).or_insert_with(|| Arc::new(made(types, tenant)));
        Arc::clone(made)
    }
}

fn made(types: &Types, tenant: Option<&Tenant>) -> Document {
    let bytes = openapi::document(types, tenant).to_string();
    let tag = format!("\"{}\"", &sha256_hex(bytes.as_bytes())[..16]);
    // Hexadecimal digits in quotes are a header's value.
    let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
    Document { bytes: bytes.into(), tag }
}

#[cfg(test)]
mod tests {
    use schemas::registry::{Registry, SchemaFile};

    use super::*;

    #[test]
    fn a_description_is_made_once_until_types_change() {
        let (documents, types) = (Documents::default(), Arc::new(Types::default()));
        let first = documents.of(&types, None);
        assert!(Arc::ptr_eq(&first, &documents.of(&types, None)));
        let acme = Tenant::parse("acme").unwrap();
        assert!(Arc::ptr_eq(&first, &documents.of(&types, Some(&acme))), "it has no types of its own");
        let again = documents.of(&Arc::new(Types::default()), None);
        assert!(!Arc::ptr_eq(&first, &again));
        assert_eq!(first.tag, again.tag);
    }

    #[test]
    fn however_many_tenants_ask_few_descriptions_are_kept() {
        let file = SchemaFile { tenant: None, path: "level.up.json", text: "{}" };
        let (documents, types) = (Documents::default(), Arc::new(Types::from(Registry::compile([file]).unwrap())));
        for number in 0..=MOST {
            documents.of(&types, Some(&Tenant::parse(&format!("t{number}")).unwrap()));
        }
        assert_eq!(documents.kept.lock().by_tenant.len(), 1);
    }
}
