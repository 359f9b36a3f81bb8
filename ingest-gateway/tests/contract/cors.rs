//! Pages of other origins: publishable keys, `sendBeacon`, and what browsers ask before they call.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::told::{Told, event};
use crate::world::{Setting, World};

const PAGE: &str = "https://play.example";
const CALLS: [&str; 4] =
    ["/v1/events", "/v1/batch", "/v1/whoami", "/v1/sessions/8f14e45f-ceea-467f-a9d7-6d1f0e9f1a10/close"];

async fn world_of(origins: &[&str]) -> World {
    let flags = origins.iter().flat_map(|origin| ["--cors-origin".to_owned(), (*origin).to_owned()]).collect();
    World::with(Setting { flags, ..Setting::default() }).await
}

/// What the answer says under that name; all values, in order.
fn header(told: &Told, name: &str) -> String {
    let values: Vec<_> = told.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    values.join(", ")
}

fn preflight(world: &World, path: &str, origin: &str) -> RequestBuilder {
    let request = world.request(Method::OPTIONS, path).header("origin", origin);
    request
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
}

/// As a browser's `navigator.sendBeacon(url, text)` does it.
fn beacon(world: &World, path: &str, key: &str, body: String) -> RequestBuilder {
    let request = world.request(Method::POST, &format!("{path}?key={key}")).header("origin", PAGE);
    request.header("content-type", "text/plain;charset=UTF-8").body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beacon_with_a_publishable_key_is_taken() {
    let world = World::new().await;
    let key = world.publishable_key().await;
    world.send(beacon(&world, "/v1/events", &key, event().to_string())).await.accepted();
    let batch = json!({"events": [event(), event()]}).to_string();
    world.send(beacon(&world, "/v1/batch", &key, batch)).await.accepted();
    let close = json!({"player_id": "p-1207", "reason": "completed"}).to_string();
    world.send(beacon(&world, CALLS[3], &key, close)).await.accepted();
    assert_eq!(world.events().await.len(), 4);
    let text = world.request(Method::POST, "/v1/events").bearer_auth(&key).header("content-type", "text/plain");
    world.send(text.body(event().to_string())).await.accepted();
    let told = world.as_key(&key, "/v1/whoami").await;
    assert_eq!((&told.body["publishable"], &told.body["scopes"]), (&json!(true), &json!(["ingest"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_publishable_is_no_good_in_the_query_and_with_plain_text() {
    let world = World::new().await;
    let key = world.key.clone();
    world.send(beacon(&world, "/v1/events", &key, event().to_string())).await.is(401, "unauthenticated");
    world.as_key(&key, &format!("/v1/whoami?key={key}")).await.is(401, "unauthenticated");
    let text = world.request(Method::POST, "/v1/events").bearer_auth(&key).header("content-type", "text/plain");
    world.send(text.body(event().to_string())).await.is(415, "unsupported_media_type");
    let publishable = world.publishable_key().await;
    for odd in [format!("key={publishable}&key={publishable}"), format!("key={publishable}x"), "key=".into()] {
        world.get(&format!("/v1/whoami?{odd}")).await.is(401, "unauthenticated");
    }
    world.as_key(&key, &format!("/v1/whoami?key={publishable}")).await.is(401, "unauthenticated");
    world.assert_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_named_may_ask_and_call() {
    let world = world_of(&["https://other.example", PAGE]).await;
    for path in CALLS {
        let told = world.send(preflight(&world, path, PAGE)).await;
        assert_eq!(told.status, 204, "{path}");
        assert_eq!(header(&told, "access-control-allow-origin"), PAGE);
        assert_eq!(header(&told, "access-control-allow-methods"), "GET, POST");
        let taken = header(&told, "access-control-allow-headers");
        for name in ["authorization", "x-api-key", "content-type", "content-encoding"] {
            assert!(taken.contains(name), "{taken}");
        }
        assert_eq!(header(&told, "access-control-max-age"), "7200");
        assert!(header(&told, "vary").contains("origin"));
        assert!(header(&told, "access-control-allow-credentials").is_empty());
        assert!(told.headers.contains_key("x-request-id"));
    }
    let call = world.request(Method::POST, "/v1/events").bearer_auth(&world.key).header("origin", PAGE);
    let told = world.send(call.json(&event())).await.accepted();
    assert_eq!(header(&told, "access-control-allow-origin"), PAGE);
    for name in ["x-request-id", "retry-after", "ratelimit"] {
        assert!(header(&told, "access-control-expose-headers").contains(name));
    }
    let refused = world.request(Method::GET, "/v1/whoami").header("origin", PAGE);
    let told = world.send(refused).await.is(401, "unauthenticated");
    assert_eq!(header(&told, "access-control-allow-origin"), PAGE, "a page may read why it was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_named_gets_no_word_of_permission() {
    let world = world_of(&[PAGE]).await;
    for origin in ["https://evil.example", "http://play.example", "https://play.example.evil.example", "null"] {
        let asked = world.send(preflight(&world, "/v1/events", origin)).await;
        let call = world.request(Method::GET, "/v1/whoami").bearer_auth(&world.key).header("origin", origin);
        for told in [asked, world.send(call).await] {
            assert!(header(&told, "access-control-allow-origin").is_empty(), "{origin}");
            assert!(header(&told, "vary").contains("origin"));
        }
    }
    let plain = world.as_key(&world.key, "/v1/whoami").await;
    assert!(header(&plain, "vary").contains("origin"), "a cache between must know, whoever asks first");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_may_call_with_a_publishable_key_and_no_page_with_another() {
    let world = world_of(&["*", PAGE]).await;
    let key = world.publishable_key().await;
    let from = |origin: &str, key: &str| {
        world.request(Method::POST, "/v1/events").header("origin", origin).bearer_auth(key).json(&event())
    };
    let told = world.send(preflight(&world, "/v1/events", "https://any.example")).await;
    assert_eq!(header(&told, "access-control-allow-origin"), "*");
    let told = world.send(from("https://any.example", &key)).await.accepted();
    assert_eq!(header(&told, "access-control-allow-origin"), "*");
    let told = world.send(from("https://any.example", &world.key)).await.is(403, "forbidden");
    assert_eq!(header(&told, "access-control-allow-origin"), "*");
    world.send(from(PAGE, &world.key)).await.accepted();
    world.post("/v1/events", &event()).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_origin_is_set_nothing_is_said_of_them() {
    let world = World::new().await;
    world.send(preflight(&world, "/v1/events", PAGE)).await.is(405, "method_not_allowed");
    let call = world.request(Method::GET, "/v1/whoami").bearer_auth(&world.key).header("origin", PAGE);
    let told = world.send(call).await;
    assert_eq!(
        (told.status, header(&told, "vary"), header(&told, "access-control-allow-origin")),
        (200, String::new(), String::new())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_questions_of_browsers_about_calls_that_exist_are_answered() {
    let world = world_of(&[PAGE]).await;
    world.send(preflight(&world, "/v1/nothing", PAGE)).await.is(404, "not_found");
    world.send(preflight(&world, "/livez", PAGE)).await.is(405, "method_not_allowed");
    let plain = world.request(Method::OPTIONS, "/v1/events").header("origin", PAGE);
    world.send(plain).await.is(405, "method_not_allowed");
}
