//! Signs tokens as an issuer does, by OpenSSL: another hand than the one that verifies them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use openssl::sign::Signer as OpenSslSigner;
use serde_json::{Value, json};

/// A private key of an issuer.
pub(crate) struct Signer {
    pub(crate) kid: String,
    pub(crate) alg: &'static str,
    key: PKey<Private>,
}

impl Signer {
    pub(crate) fn new(alg: &'static str, kid: &str) -> Self {
        let key = match alg {
            "EdDSA" => PKey::generate_ed25519().unwrap(),
            "ES256" => PKey::from_ec_key(EcKey::generate(&p256()).unwrap()).unwrap(),
            "RS256" => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
            other => panic!("{other}"),
        };
        Self { kid: kid.to_owned(), alg, key }
    }

    /// The public key, as a JWKS has it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match self.alg {
            "EdDSA" => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&self.key.raw_public_key().unwrap())}),
            "ES256" => {
                let key = self.key.ec_key().unwrap();
                let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
                let point = key.public_key().to_bytes(&p256(), form, &mut BigNumContext::new().unwrap()).unwrap();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            _ => {
                let key = self.key.rsa().unwrap();
                json!({"kty": "RSA", "n": b64(&key.n().to_vec()), "e": b64(&key.e().to_vec())})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_under(&json!({"alg": self.alg, "kid": self.kid, "typ": "JWT"}), claims)
    }

    /// A token under a head of one's own, signed by this key whatever the head says.
    pub(crate) fn token_under(&self, head: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(head), part(claims));
        format!("{message}.{}", b64(&self.sign(message.as_bytes())))
    }

    /// A token signed by HMAC with the public key, which everybody knows, for the secret.
    pub(crate) fn confused(&self, head: &Value, claims: &Value) -> Vec<String> {
        let message = format!("{}.{}", part(head), part(claims));
        let rsa = self.key.rsa().unwrap();
        let secrets = [
            self.key.public_key_to_pem().unwrap(),
            self.key.public_key_to_der().unwrap(),
            rsa.public_key_to_der_pkcs1().unwrap(),
            rsa.n().to_vec(),
        ];
        let signed = |secret: &Vec<u8>| {
            let key = PKey::hmac(secret).unwrap();
            let mut signer = OpenSslSigner::new(MessageDigest::sha256(), &key).unwrap();
            let signature = signer.sign_oneshot_to_vec(message.as_bytes()).unwrap();
            format!("{message}.{}", b64(&signature))
        };
        secrets.iter().map(signed).collect()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self.alg {
            "EdDSA" => OpenSslSigner::new_without_digest(&self.key).unwrap().sign_oneshot_to_vec(message).unwrap(),
            "ES256" => {
                let signature = EcdsaSig::sign(&sha256(message), &self.key.ec_key().unwrap()).unwrap();
                let halves = [signature.r(), signature.s()].map(|half| half.to_vec_padded(32).unwrap());
                halves.concat()
            }
            _ => {
                let mut signer = OpenSslSigner::new(MessageDigest::sha256(), &self.key).unwrap();
                signer.sign_oneshot_to_vec(message).unwrap()
            }
        }
    }
}

pub(crate) fn jwks(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn part(value: &Value) -> String {
    b64(value.to_string().as_bytes())
}

fn p256() -> EcGroup {
    EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()
}
