use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use openssl::x509::{X509Builder, X509NameBuilder};

use super::*;

const NOW: i64 = 1_780_000_000_000;

/// A certificate for that key, valid between two days from now, as PEM.
fn certificate(key: &PKey<Private>, from_days: i64, until_days: i64) -> String {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "localhost").unwrap();
    let name = name.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key).unwrap();
    let at = |days: i64| Asn1Time::from_unix(NOW / 1_000 + days * 86_400).unwrap();
    builder.set_not_before(&at(from_days)).unwrap();
    builder.set_not_after(&at(until_days)).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    String::from_utf8(builder.build().to_pem().unwrap()).unwrap()
}

fn ec() -> PKey<Private> {
    PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap()).unwrap()
}

fn text(pem: Vec<u8>) -> String {
    String::from_utf8(pem).unwrap()
}

fn pkcs8(key: &PKey<Private>) -> String {
    text(key.private_key_to_pem_pkcs8().unwrap())
}

fn parse(chain: &str, key: &str) -> Result<Certificate, Fault> {
    Certificate::parse(chain, key, Timestamp::from_ms(NOW))
}

#[test]
fn a_key_may_be_of_every_usual_form() {
    let (ec, rsa) = (ec(), PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap());
    let sec1 = text(ec.ec_key().unwrap().private_key_to_pem().unwrap());
    let pkcs1 = text(rsa.rsa().unwrap().private_key_to_pem().unwrap());
    let forms = [
        (&ec, pkcs8(&ec), "PRIVATE KEY"),
        (&ec, sec1, "EC PRIVATE KEY"),
        (&rsa, pkcs8(&rsa), "PRIVATE KEY"),
        (&rsa, pkcs1, "RSA PRIVATE KEY"),
    ];
    for (key, pem, label) in forms {
        assert!(pem.contains(&format!("BEGIN {label}-")), "{pem}");
        let read = parse(&certificate(key, -1, 90), &pem).unwrap();
        assert_eq!(read.ends_at.ms(), NOW + 90 * DAY_MS);
        assert_eq!(read.config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }
}

#[test]
fn what_is_wrong_is_told_of_the_file_that_it_is_wrong_with() {
    let (key, other) = (ec(), ec());
    let good = certificate(&key, -1, 90);
    let certificate_fault = |chain: &str| match parse(chain, &pkcs8(&key)).unwrap_err() {
        Fault::Certificate(words) => words,
        other => panic!("{other:?}"),
    };
    assert!(certificate_fault("").contains("BEGIN CERTIFICATE"));
    assert!(certificate_fault(&pkcs8(&key)).contains("BEGIN CERTIFICATE"));
    assert!(certificate_fault(&good[..good.len() / 2]).contains("PEM"));
    let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(certificate_fault(hollow).contains("no certificate"));
    assert!(certificate_fault(&certificate(&key, -90, -1)).contains("ended at"));
    assert!(certificate_fault(&certificate(&key, 1, 90)).contains("not valid before"));
    let ended_issuer = good.clone() + &certificate(&other, -90, -1);
    assert!(certificate_fault(&ended_issuer).contains("ended at"));

    let key_fault = |pem: &str| match parse(&good, pem).unwrap_err() {
        Fault::Key(words) => words,
        other => panic!("{other:?}"),
    };
    assert!(key_fault("").contains("no private key"));
    assert!(key_fault(&good).contains("no private key"));
    let encrypted = text(key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"word").unwrap());
    assert!(key_fault(&encrypted).contains("encrypted"));
    assert!(!key_fault("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_empty());

    assert_eq!(parse(&good, &pkcs8(&other)).unwrap_err(), Fault::Pair);
    let wrong_order = certificate(&other, -1, 90) + &good;
    assert_eq!(parse(&wrong_order, &pkcs8(&key)).unwrap_err(), Fault::Pair);
}

#[test]
fn the_end_is_warned_of_some_days_ahead_and_a_short_life_does_not_always_warn() {
    let key = ec();
    let left = |from, until, at: i64| {
        let read = parse(&certificate(&key, from, until), &pkcs8(&key)).unwrap();
        read.left(Timestamp::from_ms(NOW + at * DAY_MS))
    };
    assert_eq!(left(0, 90, 0), Left::Enough);
    assert_eq!(left(0, 90, 75), Left::Enough);
    assert_eq!(left(0, 90, 76), Left::Days(14));
    assert_eq!(left(0, 90, 89), Left::Days(1));
    assert_eq!(left(0, 90, 90), Left::Nothing);
    assert_eq!(left(0, 6, 4), Left::Enough);
    assert_eq!(left(0, 6, 5), Left::Days(1));
}
