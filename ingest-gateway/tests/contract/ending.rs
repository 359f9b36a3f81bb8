//! Drain, and the counts that balance.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemas::topics::Topic;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bodies::tell_all;
use crate::failing::{Failing, Mode};
use crate::told::{event, value, with};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_answers_what_is_in_flight_and_refuses_what_is_new() {
    let mut world = World::new().await;
    let body = json!({"events": [event()]}).to_string();
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        world.key,
        body.len()
    );
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    // The request has begun when the gateway has its head.
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.shell.shutdown.drain();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = world.post("/v1/events", &event()).await.is(503, "shutting_down");
    assert!(told.headers.contains_key("retry-after"));
    assert_eq!(told.headers["connection"], "close");
    let told = tell_all(&world, "POST /v1/batch HTTP/1.1", 8 << 20).await;
    assert!(told.starts_with("HTTP/1.1 503 "), "also to who sends much: {told}");
    assert_eq!(world.get("/readyz").await.status, 503);
    assert_eq!(world.get("/livez").await.status, 200);
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    world.ended().await;
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_has_one_outcome_between_a_start_and_a_stop() {
    let mut world = World::new().await;
    let known = event();
    let mut other = known.clone();
    other["seq"] = json!(3);
    world.post("/v1/batch", &json!({"events": [known, event(), known, other, with("seq", json!(-1))]})).await;
    world.post("/v1/events", &known).await.accepted();
    world.post("/v1/events?dry_run=true", &event()).await.accepted();
    world.stop().await;
    let records = outcomes(&world).await;
    let kinds: Vec<_> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"started"), Some(&"stopped")));
    let mut sums = BTreeMap::new();
    for counts in records.iter().filter(|record| record["kind"] == "counts") {
        assert_eq!(
            (&counts["tenant"], &counts["game"], &counts["gateway"]),
            (&json!("acme"), &json!("runner"), &json!("gw"))
        );
        for (outcome, count) in counts["outcomes"].as_object().unwrap() {
            *sums.entry(outcome.clone()).or_insert(0) += count.as_u64().unwrap();
        }
    }
    let expected = [("accepted", 2), ("conflict", 1), ("duplicate", 2), ("rejected", 1)];
    assert_eq!(sums, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_to_the_log_is_carried_to_its_end_though_its_client_has_gone() {
    let log = Failing::new();
    let mut world = World::with(log.setting(&[])).await;
    log.set(Mode::Late);
    let (before, sent) = (log.appends(), event());
    let body = sent.to_string();
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        world.key,
        body.len()
    );
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    begun(&log, before + 1).await;
    drop(stream);
    // Whoever sends the same meanwhile waits for the same end.
    let told = world.post("/v1/events", &sent).await.accepted();
    assert_eq!((&told.body["accepted"], &told.body["duplicates"]), (&json!(0), &json!(1)));
    log.set(Mode::Sound);
    world.stop().await;
    let told = outcomes(&world).await;
    let sum = |outcome: &str| told.iter().filter_map(|record| record["outcomes"][outcome].as_u64()).sum::<u64>();
    assert_eq!((sum("accepted"), sum("duplicate")), (1, 1), "{told:?}");
}

async fn outcomes(world: &World) -> Vec<Value> {
    world.records(Topic::Outcomes).await.iter().map(value).collect()
}

async fn begun(log: &Failing, appends: u64) {
    let begun = async {
        while log.appends() < appends {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), begun).await.expect("an append begins");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_in_time_and_does_not_call_itself_whole_where_work_was_left() {
    let log = Failing::new();
    let mut world = World::with(log.setting(&["--produce-deadline", "60s"])).await;
    world.post("/v1/events", &event()).await.accepted();
    log.set(Mode::Silent);
    let before = log.appends();
    let request = world.request(reqwest::Method::POST, "/v1/events").bearer_auth(&world.key).json(&event());
    let unanswered = tokio::spawn(request.send());
    begun(&log, before + 1).await;
    let began = Instant::now();
    world.stop().await;
    let took = began.elapsed();
    assert!((Duration::from_secs(11)..Duration::from_secs(24)).contains(&took), "{took:?}");
    unanswered.abort();
    let told = outcomes(&world).await;
    assert!(told.iter().all(|record| record["kind"] != "stopped"), "{told:?}");
    assert_eq!(told.iter().filter_map(|record| record["outcomes"]["accepted"].as_u64()).sum::<u64>(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_were_on_their_way_when_the_drain_began_are_told_once() {
    let log = Failing::new();
    let mut world = World::with(log.setting(&[])).await;
    world.post("/v1/batch", &json!({"events": [event(), event()]})).await.accepted();
    log.set(Mode::LateUnavailable);
    // The counts go out every ten seconds.
    let before = log.appends();
    begun(&log, before + 1).await;
    log.set(Mode::Sound);
    world.stop().await;
    let told = outcomes(&world).await;
    assert_eq!(told.last().unwrap()["kind"], "stopped");
    assert_eq!(told.iter().filter_map(|record| record["outcomes"]["accepted"].as_u64()).sum::<u64>(), 2, "{told:?}");
}
