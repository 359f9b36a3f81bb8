//! NDJSON: a line is an event, and a bad line takes no other with it.

use reqwest::Method;
use schemas::topics::Topic;
use serde_json::json;

use crate::told::{Told, event, now};
use crate::world::World;

async fn send(world: &World, query: &str, media: &str, body: impl Into<reqwest::Body>) -> Told {
    let request = world.request(Method::POST, &format!("/v1/batch?{query}")).bearer_auth(&world.key);
    world.send(request.header("content-type", media).body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_an_event_and_the_query_says_the_rest() {
    let world = World::new().await;
    let (one, two) = (event(), event());
    let query = format!("app_version=3.1&sent_at={}&game_id=runner", now());
    let body = format!("{one}\r\n\r\n{two}\n\n");
    let told = send(&world, &query, "application/x-ndjson; charset=utf-8", body.clone()).await.accepted();
    assert_eq!(told.counts(), [2, 0, 0, 0]);
    for media in ["application/ndjson", "application/jsonl", "Application/X-NDJSON"] {
        assert_eq!(send(&world, "", media, body.clone()).await.accepted().counts(), [0, 2, 0, 0]);
    }
    for stamp in world.events().await {
        assert_eq!((&stamp["app_version"], stamp["sent_at"].is_string()), (&json!("3.1"), true));
        assert!(stamp.get("origin").is_none());
    }
    send(&world, "game_id=chess", "application/x-ndjson", body.clone()).await.is(403, "forbidden");
    let request = world.request(Method::POST, "/v1/events").bearer_auth(&world.key);
    let request = request.header("content-type", "application/x-ndjson").body(body);
    world.send(request).await.is(415, "unsupported_media_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_rejected_by_its_index_and_kept_raw() {
    let world = World::new().await;
    let doubled = event().to_string().replacen('{', "{\"seq\":0,", 1);
    let torn = event().to_string();
    let torn = &torn[..torn.len() / 2];
    let foreign = event().to_string().replacen('{', "{\"tenant\":\"globex\",", 1);
    let deep = "[".repeat(1_000);
    let bad = [doubled.as_bytes(), torn.as_bytes(), b"\xff\xfe{}", foreign.as_bytes(), deep.as_bytes(), b"7"];
    let mut body = Vec::new();
    for line in bad {
        body.extend_from_slice(event().to_string().as_bytes());
        body.extend_from_slice(b"\n\n");
        body.extend_from_slice(line);
        body.extend_from_slice(b"\r\n");
    }
    let told = send(&world, "", "application/x-ndjson", body).await;
    assert_eq!((told.status, told.counts()), (207, [6, 0, 0, 6]), "{}", told.body);
    let results = told.body["results"].as_array().unwrap();
    let told: Vec<_> = results.iter().map(|one| (one["index"].as_u64().unwrap(), &one["errors"][0]["code"])).collect();
    let codes = ["doubled_key", "malformed_json", "malformed_json", "forbidden", "malformed_json", "type"];
    for ((place, code), (index, told)) in (0..).zip(codes).zip(told) {
        assert_eq!((index, told), (2 * place + 1, &json!(code)), "the index counts lines that are not empty");
    }
    assert!(results[1]["errors"][0]["message"].as_str().unwrap().starts_with("line 6, column "));
    let kept = world.records(Topic::Quarantine).await;
    assert_eq!(kept.iter().map(|record| record.value.as_deref().unwrap()).collect::<Vec<_>>(), bad);
    assert_eq!(world.events().await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_bounded_and_nothing_but_bad_ones_is_422() {
    let world = World::new().await;
    let many = format!("{}\n", event()).repeat(1_001);
    send(&world, "", "application/x-ndjson", many).await.is(413, "too_large");
    for body in ["", "\n\r\n"] {
        send(&world, "", "application/x-ndjson", body).await.is(400, "malformed_body");
    }
    for body in [&b"\xef\xbb\xbf{}\n"[..], b"{\0}\0\n\0"] {
        send(&world, "", "application/x-ndjson", body).await.is(400, "malformed_json");
    }
    world.assert_untouched().await;
    let told = send(&world, "dry_run=true", "application/x-ndjson", format!("{}\nno\n", event())).await;
    assert_eq!((told.status, told.counts()), (207, [1, 0, 0, 1]));
    world.assert_untouched().await;
    send(&world, "", "application/x-ndjson", "no\nnor this\n").await.is(422, "validation_failed");
    assert_eq!(world.quarantined().await, ["invalid", "invalid"]);
}
