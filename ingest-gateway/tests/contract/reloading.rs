//! The folder of a studio's own types, changed while it is in use.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lines::Lines;
use crate::told::event;
use crate::world::{Setting, World};

const TYPE: &str = "boss.defeated";

fn schema(version: u32, max: u32) -> String {
    json!({"version": version, "properties": {"level": {"type": "integer", "maximum": max}}}).to_string()
}

async fn world() -> (World, PathBuf) {
    let pet = ("pet.fed.json".to_owned(), "{}".to_owned());
    let schemas = vec![(format!("{TYPE}.json"), schema(1, 10)), pet];
    let world = World::with(Setting { schemas, ..Default::default() }).await;
    let folder = world.folder.path().join("schemas");
    (world, folder)
}

fn defeated(level: u32) -> Value {
    let mut event = event();
    event["event_type"] = json!(TYPE);
    event["data"] = json!({"level": level});
    event
}

/// What GET /v1/schemas tells of the type; null where it is none.
async fn listed(world: &World) -> Value {
    let all = world.as_key(&world.key, "/v1/schemas").await;
    let types = all.body["types"].as_array().unwrap().clone();
    types.into_iter().find(|one| one["event_type"] == TYPE).unwrap_or_default()
}

/// Waits until the type is told so, which must be within five seconds.
async fn becomes(world: &World, expected: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let told = listed(world).await;
        if expected(&told) {
            return told;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "still {told}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_schema_is_in_force_within_five_seconds_under_load() {
    let (world, folder) = world().await;
    // What is refused on and on would meet the quarantine's share.
    let key = world.tier_key("unlimited").await;
    let world = Arc::new(world);
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        async move {
            let mut batches = 0;
            while !stop.load(Ordering::SeqCst) {
                let events: Vec<_> = (0..20).map(|_| defeated(50)).collect();
                let request = world.request(reqwest::Method::POST, "/v1/batch").bearer_auth(&key);
                let told = world.send(request.json(&json!({"events": events}))).await;
                // One set judges all events of a request.
                assert!(matches!((told.status, told.counts()), (202, [20, ..]) | (422, [.., 20])), "{}", told.body);
                batches += 1;
            }
            batches
        }
    });
    let first = listed(&world).await;
    world.post("/v1/events", &defeated(50)).await.is(422, "validation_failed");
    for version in 2..4 {
        std::fs::write(folder.join(format!("{TYPE}.json")), schema(version, 100)).unwrap();
        let told = becomes(&world, |told| told["version"] == version).await;
        assert_ne!((&told["sha256"], &told["schema"]), (&first["sha256"], &first["schema"]));
    }
    world.post("/v1/events", &defeated(50)).await.accepted();
    stop.store(true, Ordering::SeqCst);
    assert!(load.await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_told_with_its_line_and_the_last_good_set_stays() {
    let lines = Lines::get();
    let (world, folder) = world().await;
    let path = folder.join("boss.broken.json");
    std::fs::write(folder.join(format!("{TYPE}.json")), schema(2, 100)).unwrap();
    std::fs::write(&path, "{\n \"properties\": {\n  \"level\": {\"type\": \"whole\"}}}").unwrap();
    let words = format!("{}: line 3, /properties/level/type", path.display());
    let began = Instant::now();
    while lines.of(&words).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(lines.of(&words).len(), 1, "told once");
    assert_eq!(listed(&world).await["version"], 1, "all or nothing");
    world.post("/v1/events", &defeated(5)).await.accepted();
    std::fs::remove_file(&path).unwrap();
    becomes(&world, |told| told["version"] == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_file_ends_its_type_and_an_emptied_folder_ends_none() {
    let (world, folder) = world().await;
    let path = folder.join(format!("{TYPE}.json"));
    std::fs::remove_file(&path).unwrap();
    becomes(&world, Value::is_null).await;
    let told = world.post("/v1/events", &defeated(5)).await.is(422, "validation_failed");
    assert_eq!(told.fault(), ("/event_type".into(), "unknown_type".into()));
    std::fs::create_dir(folder.join("acme")).unwrap();
    std::fs::write(folder.join("acme").join(format!("{TYPE}.json")), schema(7, 10)).unwrap();
    becomes(&world, |told| told["version"] == 7).await;
    let moved = folder.with_file_name("elsewhere");
    std::fs::rename(&folder, &moved).unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(listed(&world).await["version"], 7, "a folder that is gone");
    std::fs::create_dir(&folder).unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(listed(&world).await["version"], 7, "a folder that is empty");
    std::fs::remove_dir(&folder).unwrap();
    std::fs::write(moved.join("acme").join(format!("{TYPE}.json")), schema(8, 10)).unwrap();
    std::fs::rename(&moved, &folder).unwrap();
    becomes(&world, |told| told["version"] == 8).await;
}
