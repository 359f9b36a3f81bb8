//! POST /v1/sessions/{session_id}/close

use schemas::topics::Topic;
use serde_json::json;
use uuid::Uuid;

use crate::told::{at, now};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_written_once_whatever_the_bodies_say() {
    let world = World::new().await;
    let session = Uuid::new_v4();
    let path = format!("/v1/sessions/{}/close", session.to_string().to_uppercase());
    let first = world.post(&path, &json!({"player_id": "p-1", "reason": "completed"})).await.accepted();
    assert_eq!(first.counts(), [1, 0, 0, 0]);
    for body in [
        json!({"player_id": "p-1", "reason": "completed"}),
        json!({"player_id": "p-2", "reason": "abandoned", "seq": 7, "timestamp": now()}),
    ] {
        let told = world.post(&path, &body).await.accepted();
        assert_eq!(told.counts(), [0, 1, 0, 0], "a duplicate, never a conflict");
    }
    let stamps = world.stamps().await;
    assert_eq!(stamps.len(), 1);
    assert_eq!(stamps[0]["origin"], "close");
    let id = ingest_gateway::close::event_id(session);
    assert_eq!(
        stamps[0]["event"],
        json!({"event_id": id, "session_id": session, "player_id": "p-1", "event_type": "session.closed",
            "data": {"reason": "completed"}})
    );
    assert!(world.quarantined().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_close_says_of_seq_and_time_is_kept() {
    let world = World::new().await;
    let (session, time) = (Uuid::new_v4(), at(-1_000));
    let body = json!({"player_id": "p-1", "reason": "error", "seq": 9, "timestamp": time, "sent_at": now()});
    world.post(&format!("/v1/sessions/{session}/close"), &body).await.accepted();
    let stamp = world.stamps().await.remove(0);
    assert_eq!((&stamp["event"]["seq"], &stamp["event"]["timestamp"]), (&json!(9), &json!(time)));
    assert!(stamp["sent_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_close_is_refused_in_the_names_of_its_body() {
    let world = World::new().await;
    let path = format!("/v1/sessions/{}/close", Uuid::new_v4());
    for (body, pointer, code) in [
        (json!({"player_id": "p-1"}), "/reason", "required"),
        (json!({"player_id": "p-1", "reason": "bored"}), "/reason", "enum"),
        (json!({"player_id": "p-1", "reason": "timeout"}), "/reason", "enum"),
        (json!({"player_id": "p 1", "reason": "completed"}), "/player_id", "pattern"),
        (json!({"reason": "completed"}), "/player_id", "required"),
        (json!({"player_id": "p-1", "reason": "completed", "seq": -1}), "/seq", "range"),
        (json!({"player_id": "p-1", "reason": "completed", "timestamp": "now"}), "/timestamp", "format"),
    ] {
        let told = world.post(&path, &body).await.is(422, "validation_failed");
        assert_eq!(told.fault(), (pointer.into(), code.into()), "{body}");
    }
    world.post_bytes(&path, "[]").await.is(400, "malformed_body");
    world.post_bytes(&path, "{").await.is(400, "malformed_json");
    world.post(&path, &json!({"player_id": "p", "reason": "error", "sent_at": 1})).await.is(400, "malformed_body");
    let body = json!({"player_id": "p-1", "reason": "completed"});
    world.post("/v1/sessions/7/close", &body).await.is(400, "malformed_body");
    assert!(world.events().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_close_is_kept_as_the_client_sent_it() {
    let world = World::new().await;
    let session = Uuid::new_v4();
    let body = "{ \"player_id\": \"p-1\", \"more\": 1 }";
    world.post_bytes(&format!("/v1/sessions/{session}/close"), body).await.is(422, "validation_failed");
    let kept = world.records(Topic::Quarantine).await.remove(0);
    assert_eq!(kept.value.as_deref(), Some(body.as_bytes()));
    assert_eq!(kept.headers.text("origin"), Some("close"));
    assert_eq!(kept.headers.text("session_id"), Some(session.to_string().as_str()));
    assert_eq!(kept.headers.text("event_id"), Some(ingest_gateway::close::event_id(session).to_string().as_str()));
}
