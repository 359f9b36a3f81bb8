//! An issuer of tokens: an entry of the credentials file, and what came of it. Pure.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemas::{Game, Tenant};
use serde::Deserialize;

use super::{Scope, entry, game_in};

/// How often keys are fetched anew where the file does not say.
const REFRESH: Duration = Duration::from_mins(5);
/// How often they may be fetched, at most and at least.
const REFRESH_BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_hours(24);

/// What an issuer's tokens are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Algorithm {
    /// Ed25519.
    EdDSA,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// RSA, PKCS #1 v1.5, with SHA-256.
    RS256,
}

/// Where an issuer's public keys are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a file; a relative path begins at the credentials file's folder.
    File(PathBuf),
    /// Behind an http or https URL.
    Url(String),
}

/// An issuer's public keys, before they have been read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySource {
    /// Where they are.
    pub place: Place,
    /// What they are for.
    pub algorithm: Algorithm,
    /// How often they are fetched from a URL.
    pub refresh: Duration,
}

/// Whose tokens are taken, and what such a token may do at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Names it in logs and stamps.
    pub name: Arc<str>,
    /// The claim `iss` of its tokens.
    pub iss: String,
    /// A token is meant for one of these.
    pub audiences: Vec<String>,
    /// Its public keys.
    pub keys: KeySource,
    /// Whose events its tokens send.
    pub tenant: Tenant,
    /// The games that they may name, environment included; at least one.
    pub games: Vec<Game>,
    /// The games' environment.
    pub environment: String,
    /// What they may do; at least one thing.
    pub scopes: Vec<Scope>,
    /// Names the limits of a token that names none.
    pub tier: String,
    /// Other tiers that a token may name.
    pub tiers: Vec<String>,
    /// Whether a token without player is no good.
    pub player_required: bool,
    /// What the claims are called.
    pub claims: ClaimNames,
}

/// What an issuer calls the claims that a token narrows its rights by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimNames {
    /// The only player whose events it sends.
    pub player: String,
    /// The tenant; another one than the issuer's makes the token no good.
    pub tenant: String,
    /// The games.
    pub games: String,
    /// The scopes, as OAuth writes them.
    pub scopes: String,
    /// The tier.
    pub tier: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        let [player, tenant, games, scopes, tier] = ["player", "tenant", "games", "scope", "tier"].map(String::from);
        Self { player, tenant, games, scopes, tier }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) name: String,
    iss: String,
    aud: Vec<String>,
    algorithm: Algorithm,
    jwks_file: Option<PathBuf>,
    jwks_url: Option<String>,
    refresh: Option<String>,
    tenant: Tenant,
    games: Vec<String>,
    #[serde(default = "entry::live")]
    environment: String,
    scopes: Vec<Scope>,
    #[serde(default = "entry::default_tier")]
    tier: String,
    #[serde(default)]
    tiers: Vec<String>,
    #[serde(default)]
    player_required: bool,
    #[serde(default)]
    claims: ClaimNames,
}

impl Entry {
    /// The issuer that it stands for; or what is wrong with it, in words.
    pub(super) fn judge(self) -> Result<Issuer, String> {
        let name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if self.name.is_empty() || self.name.len() > 40 || !self.name.bytes().all(name_byte) {
            return Err("a name is 1 to 40 of A-Z a-z 0-9 -".into());
        }
        let lists = [("games", self.games.is_empty()), ("scopes", self.scopes.is_empty())];
        if let Some((list, _)) = lists.iter().find(|(_, empty)| *empty) {
            return Err(format!("`{list}` is an empty list"));
        }
        if self.iss.is_empty() || self.aud.is_empty() || self.aud.iter().any(String::is_empty) {
            return Err("`iss` and `aud` say which tokens are meant for this gateway; neither may be empty".into());
        }
        let games = self.games.iter().map(|name| game_in(name, &self.environment)).collect::<Result<_, _>>()?;
        Ok(Issuer {
            keys: KeySource {
                refresh: refresh(self.refresh.as_deref(), self.jwks_url.is_some())?,
                place: place(self.jwks_file, self.jwks_url)?,
                algorithm: self.algorithm,
            },
            name: self.name.into(),
            iss: self.iss,
            audiences: self.aud,
            tenant: self.tenant,
            games,
            environment: self.environment,
            scopes: self.scopes,
            tier: self.tier,
            tiers: self.tiers,
            player_required: self.player_required,
            claims: self.claims,
        })
    }
}

fn place(file: Option<PathBuf>, url: Option<String>) -> Result<Place, String> {
    let url = match (file, url) {
        (Some(file), None) => return Ok(Place::File(file)),
        (None, Some(url)) => url,
        _ => return Err("give either `jwks_file` or `jwks_url`".into()),
    };
    let sound = url.parse::<http::Uri>().is_ok_and(|uri| {
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        scheme && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    if sound { Ok(Place::Url(url)) } else { Err("`jwks_url` is an http or https URL without user and password".into()) }
}

fn refresh(text: Option<&str>, has_url: bool) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(REFRESH) };
    if !has_url {
        return Err("`refresh` goes with `jwks_url`; a file is read again when it changes".into());
    }
    let refresh = humantime::parse_duration(text).ok().filter(|time| REFRESH_BOUNDS.contains(time));
    refresh.ok_or_else(|| "`refresh` is a time such as \"5m\", from 30s to 24h".into())
}
