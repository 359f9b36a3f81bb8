//! Duplicates and conflicts.

use std::sync::Arc;

use schemas::topics::Topic;
use serde_json::json;

use crate::told::event;
use crate::world::{Setting, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_body_is_a_duplicate_however_it_is_written() {
    let world = World::new().await;
    let mut event = event();
    event["data"] = json!({"task_id": "L07", "difficulty": 1, "parent_id": null});
    world.post("/v1/events", &event).await.accepted();
    let (id, session) = (event["event_id"].as_str().unwrap(), event["session_id"].as_str().unwrap());
    let time = event["timestamp"].as_str().unwrap();
    let again = format!(
        "{{\"data\":{{ \"difficulty\":1.0, \"task_id\":\"L\\u00307\" }},\"timestamp\":\"{time}\",\"event_type\":\"task.started\",\"seq\":0.0,\"player_id\":\"p-1207\",\"session_id\":\"{}\",\"event_id\":\"{}\"}}",
        session.to_uppercase(),
        id.to_uppercase()
    );
    let told = world.post_bytes("/v1/events", again).await.accepted();
    assert_eq!(told.counts(), [0, 1, 0, 0]);
    assert_eq!(told.body["results"][0]["status"], "duplicate");
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_body_is_a_conflict_quarantined_without_a_hole() {
    let world = World::new().await;
    let first = event();
    world.post("/v1/events", &first).await.accepted();
    let mut other = first.clone();
    other["timestamp"] = json!(other["timestamp"].as_str().unwrap().replace('Z', "+00:00"));
    let told = world.post("/v1/events", &other).await.is(422, "validation_failed");
    assert_eq!(told.counts(), [0, 0, 1, 0]);
    let result = &told.body["results"][0];
    assert_eq!((&result["status"], &result["code"]), (&json!("conflict"), &json!("conflict")));
    let told = world.post("/v1/batch", &json!({"events": [first, other, event()]})).await;
    assert_eq!((told.status, told.counts()), (207, [1, 1, 1, 0]));
    assert_eq!(world.quarantined().await, ["conflict"; 2]);
    let kept = world.records(Topic::Quarantine).await;
    assert_eq!(kept[0].value.as_deref(), Some(other.to_string().as_bytes()));
    assert_eq!(kept[0].headers.text("event_id"), other["event_id"].as_str());
    assert!(world.holes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_within_one_batch_are_known_too() {
    let world = World::new().await;
    let first = event();
    let mut other = first.clone();
    other["seq"] = json!(1);
    let told = world.post("/v1/batch?results=all", &json!({"events": [first, first, other]})).await;
    assert_eq!((told.status, told.counts()), (207, [1, 1, 1, 0]));
    let statuses: Vec<_> = told.body["results"].as_array().unwrap().iter().map(|told| told["status"].clone()).collect();
    assert_eq!(statuses, ["accepted", "duplicate", "conflict"]);
    assert_eq!((world.events().await.len(), world.quarantined().await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_binds_nobody() {
    let world = World::new().await;
    let sound = event();
    let mut bad = sound.clone();
    bad["player_id"] = json!("no player");
    world.post("/v1/events", &bad).await.is(422, "validation_failed");
    assert_eq!(world.post("/v1/events", &sound).await.accepted().counts(), [1, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_at_once_one_is_accepted() {
    let world = Arc::new(World::new().await);
    let event = Arc::new(event());
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (world, event) = (Arc::clone(&world), Arc::clone(&event));
        requests.spawn(async move { world.post("/v1/events", &event).await.accepted().counts() });
    }
    let counts = requests.join_all().await;
    assert_eq!(counts.iter().filter(|counts| **counts == [1, 0, 0, 0]).count(), 1);
    assert_eq!(counts.iter().filter(|counts| **counts == [0, 1, 0, 0]).count(), 99);
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_and_conflicts_are_known_after_a_restart() {
    let mut world = World::new().await;
    let known = event();
    world.post("/v1/events", &known).await.accepted();
    world.stop().await;
    world.start(&Setting::default()).await;
    let mut other = known.clone();
    other["seq"] = json!(5);
    let told = world.post("/v1/batch", &json!({"events": [known, other]})).await;
    assert_eq!((told.status, told.counts()), (207, [0, 1, 1, 0]));
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_more_events_than_the_window_may_hold_a_start_knows_the_newest() {
    let mut world = World::new().await;
    let session = uuid::Uuid::new_v4();
    let mut events = Vec::new();
    for seq in 0..20 {
        let mut event = event();
        event["session_id"] = json!(session);
        event["seq"] = json!(seq);
        world.post("/v1/events", &event).await.accepted();
        events.push(event);
    }
    world.stop().await;
    let flags = ["--dedup-ids", "8"].map(str::to_owned).to_vec();
    world.start(&Setting { flags, ..Default::default() }).await;
    let dry = world.post("/v1/batch?dry_run=true", &json!({"events": events[12..]})).await.accepted();
    assert_eq!(dry.counts(), [0, 8, 0, 0]);
    let dry = world.post("/v1/batch?dry_run=true", &json!({"events": events[..12]})).await.accepted();
    assert_eq!(dry.counts(), [12, 0, 0, 0], "older repeats are left to the worker");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_on_one_log_learn_of_each_others_events() {
    let first = World::new().await;
    let mut second = World::new().await;
    second.stop().await;
    second.log = Arc::clone(&first.log);
    second.start(&Setting::default()).await;
    let event = event();
    first.post("/v1/events", &event).await.accepted();
    for _ in 0..200 {
        // A dry run judges and keeps nothing: it can ask until the tail has brought the event.
        let told = second.post("/v1/events?dry_run=true", &event).await.accepted();
        if told.counts() == [0, 1, 0, 0] {
            assert_eq!(second.post("/v1/events", &event).await.accepted().counts(), [0, 1, 0, 0]);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the second gateway never learnt of the first one's event");
}
