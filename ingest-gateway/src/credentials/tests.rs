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

/// A file of one issuer with a line changed.
fn issuer(line: &str, instead: &str) -> String {
    "[[issuer]]\nname = \"login\"\niss = \"https://login.example/\"\naud = [\"playledger\"]\nalgorithm = \"ES256\"\n\
     jwks_url = \"https://login.example/keys\"\ntenant = \"acme\"\ngames = [\"runner\"]\nscopes = [\"ingest\"]\n"
        .replace(line, instead)
}

#[test]
fn a_bad_issuer_is_refused_with_its_name_and_fault() {
    assert_eq!(Credentials::parse(&issuer("", "")).unwrap().issuers().count(), 1);
    for (line, instead, words) in [
        ("\"ES256\"", "\"HS256\"", "HS256"),
        ("\"ES256\"", "\"none\"", "none"),
        ("algorithm = \"ES256\"\n", "", "algorithm"),
        ("name = \"login\"", "name = \"log in\"", "name"),
        ("aud = [\"playledger\"]", "aud = []", "aud"),
        ("aud = [\"playledger\"]\n", "", "aud"),
        ("iss = \"https://login.example/\"", "iss = \"\"", "iss"),
        ("games = [\"runner\"]", "games = []", "games"),
        ("scopes = [\"ingest\"]", "scopes = []", "scopes"),
        ("jwks_url = \"https://login.example/keys\"\n", "", "jwks_file"),
        ("jwks_url", "jwks_file = \"a\"\njwks_url", "jwks_file"),
        ("https://login.example/keys", "file:///etc/passwd", "http"),
        ("https://login.example/keys", "https://me:secret@login.example/keys", "password"),
        ("scopes", "refresh = \"1s\"\nscopes", "refresh"),
        ("scopes", "colour = 3\nscopes", "colour"),
        ("scopes = [\"ingest\"]\n", "scopes = [\"ingest\"]\n[issuer.claims]\ncolour = \"c\"\n", "colour"),
    ] {
        let fault = Credentials::parse(&issuer(line, instead)).unwrap_err().to_string();
        assert!(fault.contains(words), "{instead}: {fault}");
    }
    let twice = Credentials::parse(&(issuer("", "") + &issuer("", ""))).unwrap_err().to_string();
    assert!(twice.contains("issuer `login`") && twice.contains("twice"), "{twice}");
    let same = issuer("", "") + &issuer("\"login\"", "\"other\"");
    assert!(Credentials::parse(&same).unwrap_err().to_string().contains("same `iss`"));
}

#[test]
fn a_publishable_key_has_the_scope_ingest_and_no_other() {
    assert!(verify(&file("publishable = true"), "pl_k1_s_e-cret").unwrap().publishable);
    for scopes in ["[\"ingest\", \"backfill\"]", "[\"admin\"]", "[]"] {
        let text = file("publishable = true").replace("[\"ingest\"]", scopes);
        assert!(Credentials::parse(&text).unwrap_err().to_string().contains("publishable"), "{scopes}");
    }
}

#[test]
fn a_set_of_keys_gives_those_of_the_pinned_algorithm_only() {
    use super::issuer::Algorithm;
    let ed = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let set = |keys: &str| format!("{{\"keys\":[{keys}]}}");
    let parse = |keys: &str, algorithm| KeySet::parse(set(keys).as_bytes(), algorithm);
    assert_eq!(parse(ed, Algorithm::EdDSA).unwrap().len(), 1);
    assert!(parse(ed, Algorithm::ES256).is_err() && parse(ed, Algorithm::RS256).is_err());
    let strange = r#"{"kty":"new","kid":"b","n":7},{"kty":"oct","kid":"c","k":"AAAA"},"#;
    assert_eq!(parse(&format!("{strange}{ed}"), Algorithm::EdDSA).unwrap().len(), 1, "others are passed over");
    assert!(parse(&format!("{ed},{ed}"), Algorithm::EdDSA).unwrap_err().contains("two keys"));
    for (found, instead) in [
        ("\"kid\":\"a\",", ""),
        ("\"kid\":\"a\"", "\"kid\":\"a b\""),
        ("\"kid\"", "\"use\":\"enc\",\"kid\""),
        ("\"kid\"", "\"alg\":\"ES256\",\"kid\""),
        ("\"kid\"", "\"key_ops\":[\"sign\"],\"kid\""),
        ("Ed25519", "X25519"),
        ("11qYAY", "1"),
    ] {
        assert!(parse(&ed.replace(found, instead), Algorithm::EdDSA).is_err(), "{instead}");
    }
    let short = r#"{"kty":"RSA","kid":"a","e":"AQAB","n":"AQABAQAB"}"#;
    assert!(parse(short, Algorithm::RS256).is_err(), "a short modulus is anybody's");
}
