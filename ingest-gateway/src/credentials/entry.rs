//! An entry of the credentials file, as TOML has it.

use schemas::{Tenant, Timestamp};
use serde::Deserialize;

use super::{Credential, DEFAULT_TIER, Scope, game_in, issuer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) key: Vec<Entry>,
    #[serde(default)]
    pub(super) issuer: Vec<issuer::Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    sha256: String,
    tenant: Tenant,
    games: Vec<String>,
    #[serde(default = "live")]
    environment: String,
    scopes: Vec<Scope>,
    #[serde(default = "default_tier")]
    tier: String,
    #[serde(default)]
    publishable: bool,
    created_at: Option<toml::Value>,
    expires_at: Option<toml::Value>,
    revoked_at: Option<toml::Value>,
}

pub(super) fn live() -> String {
    "live".into()
}

pub(super) fn default_tier() -> String {
    DEFAULT_TIER.into()
}

impl Entry {
    /// The digest of its secret and the credential that it stands for; or what is wrong with it, in words.
    pub(super) fn judge(self) -> Result<([u8; 32], Credential), String> {
        let id_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if self.id.is_empty() || self.id.len() > 40 || !self.id.bytes().all(id_byte) {
            return Err("an id is 1 to 40 of A-Z a-z 0-9 -".into());
        }
        if self.games.is_empty() {
            return Err("`games` names no game".into());
        }
        if self.publishable {
            fit_for_all_eyes(&self.scopes)?;
        }
        let games = self.games.iter().map(|name| game_in(name, &self.environment)).collect::<Result<_, _>>()?;
        let sha256 = unhex(&self.sha256).ok_or("`sha256` is 64 hexadecimal digits")?;
        let credential = Credential {
            games,
            created_at: time("created_at", self.created_at)?,
            expires_at: time("expires_at", self.expires_at)?,
            revoked_at: time("revoked_at", self.revoked_at)?,
            id: self.id,
            tenant: self.tenant,
            environment: self.environment,
            scopes: self.scopes,
            tier: self.tier,
            publishable: self.publishable,
            issuer: None,
            player: None,
        };
        Ok((sha256, credential))
    }
}

/// Judges the scopes of a key that everybody may see.
///
/// # Errors
/// Any but `ingest`.
pub(crate) fn fit_for_all_eyes(scopes: &[Scope]) -> Result<(), String> {
    if scopes == [Scope::Ingest] {
        return Ok(());
    }
    Err("a publishable key can be read by everybody: it has the scope `ingest` and no other".into())
}

/// A time written as TOML's own or as text.
fn time(name: &str, value: Option<toml::Value>) -> Result<Option<Timestamp>, String> {
    let text = match value {
        None => return Ok(None),
        Some(toml::Value::String(text)) => text,
        Some(toml::Value::Datetime(time)) => time.to_string(),
        Some(_) => return Err(format!("`{name}` {}", Timestamp::RULE)),
    };
    Timestamp::parse(&text).map(Some).ok_or_else(|| format!("`{name}` {}", Timestamp::RULE))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}
