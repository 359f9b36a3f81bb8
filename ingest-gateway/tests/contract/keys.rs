//! Credentials: who is let in, to what, and how soon a change is seen.

use std::time::{Duration, Instant};

use ingest_gateway::credentials::Scope;
use ingest_gateway::keys;
use reqwest::Method;
use schemas::Timestamp;
use serde_json::json;

use crate::told::event;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_credential_is_the_same_401() {
    let world = World::new().await;
    let (id, secret) = world.key.strip_prefix("pl_").unwrap().split_once('_').unwrap();
    let mut bodies = Vec::new();
    for key in [
        "",
        "pl_",
        "nonsense",
        &format!("pl_{id}_"),
        &format!("pl_{id}_{secret}x"),
        &format!("pl_000000000000_{secret}"),
    ] {
        let told = world.as_key(key, "/v1/whoami").await.is(401, "unauthenticated");
        assert!(told.headers.contains_key("www-authenticate"));
        bodies.push((told.body["detail"].clone(), told.body["title"].clone()));
        world.post_as(key, "/v1/events", &event()).await.is(401, "unauthenticated");
    }
    let none = world.get("/v1/whoami").await.is(401, "unauthenticated");
    bodies.push((none.body["detail"].clone(), none.body["title"].clone()));
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    let basic = world.request(Method::GET, "/v1/whoami").header("authorization", format!("Basic {}", world.key));
    world.send(basic).await.is(401, "unauthenticated");
    let two = world.request(Method::GET, "/v1/whoami").bearer_auth(&world.key).header("x-api-key", "pl_other_key");
    world.send(two).await.is(401, "unauthenticated");
    let plain = world.request(Method::GET, "/v1/whoami").header("x-api-key", &world.key);
    assert_eq!(world.send(plain).await.status, 200);
    world.assert_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_a_game_are_good_at_once_until_one_expires() {
    let world = World::new().await;
    let key = world.key_that_expires(Duration::from_secs(6));
    let began = Instant::now();
    for status in [200, 401] {
        while world.as_key(&key, "/v1/whoami").await.status != status {
            assert!(began.elapsed() < Duration::from_secs(12), "never became {status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.as_key(&world.key, "/v1/whoami").await.status, 200);
    }
    assert!(began.elapsed() > Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_scope_is_403() {
    let world = World::new().await;
    let key = world.known_key(&["runner"], &[Scope::Read]).await;
    world.post_as(&key, "/v1/events", &event()).await.is(403, "forbidden");
    world.assert_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_several_games_must_say_which() {
    let world = World::new().await;
    let key = world.known_key(&["runner", "chess"], &[Scope::Ingest]).await;
    let told = world.post_as(&key, "/v1/events", &event()).await.is(400, "malformed_body");
    assert_eq!(told.body["errors"][0]["pointer"], "/game_id");
    world.post_as(&key, "/v1/batch", &json!({"game_id": "chess", "events": [event()]})).await.accepted();
    world.post_as(&key, "/v1/events?game_id=go", &event()).await.is(403, "forbidden");
    assert_eq!(world.events().await[0]["game"], "chess");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_within_five_seconds_and_a_broken_file_changes_nothing() {
    let world = World::new().await;
    let key = world.known_key(&["runner"], &[Scope::Ingest]).await;
    let path = world.credentials();
    let sound = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, "[[key]]\nid = ").unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(world.as_key(&key, "/v1/whoami").await.status, 200, "the last good ones stay in force");
    std::fs::write(&path, sound).unwrap();
    let id = key.split('_').nth(1).unwrap();
    keys::revoke(&path, id, Timestamp::from_ms(daemon::Clock::system().now_ms())).unwrap();
    let began = Instant::now();
    while world.as_key(&key, "/v1/whoami").await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.as_key(&key, "/v1/whoami").await.is(401, "unauthenticated");
    assert_eq!(world.as_key(&world.key, "/v1/whoami").await.status, 200, "others are not touched");
}

/// Asserts that a key is good all the time while a file is being written.
async fn stays_good(world: &World, key: &str, write: impl FnOnce() + Send + 'static) {
    let writer = std::thread::spawn(write);
    while !writer.is_finished() {
        assert_eq!(world.as_key(key, "/v1/whoami").await.status, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    writer.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_being_written_in_place_is_not_taken_for_the_whole() {
    let world = World::new().await;
    // It stands last in the file.
    let key = world.known_key(&["runner"], &[Scope::Ingest]).await;
    let path = world.credentials();
    let whole = std::fs::read_to_string(&path).unwrap();
    let half = whole[..whole.rfind("[[key]]").unwrap()].to_owned();
    stays_good(&world, &key, {
        let (path, whole) = (path.clone(), whole.clone());
        move || {
            for _ in 0..20 {
                std::fs::write(&path, &half).unwrap();
                std::thread::sleep(Duration::from_millis(150));
            }
            std::fs::write(&path, whole).unwrap();
        }
    })
    .await;
    let other = world.known_key(&["runner"], &[Scope::Ingest]).await;
    assert_eq!(world.as_key(&other, "/v1/whoami").await.status, 200, "and what is whole is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_lost_all_its_keys_changes_nothing() {
    let world = World::new().await;
    let path = world.credentials();
    for text in ["", "# no keys here\n"] {
        let path = path.clone();
        stays_good(&world, &world.key, move || {
            std::fs::write(&path, text).unwrap();
            std::thread::sleep(Duration::from_millis(3_500));
        })
        .await;
    }
}
