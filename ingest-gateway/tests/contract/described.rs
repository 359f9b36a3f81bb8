//! The interface's description (OpenAPI) and its page; `promised` holds every answer against it.

use ingest_gateway::credentials::Scope;
use ingest_gateway::http::calls::Call;
use reqwest::Method;
use serde_json::{Value, json};

use crate::promised::{DOCUMENT, operation};
use crate::told::{Told, now, read};
use crate::world::{Setting, World};

/// A key that may send what the examples hold: they are old.
async fn key(world: &World) -> String {
    world.known_key(&["runner"], &[Scope::Ingest, Scope::Backfill]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_a_body_is_taken_as_it_stands() {
    let world = World::new().await;
    let (secret, publishable) = (key(&world).await, world.publishable_key().await);
    let mut count = 0;
    for call in Call::ALL.into_iter().filter(|call| call.brings_events()) {
        let path = call.path().replace("{session_id}", "8f14e45f-ceea-467f-a9d7-6d1f0e9f1a10");
        for (media, content) in operation(call)["requestBody"]["content"].as_object().unwrap() {
            for (_, example) in content["examples"].as_object().unwrap() {
                let text = example["value"].as_str().map_or_else(|| example["value"].to_string(), ToOwned::to_owned);
                // What a beacon brings is of now: its key has no other scope.
                let (key, text) = if media == "text/plain" { (&publishable, of_now(&text)) } else { (&secret, text) };
                let request = world.request(Method::POST, &path).bearer_auth(key).header("content-type", media);
                let told = world.send(request.body(text)).await;
                assert_eq!(told.status, 202, "{call:?} {media}: {}", told.body);
                count += 1;
            }
        }
    }
    assert!(count >= 10, "{count}");
    let binary = &operation(Call::Event)["x-cloudevent-binary"];
    let mut request = world.request(Method::POST, "/v1/events").bearer_auth(&secret).json(&binary["value"]);
    for (name, value) in binary["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    world.send(request).await.accepted();
}

fn of_now(text: &str) -> String {
    let mut body: Value = serde_json::from_str(text).unwrap();
    let now = json!(now());
    let events = body.get_mut("events").and_then(Value::as_array_mut);
    events.into_iter().flatten().for_each(|event| event["timestamp"] = now.clone());
    for name in ["timestamp", "sent_at"] {
        if body.get(name).is_some() {
            body[name] = now.clone();
        }
    }
    body.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_had_without_a_credential_and_asked_for_again_by_its_tag() {
    let world = World::new().await;
    let told = world.get("/openapi.json").await;
    assert_eq!((told.status, &told.body), (200, &*DOCUMENT));
    assert_eq!(told.headers["cache-control"], "no-cache");
    let tag = told.headers["etag"].clone();
    for (known, status) in [(tag.to_str().unwrap(), 304), ("\"other\", W/\"x\"", 200), ("*", 304)] {
        let again = world.send(world.request(Method::GET, "/openapi.json").header("if-none-match", known)).await;
        assert_eq!((again.status, &again.headers["etag"]), (status, &tag), "{known}");
    }
    for (name, value) in [("authorization", "Bearer pl_no_key"), ("x-api-key", ""), ("authorization", "Basic x")] {
        let odd = world.request(Method::GET, "/openapi.json").header(name, value);
        world.send(odd).await.is(401, "unauthenticated");
    }
    world.get("/openapi.json?key=pl_no_key").await.is(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_studios_own_types_stand_in_its_tenants_description_alone() {
    let boss = r#"{"type": "object", "required": ["boss"], "properties": {"boss": {"type": "string"}}}"#;
    let schemas = vec![("acme/boss.defeated.json".to_owned(), boss.to_owned())];
    let world = World::with(Setting { schemas, ..Setting::default() }).await;
    let own = world.as_key(&world.key, "/openapi.json").await;
    assert_eq!(own.body["components"]["schemas"]["data.boss.defeated"]["required"], json!(["boss"]));
    assert_eq!(own.headers["cache-control"], "private, no-cache");
    assert_eq!(world.get("/openapi.json").await.body, *DOCUMENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_may_run_nothing_but_itself_and_call_nobody_else() {
    let world = World::new().await;
    let response = world.request(Method::GET, "/docs").send().await.unwrap();
    let headers = response.headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    for rule in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    let page = response.text().await.unwrap();
    assert!(!page.contains("/* style */") && !page.contains("/* script */"));
    for outside in
        ["src=\"http", "href=\"http", "url(http", "@import", "localStorage", "sessionStorage", "document.cookie"]
    {
        assert!(!page.contains(outside), "{outside}");
    }
    let Told { status, .. } = read(world.request(Method::POST, "/docs").send().await.unwrap()).await;
    assert_eq!(status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_own_page_may_use_a_secret_key_where_every_page_may_call() {
    let world = World::with(Setting { flags: vec!["--cors-origin".into(), "*".into()], ..Setting::default() }).await;
    let from = |site: Option<&str>| {
        let request = world.request(Method::GET, "/v1/whoami").bearer_auth(&world.key).header("origin", &world.url);
        site.into_iter().fold(request, |request, site| request.header("sec-fetch-site", site))
    };
    assert_eq!(world.send(from(Some("same-origin"))).await.status, 200);
    for other in [None, Some("cross-site"), Some("same-site")] {
        world.send(from(other)).await.is(403, "forbidden");
    }
}
