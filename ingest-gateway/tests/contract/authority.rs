//! An authority that signs certificates, by OpenSSL: another hand than the one that serves them.

use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

/// A key of an authority and the certificate of it.
pub(crate) struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

/// A server's certificate and key, as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = elliptic();
        let name = name("Test authority");
        let mut builder = builder(1, &name, &name, &key, 3_600);
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { key, certificate: builder.build() }
    }

    /// Its own certificate, as PEM.
    pub(crate) fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    /// A certificate of that serial number for this machine, an hour long.
    pub(crate) fn signs(&self, serial: u32) -> Pair {
        self.signs_for(serial, &elliptic(), 3_600)
    }

    /// The same of an RSA key.
    pub(crate) fn signs_rsa(&self, serial: u32) -> Pair {
        self.signs_for(serial, &PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap(), 3_600)
    }

    /// The same that began an hour ago and ends so many seconds from now.
    pub(crate) fn signs_ending(&self, serial: u32, ends_in: i64) -> Pair {
        self.signs_for(serial, &elliptic(), ends_in)
    }

    fn signs_for(&self, serial: u32, key: &PKey<Private>, ends_in: i64) -> Pair {
        let mut builder = builder(serial, &name("localhost"), self.certificate.subject_name(), key, ends_in);
        let names = SubjectAlternativeName::new()
            .ip("127.0.0.1")
            .dns("localhost")
            .build(&builder.x509v3_context(Some(&self.certificate), None))
            .unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let certificate = String::from_utf8(builder.build().to_pem().unwrap()).unwrap();
        Pair { certificate, key: String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap() }
    }
}

fn elliptic() -> PKey<Private> {
    PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap()).unwrap()
}

fn name(common: &str) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common).unwrap();
    name.build()
}

fn builder(
    serial: u32,
    subject: &X509Name,
    issuer: &openssl::x509::X509NameRef,
    key: &PKey<Private>,
    ends_in: i64,
) -> X509Builder {
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    let now = daemon::Clock::system().now_ms() / 1_000;
    let hour = i64::try_from(Duration::from_hours(1).as_secs()).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now - hour).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(now + ends_in).unwrap()).unwrap();
    builder
}
