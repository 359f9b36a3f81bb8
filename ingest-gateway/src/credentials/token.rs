//! A JSON Web Token (RFC 7519) in the compact form, taken apart. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::issuer::Algorithm;
use super::key_set::is_kid;

/// A longer token is none.
const MAX_BYTES: usize = 8 << 10;

/// A token of which nothing has been verified.
pub(super) struct Token<'a> {
    alg: String,
    /// The id of the key that it is signed with.
    pub(super) kid: String,
    /// What it claims.
    pub(super) claims: Map<String, Value>,
    /// What is signed.
    message: &'a str,
    signature: &'a str,
}

/// What is read of a token's head. Keys in it, or where to fetch them, are a stranger's.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: String,
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Takes a token apart; none where it is none, or must be understood beyond what is understood here.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (head, claims) = message.split_once('.')?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let head: Head = serde_json::from_slice(&decoded(head)?).ok()?;
        if head.crit.is_some() || !is_kid(&head.kid) {
            return None;
        }
        let claims = serde_json::from_slice(&decoded(claims)?).ok()?;
        Some(Self { alg: head.alg, kid: head.kid, claims, message, signature })
    }

    /// Who it says that it is from.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// Whether it says that it is signed so.
    pub(super) fn is_of(&self, algorithm: Algorithm) -> bool {
        self.alg == algorithm.as_str()
    }

    /// Whether `key` signed it, by `algorithm`.
    pub(super) fn is_signed_by(&self, key: &DecodingKey, algorithm: Algorithm) -> bool {
        let algorithm = match algorithm {
            Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        };
        jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, algorithm).unwrap_or(false)
    }
}
