//! The table of an event's fields, cell by cell.

use ingest_gateway::credentials::Scope;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::told::{at, event, with};
use crate::world::{Setting, World};

/// Sends events one by one; each must be refused with its pointer and code.
async fn refused(world: &World, cases: Vec<(Value, &str, &str)>) {
    for (event, pointer, code) in cases {
        let told = world.post("/v1/events", &event).await.is(422, "validation_failed");
        assert_eq!(told.fault(), (pointer.into(), code.into()), "{event}");
        assert_eq!(told.counts(), [0, 0, 0, 1]);
        assert_eq!(told.body["results"][0]["code"], "invalid_field");
        assert_eq!(told.body["errors"], told.body["results"][0]["errors"]);
    }
}

async fn taken(world: &World, events: Vec<Value>) {
    for event in events {
        let told = world.post("/v1/events", &event).await;
        assert_eq!(told.status, 202, "{event} {}", told.body);
        assert_eq!(told.counts(), [1, 0, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_of_the_field_table_refuses_what_breaks_it() {
    let world = World::new().await;
    let nil = "00000000-0000-0000-0000-000000000000";
    let max = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    let mut cases = Vec::new();
    for field in ["event_id", "session_id"] {
        let pointer: &str = if field == "event_id" { "/event_id" } else { "/session_id" };
        cases.push((with(field, Value::Null), pointer, "required"));
        cases.push((with(field, json!(7)), pointer, "type"));
        for odd in ["", "x", nil, max, "0198c0de00007000800000000000abcd", "{0198c0de-0000-7000-8000-00000000abcd}"] {
            cases.push((with(field, json!(odd)), pointer, "format"));
        }
    }
    cases.push((with("player_id", Value::Null), "/player_id", "required"));
    cases.push((with("player_id", json!(["p"])), "/player_id", "type"));
    for odd in ["", "Ada Lovelace", "ada@example.org", "é", &"p".repeat(65)] {
        cases.push((with("player_id", json!(odd)), "/player_id", "pattern"));
    }
    cases.push((with("seq", json!(-1)), "/seq", "range"));
    cases.push((with("seq", json!(1.5)), "/seq", "type"));
    cases.push((with("seq", json!("1")), "/seq", "type"));
    cases.push((with("seq", json!(1_u64 << 53)), "/seq", "range"));
    cases.push((with("event_type", Value::Null), "/event_type", "required"));
    cases.push((with("event_type", json!(1)), "/event_type", "type"));
    for odd in ["", "task", "Task.started", "task.", ".task", "task.started2", "task started"] {
        cases.push((with("event_type", json!(odd)), "/event_type", "pattern"));
    }
    cases.push((with("event_type", json!(format!("a.{}", "b".repeat(99)))), "/event_type", "length"));
    cases.push((with("event_type", json!("boss.defeated")), "/event_type", "unknown_type"));
    cases.push((with("timestamp", Value::Null), "/timestamp", "required"));
    cases.push((with("timestamp", json!(1_767_600_751)), "/timestamp", "type"));
    for odd in ["", "yesterday", "2026-01-05", "2026-01-05T08:12:31", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z"] {
        cases.push((with("timestamp", json!(odd)), "/timestamp", "format"));
    }
    cases.push((with("data", json!([])), "/data", "type"));
    cases.push((with("data", json!("x")), "/data", "type"));
    cases.push((with("data", json!({"task_id": "L07", "more": "x".repeat(11 << 10)})), "/data", "too_large"));
    cases.push((with("data", json!({})), "/data/task_id", "required"));
    refused(&world, cases).await;
    assert!(world.events().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_to_the_field_table_is_taken() {
    let world = World::new().await;
    let mut events = vec![
        event(),
        with("seq", Value::Null),
        with("seq", json!((1_u64 << 53) - 1)),
        with("player_id", json!("A.z_0:-")),
        with("player_id", json!("p".repeat(64))),
        with("event_id", json!(Uuid::new_v4().to_string().to_uppercase())),
        with("data", json!({"task_id": "L07", "unknown": {"kept": [1, null]}})),
        with("data", json!({"task_id": "L07", "more": "x".repeat(9 << 10)})),
        with("timestamp", json!(at(0).replace('Z', "+00:00"))),
        with("unknown", json!("passes")),
    ];
    let mut heartbeat = with("event_type", json!("session.heartbeat"));
    heartbeat["data"] = Value::Null;
    heartbeat["seq"] = Value::Null;
    events.push(heartbeat);
    taken(&world, events).await;
    assert_eq!(world.events().await.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_the_catalogue_is_taken() {
    let world = World::new().await;
    let evidence = world.known_key(&["runner"], &[Scope::Ingest, Scope::Evidence, Scope::Backfill]).await;
    let types: Vec<_> = schemas::testing::event_types().collect();
    assert_eq!(types.len(), 26);
    let style = schemas::testing::Style::CLIENT;
    for (seed, event_type) in (0..).zip(types) {
        let event = schemas::testing::event(seed, event_type, style);
        let told = world.post_as(&evidence, "/v1/events", &event).await;
        assert_eq!(told.status, 202, "{event} {}", told.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_thousands_of_faults_only_some_are_told() {
    let schema = json!({"properties": {"list": {"items": {"type": "string"}}}}).to_string();
    let schemas = vec![("boss.defeated.json".to_owned(), schema)];
    let world = World::with(Setting { schemas, ..Default::default() }).await;
    let mut event = with("event_type", json!("boss.defeated"));
    event["data"] = json!({"list": vec![1; 4_000]});
    let told = world.post("/v1/events", &event).await.is(422, "validation_failed");
    assert!((2..=20).contains(&told.body["results"][0]["errors"].as_array().unwrap().len()));
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_are_held_to_the_gateways_clock() {
    let world = World::new().await;
    taken(&world, vec![with("timestamp", json!(at(4 * MINUTE))), with("timestamp", json!(at(-30 * DAY)))]).await;
    let cases = vec![
        (with("timestamp", json!(at(6 * MINUTE))), "/timestamp", "range"),
        (with("timestamp", json!(at(-32 * DAY))), "/timestamp", "range"),
        (with("timestamp", json!("0001-01-01T00:00:00Z")), "/timestamp", "range"),
        (with("timestamp", json!("9999-12-31T23:59:59Z")), "/timestamp", "range"),
    ];
    refused(&world, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_corrected_by_sent_at() {
    let world = World::new().await;
    let year = 366 * DAY;
    for wrong in [-year, year] {
        let batch = json!({"sent_at": at(wrong), "events": [with("timestamp", json!(at(wrong - 1_000)))]});
        world.post("/v1/batch", &batch).await.accepted();
        let path = format!("/v1/events?sent_at={}", at(wrong));
        world.post(&path, &with("timestamp", json!(at(wrong - 1_000)))).await.accepted();
    }
    let batch = json!({"sent_at": at(-year), "events": [event()]});
    let told = world.post("/v1/batch", &batch).await.is(422, "validation_failed");
    assert_eq!(told.fault(), ("/timestamp".into(), "range".into()));
    let stamp = world.events().await.remove(0);
    assert!(stamp["sent_at"].is_string() && stamp["received_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn backfill_lets_any_age_in_and_no_future() {
    let world = World::new().await;
    let key = world.known_key(&["runner"], &[Scope::Ingest, Scope::Backfill]).await;
    for old in ["0001-01-01T00:00:00Z", "1969-12-31T23:59:60Z", "2020-02-29T12:00:00-12:00"] {
        world.post_as(&key, "/v1/events", &with("timestamp", json!(old))).await.accepted();
    }
    let told = world.post_as(&key, "/v1/events", &with("timestamp", json!(at(6 * MINUTE)))).await;
    assert_eq!(told.is(422, "validation_failed").fault().0, "/timestamp");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_of_an_event_are_told_at_once() {
    let world = World::new().await;
    let event = json!({"event_id": "x", "seq": -1, "event_type": "task.attempted", "data": {"outcome": "won"}});
    let told = world.post("/v1/events", &event).await.is(422, "validation_failed");
    let errors = told.body["results"][0]["errors"].as_array().unwrap();
    let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        ["/data/outcome", "/data/task_id", "/event_id", "/player_id", "/seq", "/session_id", "/timestamp"]
    );
    let outcome = errors.iter().find(|error| error["pointer"] == "/data/outcome").unwrap();
    assert_eq!(outcome["code"], "enum");
    assert_eq!(outcome["message"], "must be one of success, failure, partial");
}
