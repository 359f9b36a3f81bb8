//! API keys: the file that holds them, and the judgement of one that is presented. Pure.
//!
//! A key reads `pl_<public id>_<secret>`. The file keeps the SHA-256 of the secret only:
//!
//! ```toml
//! [[key]]
//! id = "1f0c5a9be27d"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! tenant = "acme"
//! games = ["runner"]
//! environment = "live"
//! scopes = ["ingest"]
//! ```

mod entry;

use std::collections::HashMap;
use std::sync::Arc;

use schemas::{Game, Tenant, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What stands before every key.
pub const PREFIX: &str = "pl_";
/// The tier of a key that names none.
pub const DEFAULT_TIER: &str = "standard";

/// What a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Send events with timestamps of any age.
    Backfill,
    /// Send evidence.recorded.
    Evidence,
    /// Read what came of them.
    Read,
    /// Everything that an operator may do.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ingest, Self::Backfill, Self::Evidence, Self::Read, Self::Admin];

    /// The word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Backfill => "backfill",
            Self::Evidence => "evidence",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// One API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Public id: names the key in logs, stamps and commands.
    pub id: String,
    /// SHA-256 of the secret.
    pub sha256: [u8; 32],
    /// Whose events it sends.
    pub tenant: Tenant,
    /// The games that it may name, environment included; at least one.
    pub games: Vec<Game>,
    /// The games' environment: `live`, or a name such as `test`.
    pub environment: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Names its limits.
    pub tier: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// From when on it is good no more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked: good no more, whatever time stands here. An end in the future is `expires_at`.
    pub revoked_at: Option<Timestamp>,
}

impl Credential {
    /// Whether it may do that.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it is neither revoked nor expired at `now`. A key is revoked as soon as that is written,
    /// whatever the time beside it: whoever wrote it may have had another clock.
    pub fn live_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

/// All keys of a file.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    by_id: HashMap<String, Arc<Credential>>,
}

/// What is wrong with a credentials file.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Not TOML, or a key that is not known.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// One entry breaks a rule.
    #[error("key `{id}`: {fault}")]
    Entry {
        /// The entry's id.
        id: String,
        /// What is wrong, in words.
        fault: String,
    },
}

impl Credentials {
    /// Reads a file's text.
    ///
    /// # Errors
    /// With the entry and its fault; one bad entry makes the whole file bad.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        let file: entry::File = toml::from_str(text)?;
        let mut by_id = HashMap::with_capacity(file.key.len());
        for entry in file.key {
            let id = entry.id.clone();
            let fault = |fault: String| CredentialsError::Entry { id: id.clone(), fault };
            let credential = entry.judge().map_err(fault)?;
            if by_id.insert(id.clone(), Arc::new(credential)).is_some() {
                return Err(fault("stands twice in the file".into()));
            }
        }
        Ok(Self { by_id })
    }

    /// The credential that a presented key belongs to, if the key is sound and good at `now`.
    ///
    /// Takes the same time whatever part of the secret is wrong, and whether the id is known.
    pub fn verify(&self, presented: &str, now: Timestamp) -> Option<Arc<Credential>> {
        let (id, secret) = presented.strip_prefix(PREFIX)?.split_once('_')?;
        let known = self.by_id.get(id);
        let expected = known.map_or([0; 32], |credential| credential.sha256);
        let same = bool::from(fingerprint(secret).ct_eq(&expected));
        known.filter(|credential| same && credential.live_at(now)).cloned()
    }

    /// All of them, by id.
    pub fn all(&self) -> Vec<Arc<Credential>> {
        let mut all: Vec<_> = self.by_id.values().cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// SHA-256 of a secret: what the file keeps of it.
pub fn fingerprint(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A digest as the file writes it.
pub fn hex(digest: &[u8; 32]) -> String {
    hexadecimal(digest)
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    text
}

/// The game's name behind the gateway: bare in `live`, with the environment elsewhere.
///
/// # Errors
/// When either breaks its rule.
pub fn game_in(name: &str, environment: &str) -> Result<Game, String> {
    if name.contains('@') {
        return Err(format!("`{name}`: an environment goes into `environment`, not behind an @"));
    }
    let whole = if environment == "live" { name.to_owned() } else { format!("{name}@{environment}") };
    Game::parse(&whole).map_err(|bad| bad.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-06-01T00:00:00Z";

    fn file(more: &str) -> String {
        let sha256 = hex(&fingerprint("s_e-cret"));
        format!(
            "[[key]]\nid = \"k1\"\nsha256 = \"{sha256}\"\ntenant = \"acme\"\ngames = [\"runner\"]\nscopes = [\"ingest\"]\n{more}"
        )
    }

    fn verify(text: &str, key: &str) -> Option<Arc<Credential>> {
        Credentials::parse(text).unwrap().verify(key, Timestamp::parse(NOW).unwrap())
    }

    #[test]
    fn only_the_whole_key_is_good() {
        assert_eq!(verify(&file(""), "pl_k1_s_e-cret").unwrap().tenant.as_str(), "acme");
        for key in ["", "pl_", "pl_k1", "pl_k1_", "pl_k1_s_e-cre", "pl_k1_s_e-crett", "pl_k2_s_e-cret", "k1_s_e-cret"] {
            assert!(verify(&file(""), key).is_none(), "{key}");
        }
    }

    #[test]
    fn expired_and_revoked_keys_are_no_good() {
        assert!(verify(&file("expires_at = 2026-06-01T00:00:00Z"), "pl_k1_s_e-cret").is_none());
        assert!(verify(&file("expires_at = \"2026-06-01T00:00:01Z\""), "pl_k1_s_e-cret").is_some());
        assert!(verify(&file("revoked_at = 2026-05-01T00:00:00Z"), "pl_k1_s_e-cret").is_none());
    }

    #[test]
    fn a_revoked_key_is_no_good_whatever_its_time() {
        // Written by a host whose clock is an hour ahead of the gateway's.
        assert!(verify(&file("revoked_at = 2026-06-01T01:00:00Z"), "pl_k1_s_e-cret").is_none());
    }

    #[test]
    fn the_environment_is_part_of_the_games_name() {
        assert_eq!(verify(&file("environment = \"test\""), "pl_k1_s_e-cret").unwrap().games[0].as_str(), "runner@test");
        assert_eq!(verify(&file(""), "pl_k1_s_e-cret").unwrap().games[0].as_str(), "runner");
    }

    #[test]
    fn a_bad_file_is_refused_with_the_entry_and_its_fault() {
        let fault = |text: &str| Credentials::parse(text).unwrap_err().to_string();
        assert!(fault("[[key]]\nid = 3").contains("id"));
        assert!(fault(&file("colour = 3")).contains("colour"));
        assert!(fault(&file("environment = \"Te st\"")).contains("key `k1`"));
        assert!(fault(&file("expires_at = \"soon\"")).contains("expires_at"));
        assert!(fault(&(file("") + &file(""))).contains("twice"));
        assert!(fault(&file("").replace("[\"runner\"]", "[]")).contains("no game"));
    }
}
