//! An issuer's public keys, as a JSON Web Key Set (RFC 7517) has them. Pure.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::issuer::Algorithm;

/// So many keys an issuer may have at once.
const MAX_KEYS: usize = 100;
/// The sizes of an RSA modulus that are taken, in bytes: 2,048 to 4,096 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// A P-256 coordinate, and an Ed25519 key.
const POINT_BYTES: usize = 32;

/// Public keys of one algorithm, by their id.
#[derive(Debug, Default)]
pub struct KeySet {
    by_kid: HashMap<String, DecodingKey>,
}

#[derive(Deserialize)]
struct File {
    keys: Vec<Value>,
}

/// What matters of a key; what else stands there is passed over, as RFC 7517 says.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set's keys of `algorithm`; others in it are passed over.
    ///
    /// # Errors
    /// In words, when it is no such set, or holds no key that could be used.
    pub fn parse(json: &[u8], algorithm: Algorithm) -> Result<Self, String> {
        let file: File = serde_json::from_slice(json).map_err(|error| format!("no JSON Web Key Set: {error}"))?;
        if file.keys.len() > MAX_KEYS {
            return Err(format!("holds more than {MAX_KEYS} keys"));
        }
        let mut by_kid = HashMap::new();
        for value in file.keys {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else { continue };
            let Some(kid) = jwk.kid.clone().filter(|kid| is_kid(kid)) else { continue };
            let Some(key) = jwk.key(algorithm) else { continue };
            if by_kid.insert(kid.clone(), key).is_some() {
                return Err(format!("holds two keys with the kid `{kid}`"));
            }
        }
        if by_kid.is_empty() {
            return Err(format!("holds no {algorithm:?} key with a `kid` that could be used"));
        }
        Ok(Self { by_kid })
    }

    /// The key of that id.
    pub(super) fn get(&self, kid: &str) -> Option<&DecodingKey> {
        self.by_kid.get(kid)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_kid.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_kid.is_empty()
    }
}

/// Whether an id of a key is one that may stand in stamps: 1 to 128 visible characters of ASCII.
pub(super) fn is_kid(kid: &str) -> bool {
    (1..=128).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Jwk {
    /// The key, where it is one of `algorithm` that is meant for signatures.
    fn key(&self, algorithm: Algorithm) -> Option<DecodingKey> {
        let for_it = self.alg.as_deref().is_none_or(|alg| alg == algorithm.as_str());
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !(for_it && signs && verifies) {
            return None;
        }
        match (algorithm, self.kty.as_str(), self.crv.as_deref()) {
            (Algorithm::EdDSA, "OKP", Some("Ed25519")) => {
                let x = bytes(self.x.as_deref()).filter(|x| x.len() == POINT_BYTES)?;
                Some(DecodingKey::from_ed_der(&x))
            }
            (Algorithm::ES256, "EC", Some("P-256")) => {
                let coordinate = |text: Option<&str>| bytes(text).filter(|bytes| bytes.len() == POINT_BYTES);
                // SEC 1, uncompressed.
                let point = [vec![4], coordinate(self.x.as_deref())?, coordinate(self.y.as_deref())?].concat();
                Some(DecodingKey::from_ec_der(&point))
            }
            (Algorithm::RS256, "RSA", None) => {
                let modulus = bytes(self.n.as_deref()).filter(|n| RSA_BYTES.contains(&n.len()))?;
                Some(DecodingKey::from_rsa_raw_components(&modulus, &bytes(self.e.as_deref())?))
            }
            _ => None,
        }
    }
}

impl Algorithm {
    /// Its name in JOSE.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDSA => "EdDSA",
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
        }
    }
}

fn bytes(text: Option<&str>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}
