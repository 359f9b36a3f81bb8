//! JSON Web Tokens: which are taken, which are not, and what one may do.

use reqwest::Method;
use serde_json::{Value, json};

use crate::issuing::{claiming, claims, issuer, seconds, world_of};
use crate::signer::{Signer, b64, jwks, part};
use crate::told::{event, with};
use crate::world::{Setting, World};

const ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_each_algorithm_is_taken_and_stamped_with_issuer_and_key() {
    for alg in ALGORITHMS {
        let signer = Signer::new(alg, "k-1");
        let world = world_of(&signer, "").await;
        let token = signer.token(&claims("login"));
        world.post_as(&token, "/v1/events", &event()).await.accepted();
        assert_eq!(world.events().await[0]["key_id"], "login:k-1");
        let told = world.as_key(&token, "/v1/whoami").await;
        for (name, expected) in [
            ("key_id", json!("login:k-1")),
            ("issuer", json!("login")),
            ("tenant", json!("acme")),
            ("games", json!(["runner"])),
            ("scopes", json!(["ingest"])),
            ("publishable", json!(false)),
        ] {
            assert_eq!(told.body[name], expected, "{alg}");
        }
        assert!(told.body["expires_at"].is_string() && told.body.get("player").is_none());
        assert_eq!(world.as_key(&world.key, "/v1/whoami").await.status, 200, "keys are good beside it");
    }
}

/// Tokens that are wrong in one way each, with that way's name.
fn wrong(signer: &Signer, other: &Signer) -> Vec<(String, String)> {
    let head = |alg: &str| json!({"alg": alg, "kid": signer.kid});
    let sound = claims("login");
    let with_claim = |claim: &str, value: Value| signer.token(&claiming("login", claim, value));
    let mut wrong = vec![
        ("expired", with_claim("exp", json!(seconds(-60)))),
        ("no exp", with_claim("exp", Value::Null)),
        ("exp as text", with_claim("exp", json!("4102444800"))),
        ("not yet", with_claim("nbf", json!(seconds(60)))),
        ("nbf as text", with_claim("nbf", json!("0"))),
        ("another aud", with_claim("aud", json!("somebody-else"))),
        ("other auds", with_claim("aud", json!(["a", "b"]))),
        ("no aud", with_claim("aud", Value::Null)),
        ("another iss", with_claim("iss", json!("https://login.example"))),
        ("no iss", with_claim("iss", Value::Null)),
        ("iss as list", with_claim("iss", json!(["https://login.example/"]))),
        ("another tenant", with_claim("tenant", json!("other"))),
        ("a player that is none", with_claim("player", json!("Ada Lovelace"))),
        ("a player that is no text", with_claim("player", json!(7))),
        ("games that are none of the issuer's", with_claim("games", json!(["chess"]))),
        ("unknown kid", signer.token_under(&json!({"alg": signer.alg, "kid": "k-9"}), &sound)),
        ("no kid", signer.token_under(&json!({"alg": signer.alg}), &sound)),
        ("must understand", signer.token_under(&json!({"alg": signer.alg, "kid": signer.kid, "crit": ["x"]}), &sound)),
        ("another key's", other.token_under(&head(signer.alg), &sound)),
        ("its own key in its head", {
            other.token_under(&json!({"alg": signer.alg, "kid": other.kid, "jwk": other.jwk()}), &sound)
        }),
        ("alg none, unsigned", format!("{}.{}.", part(&head("none")), part(&sound))),
        ("alg none, signed", signer.token_under(&head("none"), &sound)),
        ("alg None", signer.token_under(&head("None"), &sound)),
        ("signature cut", signer.token(&sound).rsplit_once('.').unwrap().0.to_owned() + "."),
        ("four parts", signer.token(&sound) + ".x"),
        ("two parts", signer.token(&sound).rsplit_once('.').unwrap().0.to_owned()),
        ("no JSON", format!("{}.{}.x", b64(b"{"), b64(b"{"))),
        ("very long", with_claim("more", json!("x".repeat(9_000)))),
    ];
    for alg in ALGORITHMS.into_iter().chain(["HS256", "RS512", "PS256", "ES384"]) {
        if alg != signer.alg {
            wrong.push(("another alg", signer.token_under(&head(alg), &sound)));
        }
    }
    if signer.alg == "RS256" {
        wrong.extend(signer.confused(&head("HS256"), &sound).into_iter().map(|token| ("HS by public key", token)));
        wrong.extend(signer.confused(&head("RS256"), &sound).into_iter().map(|token| ("HS called RS", token)));
    }
    let changed = signer.token(&sound).replace(&part(&sound), &part(&claiming("login", "player", json!("p-9"))));
    wrong.push(("changed claims", changed));
    wrong.into_iter().map(|(way, token)| (way.to_owned(), token)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_token_is_the_same_401() {
    for alg in ALGORITHMS {
        let (signer, other) = (Signer::new(alg, "k-1"), Signer::new(alg, "k-2"));
        let world = world_of(&signer, "").await;
        let words = |body: &Value| (body["detail"].clone(), body["title"].clone(), body["code"].clone());
        let expected = words(&world.get("/v1/whoami").await.body);
        let mut tried = 0;
        for (way, token) in wrong(&signer, &other) {
            let told = world.post_as(&token, "/v1/events", &event()).await;
            assert_eq!((told.status, words(&told.body)), (401, expected.clone()), "{alg}, {way}");
            assert_eq!(told.headers["www-authenticate"], "Bearer realm=\"playledger\"");
            tried += 1;
        }
        println!("{alg}: {tried} bad tokens refused");
        world.assert_untouched().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_into_the_bearer_header_only() {
    let signer = Signer::new("ES256", "k-1");
    let world = world_of(&signer, "").await;
    let token = signer.token(&claims("login"));
    let plain = world.request(Method::GET, "/v1/whoami").header("x-api-key", &token);
    world.send(plain).await.is(401, "unauthenticated");
    world.get(&format!("/v1/whoami?key={token}")).await.is(401, "unauthenticated");
    world.as_key(&token, &format!("/v1/whoami?key={token}")).await.is(401, "unauthenticated");
    let twice = world.request(Method::GET, "/v1/whoami").bearer_auth(&token).bearer_auth(&token);
    world.send(twice).await.is(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_may_be_half_a_minute_apart() {
    let signer = Signer::new("EdDSA", "k-1");
    let world = world_of(&signer, "").await;
    for (claim, value) in [
        ("exp", json!(seconds(-20))),
        ("nbf", json!(seconds(20))),
        ("exp", json!(1e300)),
        ("aud", json!(["x", "playledger"])),
    ] {
        let token = signer.token(&claiming("login", claim, value));
        assert_eq!(world.as_key(&token, "/v1/whoami").await.status, 200, "{claim}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_player_sends_that_players_events_only() {
    let signer = Signer::new("ES256", "k-1");
    let world = world_of(&signer, "player_required = true").await;
    let token = signer.token(&claiming("login", "player", json!("p-1207")));
    assert_eq!(world.as_key(&token, "/v1/whoami").await.body["player"], "p-1207");
    world.as_key(&signer.token(&claims("login")), "/v1/whoami").await.is(401, "unauthenticated");
    let others = [with("player_id", json!("p-9")), with("player_id", json!("P-1207")), with("player_id", Value::Null)];
    let batch = json!({"events": [event(), others[0], others[1], others[2]]});
    let told = world.post_as(&token, "/v1/batch", &batch).await;
    assert_eq!((told.status, told.counts()), (207, [1, 0, 0, 3]), "{}", told.body);
    for result in told.body["results"].as_array().unwrap() {
        assert_eq!((&result["code"], &result["errors"][0]["pointer"]), (&json!("forbidden"), &json!("/player_id")));
    }
    let close = json!({"player_id": "p-9", "reason": "completed"});
    let path = format!("/v1/sessions/{}/close", uuid::Uuid::new_v4());
    world.post_as(&token, &path, &close).await.is(403, "forbidden");
    assert_eq!(world.events().await.len(), 1);
    assert!(world.holes().await.is_empty(), "a stranger's event leaves no hole in a session");
    assert_eq!(world.quarantined().await, ["forbidden"; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_player_is_held_to_the_subject_of_a_cloud_event() {
    let signer = Signer::new("ES256", "k-1");
    let world = world_of(&signer, "").await;
    let token = signer.token(&claiming("login", "player", json!("p-1207")));
    let cloud = |subject: &str| {
        let event = event();
        json!({"specversion": "1.0", "source": "/game", "id": event["event_id"], "type": event["event_type"],
            "time": event["timestamp"], "subject": subject, "sessionid": event["session_id"], "seq": 0,
            "data": event["data"]})
    };
    let body = json!([cloud("p-1207"), cloud("p-9")]).to_string();
    let request = world.request(Method::POST, "/v1/batch").bearer_auth(&token);
    let told = world.send(request.header("content-type", "application/cloudevents-batch+json").body(body)).await;
    assert_eq!((told.status, told.fault().0.as_str()), (207, "/subject"));
    assert!(world.holes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_narrows_its_issuers_rights_and_never_widens_them() {
    let signer = Signer::new("ES256", "k-1");
    let entry = issuer("login", "ES256", "jwks_file = \"login.json\"", "tier = \"school\"\ntiers = [\"trial\"]")
        .replace("[\"runner\"]", "[\"runner\", \"chess\"]")
        .replace("[\"ingest\"]", "[\"ingest\", \"backfill\"]");
    let files = vec![("login.json".to_owned(), jwks(&[&signer]))];
    let world = World::with(Setting { credentials: entry, files, ..Setting::default() }).await;
    let told = async |claim: &str, value: Value| {
        world.as_key(&signer.token(&claiming("login", claim, value)), "/v1/whoami").await.body
    };
    for (claim, value, told_as, expected) in [
        ("games", json!(["chess"]), "games", json!(["chess"])),
        ("games", json!("chess"), "games", json!(["chess"])),
        ("games", json!(["chess", "go"]), "games", json!(["chess"])),
        ("scope", json!("openid ingest admin"), "scopes", json!(["ingest"])),
        ("scope", json!(["ingest"]), "scopes", json!(["ingest"])),
        ("scope", json!("read evidence"), "scopes", json!([])),
        ("tier", json!("trial"), "tier", json!("trial")),
        ("tier", json!("unlimited"), "tier", json!("school")),
        ("tenant", json!("acme"), "scopes", json!(["ingest", "backfill"])),
    ] {
        assert_eq!(told(claim, value.clone()).await[told_as], expected, "{claim} {value}");
    }
    let chess = signer.token(&claiming("login", "games", json!(["chess"])));
    world.post_as(&chess, "/v1/events?game_id=runner", &event()).await.is(403, "forbidden");
    let elsewhere = json!({"game_id": "runner", "events": [event()]});
    world.post_as(&chess, "/v1/batch", &elsewhere).await.is(403, "forbidden");
    world.post_as(&chess, "/v1/batch", &json!({"tenant": "other", "events": [event()]})).await.is(403, "forbidden");
    let idle = signer.token(&claiming("login", "scope", json!("openid")));
    world.post_as(&idle, "/v1/events?game_id=chess", &event()).await.is(403, "forbidden");
    world.assert_untouched().await;
    world.post_as(&chess, "/v1/events", &event()).await.accepted();
    assert_eq!(world.events().await[0]["game"], "chess");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_may_have_names_of_its_own_for_the_claims() {
    let signer = Signer::new("ES256", "k-1");
    let world = world_of(&signer, "[issuer.claims]\nplayer = \"https://acme.example/player\"").await;
    let token = signer.token(&claiming("login", "https://acme.example/player", json!("p-1")));
    assert_eq!(world.as_key(&token, "/v1/whoami").await.body["player"], "p-1");
}
