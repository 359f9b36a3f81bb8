//! Failures of whole requests: each status and code of the table, and that nothing is produced.

use ingest_gateway::credentials::Scope;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::told::{at, event, now, with};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_or_no_batch_is_400_and_leaves_nothing() {
    let world = World::new().await;
    let sound = event().to_string();
    let malformed: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"nonsense".to_vec(),
        b"{\"events\":[".to_vec(),
        format!("{{\"events\":[{sound},]}}").into_bytes(),
        format!("{{\"events\":[{}]}}", sound.replace("\"seq\":0", "\"seq\":NaN")).into_bytes(),
        [b"\xef\xbb\xbf".as_slice(), b"{\"events\":[]}"].concat(),
        "{\"events\":[]}".encode_utf16().flat_map(u16::to_le_bytes).collect(),
        b"{\"events\":[\"\xff\"]}".to_vec(),
        format!("{{\"events\":[{}{}]}}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes(),
        format!("{{\"events\":[{sound}]}} trailing").into_bytes(),
    ];
    for body in malformed {
        let words = String::from_utf8_lossy(&body).into_owned();
        let told = world.post_bytes("/v1/batch", body).await;
        assert_eq!((told.status, &told.body["code"]), (400, &json!("malformed_json")), "{words:.80} {}", told.body);
    }
    let batch = |more: &str| format!("{{\"events\":[{sound}]{more}}}");
    let form: Vec<(String, &str)> = vec![
        ("[]".into(), ""),
        ("{}".into(), "/events"),
        ("{\"events\":{}}".into(), "/events"),
        ("{\"events\":[]}".into(), "/events"),
        (batch(",\"sent_at\":\"now\""), "/sent_at"),
        (batch(",\"sent_at\":5"), "/sent_at"),
        (batch(",\"batch_id\":\"7\""), "/batch_id"),
        (batch(&format!(",\"app_version\":\"{}\"", "v".repeat(41))), "/app_version"),
        (batch(",\"app_version\":2"), "/app_version"),
        (batch(&format!(",\"game_id\":\"{}\"", "g".repeat(65))), "/game_id"),
        (batch(",\"game_id\":\"runner\",\"game_id\":\"runner\""), "/game_id"),
    ];
    for (body, pointer) in form {
        let told = world.post_bytes("/v1/batch", body.clone()).await;
        assert_eq!((told.status, &told.body["code"]), (400, &json!("malformed_body")), "{body:.80} {}", told.body);
        assert_eq!(told.body["errors"][0]["pointer"], pointer, "{body:.80}");
    }
    world.post_bytes("/v1/events", "[]").await.is(400, "malformed_body");
    for query in ["sent_at=now".to_owned(), format!("app_version={}", "v".repeat(41)), "dry_run=1".into()] {
        world.post(&format!("/v1/events?{query}"), &event()).await.is(400, "malformed_body");
    }
    world.assert_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_event_takes_the_rest_from_the_query() {
    let world = World::new().await;
    let path = format!("/v1/events?sent_at={}&app_version=1.4%20beta&game_id=runner", now());
    world.post(&path, &event()).await.accepted();
    let stamp = world.events().await.remove(0);
    assert_eq!(stamp["app_version"], "1.4 beta");
    assert!(stamp["sent_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_takes_from_the_query_what_it_does_not_say_itself() {
    let world = World::new().await;
    let key = world.known_key(&["runner", "chess"], &[Scope::Ingest]).await;
    let year = 366 * 24 * 3_600_000;
    let path = format!("/v1/batch?sent_at={}&app_version=1.4&game_id=chess", at(-year));
    let long_ago = with("timestamp", json!(at(-year - 1_000)));
    world.post_as(&key, &path, &json!({"events": [long_ago]})).await.accepted();
    let batch = json!({"sent_at": now(), "app_version": "2.0", "game_id": "runner", "events": [event()]});
    world.post_as(&key, &path, &batch).await.accepted();
    let mut stamps = world.events().await;
    stamps.sort_by_key(|stamp| stamp["app_version"].to_string());
    let told: Vec<_> = stamps.iter().map(|stamp| (stamp["game"].clone(), stamp["app_version"].clone())).collect();
    assert_eq!(told, [(json!("chess"), json!("1.4")), (json!("runner"), json!("2.0"))]);
    assert!(stamps.iter().all(|stamp| stamp["sent_at"].is_string()));
    let path = format!("/v1/sessions/{}/close?app_version=3.0&game_id=chess&sent_at={}", Uuid::new_v4(), now());
    world.post_as(&key, &path, &json!({"player_id": "p-1", "reason": "completed"})).await.accepted();
    let stamps = world.events().await;
    let close = stamps.iter().find(|stamp| stamp["origin"] == "close").unwrap();
    assert_eq!((&close["app_version"], &close["game"]), (&json!("3.0"), &json!("chess")));
    assert!(close["sent_at"].is_string());
    world.post_as(&key, "/v1/batch?game_id=chess&sent_at=now", &batch).await.is(400, "malformed_body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plus_that_the_query_made_a_space_is_read_as_the_offsets_sign() {
    let world = World::new().await;
    let sent_at = format!("{}+00:00", now().trim_end_matches('Z'));
    world.post(&format!("/v1/events?sent_at={sent_at}"), &event()).await.accepted();
    assert!(world.events().await[0]["sent_at"].is_string());
    for odd in ["2026-01-05T08:12:31%2002:0", "2026-01-05T08:12:31%2002:00%20", "2026-01-05T08:12:31%20%2B02:00"] {
        world.post(&format!("/v1/events?sent_at={odd}"), &event()).await.is(400, "malformed_body");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn null_is_as_if_absent_around_the_events_too() {
    let world = World::new().await;
    let batch = json!({"batch_id": null, "sent_at": null, "app_version": null, "game_id": null, "events": [event()]});
    world.post("/v1/batch", &batch).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_problems_too() {
    let world = World::new().await;
    world.get("/v1/nothing").await.is(404, "not_found");
    world.get("/metrics").await.is(404, "not_found");
    world.as_key(&world.key, "/v1/schemas/%ff").await.is(404, "not_found");
    world.post("/v1/sessions/%ff/close", &json!({})).await.is(400, "malformed_body");
    let told = world.get("/v1/batch").await.is(405, "method_not_allowed");
    assert_eq!(told.headers["allow"], "POST");
    let told = world.send(world.request(Method::DELETE, "/v1/whoami")).await.is(405, "method_not_allowed");
    assert_eq!(told.headers["allow"], "GET,HEAD");
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_told_what_get_is_told_but_for_the_body() {
    let world = World::new().await;
    for path in ["/livez", "/docs", "/openapi.json", "/v1/whoami", "/v1/nothing", "/v1/events"] {
        let ask = |method| world.request(method, path).header("x-request-id", "same").send();
        let (get, head) = (ask(Method::GET).await.unwrap(), ask(Method::HEAD).await.unwrap());
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-length", "content-type", "etag", "allow"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{path} {name}");
        }
        assert!(get.headers()["content-length"] != "0" && head.bytes().await.unwrap().is_empty(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_encodings_that_are_not_understood_are_415() {
    let world = World::new().await;
    let batch = json!({"events": [event()]}).to_string();
    let post = |name: &'static str, value: &'static str| {
        let request = world.request(Method::POST, "/v1/batch").bearer_auth(&world.key).body(batch.clone());
        let request = if name == "content-type" { request } else { request.header("content-type", "application/json") };
        world.send(request.header(name, value))
    };
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "json"] {
        post("content-type", media).await.is(415, "unsupported_media_type");
    }
    for encoding in ["compress", "gzip, br", "zip"] {
        post("content-encoding", encoding).await.is(415, "unsupported_encoding");
    }
    world.assert_untouched().await;
    post("content-type", "Application/JSON; Charset=\"UTF-8\"").await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_taken_if_sane_else_made_and_is_in_every_answer() {
    let world = World::new().await;
    let ask = |id: &'static str| world.send(world.request(Method::GET, "/v1/whoami").header("x-request-id", id));
    assert_eq!(ask("Abc-1_2.3").await.is(401, "unauthenticated").headers["x-request-id"], "Abc-1_2.3");
    for odd in ["a b", "a/b", ""] {
        let told = ask(odd).await.is(401, "unauthenticated");
        assert!(told.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    }
    for path in ["/livez", "/readyz", "/v1/nothing"] {
        assert!(world.get(path).await.headers.contains_key("x-request-id"), "{path}");
    }
    let request = world.request(Method::POST, "/v1/events").bearer_auth(&world.key).json(&event());
    let told = world.send(request.header("x-request-id", "mine")).await.accepted();
    assert_eq!((&told.body["request_id"], &told.headers["x-request-id"]), (&json!("mine"), &"mine".parse().unwrap()));
    assert_eq!(world.events().await[0]["request_id"], "mine");
}
