//! What a body claims of tenant and game beside its credential.

use ingest_gateway::credentials::Scope;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cloudevents;
use crate::told::event;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_or_game_is_403_and_leaves_nothing() {
    let world = World::new().await;
    for claim in [json!({"game_id": "chess"}), json!({"tenant": "globex"}), json!({"tenant_id": "globex"})] {
        let mut batch = json!({"events": [event()]});
        batch.as_object_mut().unwrap().extend(claim.as_object().unwrap().clone());
        world.post("/v1/batch", &batch).await.is(403, "forbidden");
    }
    world.post("/v1/events?game_id=chess", &event()).await.is(403, "forbidden");
    world.assert_untouched().await;
    let own = json!({"tenant": "acme", "game_id": "runner", "events": [event()]});
    world.post("/v1/batch", &own).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_claims_another_tenant_is_refused_without_a_hole() {
    let world = World::new().await;
    let mut claims = event();
    claims["tenant_id"] = json!("globex");
    world.post("/v1/events", &claims).await.is(403, "forbidden");
    let told = world.post("/v1/batch", &json!({"events": [claims, event()]})).await;
    assert_eq!((told.status, told.counts()), (207, [1, 0, 0, 1]));
    assert!(world.holes().await.is_empty());
    assert_eq!(world.quarantined().await, ["forbidden"; 2]);
}

/// Sends an event that must be refused because of its credential.
async fn forbidden(world: &World, key: &str, path: &str, event: &str) {
    let request =
        world.request(reqwest::Method::POST, path).bearer_auth(key).header("content-type", "application/json");
    let told = world.send(request.body(event.to_owned())).await.is(403, "forbidden");
    assert_eq!(told.body["results"][0]["code"], "forbidden", "{event}");
    assert!(told.body["results"][0]["event_id"].is_string(), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_of_the_game_that_its_request_names() {
    let world = World::new().await;
    let key = world.known_key(&["runner", "chess"], &[Scope::Ingest]).await;
    let mut of_chess = event();
    of_chess["game_id"] = json!("chess");
    forbidden(&world, &key, "/v1/events?game_id=runner", &of_chess.to_string()).await;
    let batch = json!({"game_id": "runner", "events": [of_chess]});
    world.post_as(&key, "/v1/batch", &batch).await.is(403, "forbidden");
    assert!(world.stamps().await.is_empty());
    world.post_as(&key, "/v1/events?game_id=chess", &of_chess).await.accepted();
    assert_eq!(world.events().await[0]["game"], "chess");
    let close = json!({"player_id": "p-1", "reason": "completed", "game_id": "chess"});
    let path = format!("/v1/sessions/{}/close?game_id=runner", Uuid::new_v4());
    world.post_as(&key, &path, &close).await.is(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_hides_what_an_event_claims() {
    let world = World::new().await;
    let mut claims = event();
    claims["tenant"] = json!("globex");
    let sound = claims.to_string();
    for event in [
        sound.replacen("L07", "\\u0000", 1),
        sound.replacen("\"L07\"", "1e400", 1),
        sound.replacen("\"tenant\"", "\"tenant\":\"acme\",\"tenant\"", 1),
        sound.replacen("\"tenant\"", "\"ten\\u0061nt\"", 1),
        sound.replacen("\"globex\"", "7", 1),
    ] {
        assert_ne!(event, sound);
        forbidden(&world, &world.key, "/v1/events", &event).await;
    }
    assert!(world.stamps().await.is_empty(), "and none leaves a hole");
    claims["tenant"] = Value::Null;
    world.post("/v1/events", &claims).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloudevent_claims_by_its_extensions() {
    let world = World::new().await;
    for (name, own) in [("tenant", "acme"), ("tenantid", "acme"), ("gameid", "runner"), ("game_id", "runner")] {
        let mut event = cloudevents::cloudevent(Uuid::now_v7(), Uuid::new_v4(), 0);
        event[name] = json!("another");
        let told = cloudevents::send(&world, json!([event]).to_string()).await.is(403, "forbidden");
        assert_eq!(told.body["results"][0]["event_id"], event["id"]);
        event[name] = json!(own);
        cloudevents::send(&world, json!([event]).to_string()).await.accepted();
    }
    assert_eq!((world.events().await.len(), world.holes().await.len()), (4, 0));
}
