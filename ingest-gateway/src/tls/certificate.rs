//! A certificate and its key, judged together, and how much of its life is left. Pure.

use std::sync::Arc;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::X509;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use schemas::Timestamp;

const DAY_MS: i64 = 86_400_000;
/// What is left of a certificate's life is warned of from here on, or from its last sixth if that is shorter.
const WARNED_MS: i64 = 14 * DAY_MS;

/// A certificate that can be served.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    /// How TLS is spoken with it.
    pub(super) config: Arc<ServerConfig>,
    /// When it ends, the first of its chain to end.
    pub(super) ends_at: Timestamp,
    begins_at: Timestamp,
}

/// What is wrong with a pair of files, and which of them it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The certificate.
    Certificate(String),
    /// The key.
    Key(String),
    /// That they do not belong together.
    Pair,
}

/// How much of a certificate's life is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Enough.
    Enough,
    /// So many whole days: it should have been renewed by now.
    Days(i64),
    /// Nothing.
    Nothing,
}

impl Certificate {
    /// Judges the texts of a chain, the server's own certificate first, and of its key, both PEM.
    ///
    /// # Errors
    /// What is wrong with which of them; also where the certificate is not valid at `now`.
    pub(super) fn parse(chain: &str, key: &str, now: Timestamp) -> Result<Self, Fault> {
        let chain = certificates(chain)?;
        let (mut begins_at, mut ends_at) = (Timestamp::from_ms(i64::MIN), Timestamp::from_ms(i64::MAX));
        for der in &chain {
            let (begins, ends) = validity(der)?;
            (begins_at, ends_at) = (begins_at.max(begins), ends_at.min(ends));
        }
        if ends_at <= now {
            return Err(Fault::Certificate(format!("it, or another of its chain, ended at {ends_at}")));
        }
        if begins_at > now {
            return Err(Fault::Certificate(format!("it, or another of its chain, is not valid before {begins_at}")));
        }
        let config = Arc::new(config(chain, private_key(key)?)?);
        Ok(Self { config, ends_at, begins_at })
    }

    /// How much of its life is left at `now`.
    pub(super) fn left(&self, now: Timestamp) -> Left {
        let left = self.ends_at.ms() - now.ms();
        let warned = WARNED_MS.min((self.ends_at.ms() - self.begins_at.ms()) / 6);
        match left {
            ..=0 => Left::Nothing,
            left if left <= warned => Left::Days(left / DAY_MS),
            _ => Left::Enough,
        }
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = read.map_err(|error| Fault::Certificate(format!("it is no sound PEM: {error}")))?;
    if chain.is_empty() {
        return Err(Fault::Certificate("there is no `-----BEGIN CERTIFICATE-----` in it".into()));
    }
    Ok(chain)
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| {
        let words = if pem.contains("ENCRYPTED") {
            "it is encrypted: `openssl pkey -in FILE -out PLAIN` undoes that".into()
        } else if matches!(error, rustls::pki_types::pem::Error::NoItemsFound) {
            "there is no private key in it: PKCS#8, PKCS#1 and SEC1 are understood, as PEM".into()
        } else {
            format!("it is no sound PEM: {error}")
        };
        Fault::Key(words)
    })
}

/// From when until when a certificate is valid.
fn validity(der: &CertificateDer<'_>) -> Result<(Timestamp, Timestamp), Fault> {
    let read = || {
        let certificate = X509::from_der(der)?;
        Ok((time(certificate.not_before())?, time(certificate.not_after())?))
    };
    let words = |error: openssl::error::ErrorStack| Fault::Certificate(format!("it is no certificate: {error}"));
    read().map_err(words)
}

fn time(at: &Asn1TimeRef) -> Result<Timestamp, openssl::error::ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(at)?;
    Ok(Timestamp::from_ms(i64::from(since.days) * DAY_MS + i64::from(since.secs) * 1_000))
}

fn config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, Fault> {
    let provider = Arc::new(rustls_openssl::default_provider());
    // Loaded here first: so a key that is none is told apart from a certificate that is none.
    provider.key_provider.load_private_key(key.clone_key()).map_err(|error| Fault::Key(error.to_string()))?;
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
    let builder = builder.map_err(|error| Fault::Certificate(error.to_string()))?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Fault::Pair,
        error => Fault::Certificate(error.to_string()),
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
