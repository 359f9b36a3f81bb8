//! API keys and issuers of tokens: the file that holds them, and the judgement of what is presented. Pure.
//!
//! A key reads `pl_<public id>_<secret>`. The file keeps the SHA-256 of the secret only; of an issuer, where
//! the public keys are that its tokens are signed with, and what such a token may do at most:
//!
//! ```toml
//! [[key]]
//! id = "1f0c5a9be27d"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! tenant = "acme"
//! games = ["runner"]
//! environment = "live"
//! scopes = ["ingest"]
//!
//! [[issuer]]
//! name = "acme-login"
//! iss = "https://login.acme.example/"
//! aud = ["playledger"]
//! algorithm = "ES256"
//! jwks_url = "https://login.acme.example/jwks.json"
//! tenant = "acme"
//! games = ["runner"]
//! scopes = ["ingest"]
//! ```

mod entry;
mod grant;
pub mod issuer;
pub mod key_set;
mod scope;
mod token;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use entry::fit_for_all_eyes;
use issuer::Issuer;
use key_set::KeySet;
use schemas::{Game, PlayerId, Tenant, Timestamp};
pub use scope::Scope;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What stands before every key.
pub const PREFIX: &str = "pl_";
/// The tier of a key that names none.
pub const DEFAULT_TIER: &str = "standard";

/// What an API key or a token may do; its secret is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Names the credential in logs, stamps and commands: a key's public id; of a token
    /// `<issuer's name>:<id of the key that signed it>`, the same for all players.
    pub id: String,
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
    /// Whether it may be seen by everybody, as a key in a page is: it can't do anything but `ingest`.
    pub publishable: bool,
    /// The name of the issuer whose token it is; none where it is a key.
    pub issuer: Option<Arc<str>>,
    /// The only player whose events it may send; any where there is none.
    pub player: Option<PlayerId<'static>>,
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

/// All keys and issuers of a file.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    by_id: HashMap<String, Key>,
    by_iss: HashMap<String, Arc<Issuer>>,
}

#[derive(Clone, Debug)]
struct Key {
    /// Of the secret.
    sha256: [u8; 32],
    credential: Arc<Credential>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Sound: this is what it may do.
    Good(Arc<Credential>),
    /// All that it says would do, but its issuer's keys at hand hold none of its `kid`.
    UnknownKey(Arc<Issuer>),
    /// No good.
    Bad,
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
    /// One issuer breaks a rule.
    #[error("issuer `{name}`: {fault}")]
    Issuer {
        /// The issuer's name.
        name: String,
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
            let (sha256, credential) = entry.judge().map_err(fault)?;
            let key = Key { sha256, credential: Arc::new(credential) };
            if by_id.insert(id.clone(), key).is_some() {
                return Err(fault("stands twice in the file".into()));
            }
        }
        Ok(Self { by_id, by_iss: issuers(file.issuer)? })
    }

    /// The credential that a presented key belongs to, if the key is sound and good at `now`.
    ///
    /// Takes the same time whatever part of the secret is wrong, and whether the id is known.
    pub fn verify(&self, presented: &str, now: Timestamp) -> Option<Arc<Credential>> {
        let (id, secret) = presented.strip_prefix(PREFIX)?.split_once('_')?;
        let known = self.by_id.get(id);
        let expected = known.map_or([0; 32], |key| key.sha256);
        let same = bool::from(fingerprint(secret).ct_eq(&expected));
        known.map(|key| &key.credential).filter(|credential| same && credential.live_at(now)).cloned()
    }

    /// What a presented JWT is at `now`; `keys_of` gives the public keys of an issuer that are at hand.
    ///
    /// The token chooses neither algorithm nor key material: both are its issuer's.
    pub fn verify_token(&self, text: &str, keys_of: &dyn Fn(&Issuer) -> Arc<KeySet>, now: Timestamp) -> Verdict {
        let Some(token) = token::Token::parse(text) else { return Verdict::Bad };
        let issuer = token.issuer().and_then(|iss| self.by_iss.get(iss));
        let Some(issuer) = issuer.filter(|issuer| token.is_of(issuer.keys.algorithm)) else { return Verdict::Bad };
        // Before the signature, which costs more: and nobody's keys are looked up for what would be no good.
        let Some(credential) = issuer.grant(&token.claims, &token.kid, now) else { return Verdict::Bad };
        match keys_of(issuer).get(&token.kid) {
            None => Verdict::UnknownKey(Arc::clone(issuer)),
            Some(key) if token.is_signed_by(key, issuer.keys.algorithm) => Verdict::Good(Arc::new(credential)),
            Some(_) => Verdict::Bad,
        }
    }

    /// All keys, by id.
    pub fn all(&self) -> Vec<Arc<Credential>> {
        let mut all: Vec<_> = self.by_id.values().map(|key| Arc::clone(&key.credential)).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// All issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.by_iss.values()
    }

    /// How many keys and issuers there are.
    pub fn len(&self) -> usize {
        self.by_id.len() + self.by_iss.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn issuers(entries: Vec<issuer::Entry>) -> Result<HashMap<String, Arc<Issuer>>, CredentialsError> {
    let mut by_iss: HashMap<String, Arc<Issuer>> = HashMap::with_capacity(entries.len());
    for entry in entries {
        let name = entry.name.clone();
        let fault = |fault: &str| CredentialsError::Issuer { name: name.clone(), fault: fault.into() };
        let issuer = entry.judge().map_err(|words| fault(&words))?;
        if by_iss.values().any(|other| other.name == issuer.name) {
            return Err(fault("stands twice in the file"));
        }
        if by_iss.insert(issuer.iss.clone(), Arc::new(issuer)).is_some() {
            return Err(fault("another issuer has the same `iss`"));
        }
    }
    Ok(by_iss)
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
mod tests;
