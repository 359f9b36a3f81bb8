//! Issuers' keys: how they come and go, and what a bad source of them does.

use std::time::{Duration, Instant};

use crate::issuing::{KeyServer, claims, issuer, world_of};
use crate::signer::{Signer, jwks};
use crate::world::{Setting, World};

async fn becomes(world: &World, token: &str, status: u16) {
    let began = Instant::now();
    while world.as_key(token, "/v1/whoami").await.status != status {
        assert!(began.elapsed() < Duration::from_secs(5), "never became {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn world_with(server: &KeyServer) -> World {
    World::with(Setting { credentials: server.issuer("login", "ES256"), ..Setting::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_file_are_rotated_and_a_broken_file_changes_nothing() {
    let (old, new) = (Signer::new("ES256", "k-1"), Signer::new("ES256", "k-2"));
    let world = world_of(&old, "").await;
    let path = world.folder.path().join("login.json");
    let [old_token, new_token] = [&old, &new].map(|signer| signer.token(&claims("login")));
    assert_eq!(world.as_key(&new_token, "/v1/whoami").await.status, 401);
    std::fs::write(&path, jwks(&[&old, &new])).unwrap();
    becomes(&world, &new_token, 200).await;
    assert_eq!(world.as_key(&old_token, "/v1/whoami").await.status, 200);
    std::fs::write(&path, jwks(&[&new])).unwrap();
    becomes(&world, &old_token, 401).await;
    for broken in ["", "{", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k-2\",\"k\":\"AAAA\"}]}"] {
        std::fs::write(&path, broken).unwrap();
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(world.as_key(&new_token, "/v1/whoami").await.status, 200, "{broken}");
    }
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(world.as_key(&new_token, "/v1/whoami").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_behind_a_url_is_good_at_once() {
    let (old, new) = (Signer::new("ES256", "k-1"), Signer::new("ES256", "k-2"));
    let server = KeyServer::start(jwks(&[&old])).await;
    let world = world_with(&server).await;
    becomes(&world, &old.token(&claims("login")), 200).await;
    server.answers(200, jwks(&[&new]));
    assert_eq!(world.as_key(&new.token(&claims("login")), "/v1/whoami").await.status, 200);
    assert_eq!(world.as_key(&old.token(&claims("login")), "/v1/whoami").await.status, 401);
    assert_eq!(server.asked(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_made_up_key_ids_is_one_request_at_the_issuer() {
    let (known, stranger) = (Signer::new("ES256", "k-1"), Signer::new("ES256", "k-1"));
    let server = KeyServer::start(jwks(&[&known])).await;
    let world = world_with(&server).await;
    becomes(&world, &known.token(&claims("login")), 200).await;
    for number in 0..500 {
        let head = serde_json::json!({"alg": "ES256", "kid": format!("made-up-{number}")});
        let token = stranger.token_under(&head, &claims("login"));
        world.as_key(&token, "/v1/whoami").await.is(401, "unauthenticated");
    }
    assert_eq!(server.asked(), 2, "one at the start, one for all of them");
    let elsewhere = known.token(&claims("nobody"));
    world.as_key(&elsewhere, "/v1/whoami").await.is(401, "unauthenticated");
    assert_eq!(world.as_key(&known.token(&claims("login")), "/v1/whoami").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_fails_in_whatever_way_leaves_the_last_good_keys() {
    let (known, unknown) = (Signer::new("ES256", "k-1"), Signer::new("ES256", "k-2"));
    let asks = unknown.token(&claims("login"));
    for (status, body) in [
        (500, String::new()),
        (302, String::new()),
        (200, "<html>".to_owned()),
        (200, "{\"keys\":[]}".to_owned()),
        (200, format!("{{\"pad\":\"{}\",{}", "x".repeat(300 << 10), &jwks(&[&unknown])[1..])),
    ] {
        let server = KeyServer::start(jwks(&[&known])).await;
        let world = world_with(&server).await;
        becomes(&world, &known.token(&claims("login")), 200).await;
        server.answers(status, body);
        world.as_key(&asks, "/v1/whoami").await.is(401, "unauthenticated");
        assert!(server.asked() >= 2);
        assert_eq!(world.as_key(&known.token(&claims("login")), "/v1/whoami").await.status, 200);
        server.answers(200, jwks(&[&known, &unknown]));
        becomes(&world, &asks, 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_hangs_holds_a_request_for_seconds_and_no_gateway() {
    let (known, unknown) = (Signer::new("ES256", "k-1"), Signer::new("ES256", "k-2"));
    let server = KeyServer::start(jwks(&[&known])).await;
    server.hangs();
    let world = world_with(&server).await;
    assert_eq!(world.as_key(&world.key, "/v1/whoami").await.status, 200, "ready without them");
    let began = Instant::now();
    world.as_key(&unknown.token(&claims("login")), "/v1/whoami").await.is(401, "unauthenticated");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn issuers_come_and_go_with_the_file() {
    let signer = Signer::new("EdDSA", "k-1");
    let world = World::new().await;
    let token = signer.token(&claims("login"));
    world.as_key(&token, "/v1/whoami").await.is(401, "unauthenticated");
    let sound = std::fs::read_to_string(world.credentials()).unwrap();
    let entry = issuer("login", "EdDSA", "jwks_file = \"login.json\"", "");
    std::fs::write(world.credentials(), format!("{sound}{entry}")).unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    world.as_key(&token, "/v1/whoami").await.is(401, "unauthenticated");
    assert_eq!(world.as_key(&world.key, "/v1/whoami").await.status, 200, "a file without its keys is broken");
    std::fs::write(world.folder.path().join("login.json"), jwks(&[&signer])).unwrap();
    becomes(&world, &token, 200).await;
    std::fs::write(world.credentials(), sound).unwrap();
    becomes(&world, &token, 401).await;
}
