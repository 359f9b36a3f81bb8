//! The key that a run's load comes with.

use std::path::Path;

use daemon::Clock;
use ingest_gateway::credentials::Scope;
use ingest_gateway::keys::{self, NewKey};
use schemas::{Tenant, Timestamp};

/// Makes a credentials file with one key, of tenant `bench`; gives the key.
///
/// # Errors
/// When the file can't be written.
pub fn new_key(file: &Path, scopes: Vec<Scope>, tier: &str) -> anyhow::Result<String> {
    let new = NewKey {
        tenant: Tenant::parse("bench")?,
        games: vec!["waves".to_owned()],
        environment: None,
        publishable: false,
        scopes,
        tier: Some(tier.to_owned()),
        expires_at: None,
    };
    Ok(keys::create(file, &new, Timestamp::from_ms(Clock::system().now_ms()))?.key)
}
