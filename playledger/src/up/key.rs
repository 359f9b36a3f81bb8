//! The key that local mode makes for itself and prints: it may do everything for one game.

use ingest_gateway::credentials::{Credentials, Scope};
use ingest_gateway::keys::{self, NewKey};
use schemas::{Tenant, Timestamp};

use crate::folder::{Folder, read_if_there, write_private};

/// The gateway's file of keys.
pub(super) const CREDENTIALS: &str = "credentials.toml";
/// The key itself.
const KEY: &str = "api-key";
/// Whose it is.
const TENANT: &str = "local";
/// For which game.
const GAME: &str = "demo";
/// Local mode limits nobody.
const TIER: &str = "unlimited";

/// The folder's key: the one that it holds, where that is still good; else a new one.
///
/// # Errors
/// A sentence that names the file that can't be read or written.
pub(super) fn take_up(folder: &Folder, now_ms: i64) -> anyhow::Result<String> {
    let now = Timestamp::from_ms(now_ms);
    let (file, credentials) = (folder.file(KEY), folder.file(CREDENTIALS));
    if let (Some(key), Some(text)) = (read_if_there(&file)?, read_if_there(&credentials)?) {
        let known = Credentials::parse(&text)
            .map_err(|error| anyhow::anyhow!("{}: {error}; mend the file", credentials.display()))?;
        if known.verify(key.trim(), now).is_some() {
            return Ok(key.trim().to_owned());
        }
    }
    let new = NewKey {
        tenant: Tenant::parse(TENANT)?,
        games: vec![GAME.to_owned()],
        environment: None,
        publishable: false,
        scopes: Scope::ALL.to_vec(),
        tier: Some(TIER.to_owned()),
        expires_at: None,
    };
    let made = keys::create(&credentials, &new, now)?;
    write_private(&file, format!("{}\n", made.key).as_bytes())?;
    Ok(made.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::LogKind;

    #[test]
    fn the_key_is_taken_up_again_until_it_is_revoked() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::take(home.path(), LogKind::Embedded).unwrap();
        let key = take_up(&folder, 1_000).unwrap();
        assert_eq!(take_up(&folder, 2_000).unwrap(), key);
        let text = std::fs::read_to_string(folder.file(CREDENTIALS)).unwrap();
        let held = Credentials::parse(&text).unwrap().verify(&key, Timestamp::from_ms(1_000)).unwrap();
        assert_eq!((held.tenant.as_str(), held.scopes.len()), ("local", Scope::ALL.len()));
        keys::revoke(&folder.file(CREDENTIALS), &held.id, Timestamp::from_ms(3_000)).unwrap();
        assert_ne!(take_up(&folder, 4_000).unwrap(), key);
    }
}
