//! A log that fails: 503, and a retry that has no second effect.

use std::sync::Arc;
use std::time::Duration;

use daemon::{Health, Shell};
use schemas::topics::Topic;
use serde_json::json;

use crate::failing::{Failing, Mode};
use crate::lines::Lines;
use crate::told::{event, value};
use crate::world::{World, config};

async fn failing(dedup: &str) -> (World, Failing) {
    let log = Failing::new();
    let world = World::with(log.setting(&["--produce-deadline", "300ms", "--dedup", dedup])).await;
    (world, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_takes_nothing_is_503_and_the_same_events_go_through_later() {
    let (world, log) = failing("local").await;
    let batch = json!({"events": [event(), event(), {"seq": -1}]});
    for (mode, code, seconds) in [(Mode::Full, "overloaded", "1"), (Mode::Unavailable, "log_unavailable", "2")] {
        log.set(mode);
        let told = world.post("/v1/batch", &batch).await.is(503, code);
        assert_eq!(told.headers["retry-after"], seconds);
        assert!(told.body.get("accepted").is_none(), "nothing is said of single events");
    }
    world.assert_untouched().await;
    log.set(Mode::Sound);
    let told = world.post("/v1/batch", &batch).await;
    assert_eq!((told.status, told.counts()), (207, [2, 0, 0, 1]));
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_unknown_outcome_the_same_body_is_taken_and_another_refused() {
    for mode in [Mode::Forgets, Mode::Silent] {
        let (world, log) = failing("local").await;
        let event = event();
        log.set(mode);
        world.post("/v1/events", &event).await.is(503, "log_unavailable");
        log.set(Mode::Sound);
        let mut other = event.clone();
        other["seq"] = json!(9);
        assert_eq!(world.post("/v1/events", &other).await.is(422, "validation_failed").counts(), [0, 0, 1, 0]);
        assert_eq!(world.post("/v1/events", &event).await.accepted().counts(), [1, 0, 0, 0]);
        assert_eq!(world.post("/v1/events", &event).await.accepted().counts(), [0, 1, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_of_unknown_outcome_is_written_again_whatever_its_body() {
    let (world, log) = failing("local").await;
    let path = format!("/v1/sessions/{}/close", uuid::Uuid::new_v4());
    log.set(Mode::Loses);
    world.post(&path, &json!({"player_id": "p-1", "reason": "error"})).await.is(503, "log_unavailable");
    log.set(Mode::Sound);
    let other = json!({"player_id": "p-1", "reason": "completed"});
    let dry = world.post(&format!("{path}?dry_run=true"), &other).await.accepted();
    assert_eq!(dry.counts(), [1, 0, 0, 0], "a dry run says what the real one does");
    assert_eq!(world.post(&path, &other).await.accepted().counts(), [1, 0, 0, 0]);
    assert_eq!(world.events().await[0]["event"]["data"]["reason"], "completed");
    assert_eq!(world.post(&path, &other).await.accepted().counts(), [0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_settles_an_unknown_outcome() {
    let (world, log) = failing("shared").await;
    let event = event();
    log.set(Mode::Forgets);
    world.post("/v1/events", &event).await.is(503, "log_unavailable");
    log.set(Mode::Sound);
    for _ in 0..200 {
        if world.post("/v1/events?dry_run=true", &event).await.accepted().counts() == [0, 1, 0, 0] {
            assert_eq!(world.post("/v1/events", &event).await.accepted().counts(), [0, 1, 0, 0]);
            assert_eq!(world.events().await.len(), 1, "the retry had no second effect");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the tail never brought the event");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_answers_nothing_for_long_leaves_the_gateway_alive() {
    let log = Failing::new();
    let mut setting = log.setting(&["--produce-deadline", "1m", "--dedup", "shared"]);
    setting.hung_after = Some(Duration::from_secs(6));
    let world = World::with(setting.clone()).await;
    let starting = Shell { health: Health::hung_after(Duration::from_secs(6)), ..Shell::detached() };
    let between = setting.between.as_ref().unwrap()(Arc::clone(&world.log));
    log.set(Mode::Mute);
    // One that starts waits as well.
    let started = tokio::spawn(ingest_gateway::run(config(world.folder.path(), &setting), between, starting.clone()));
    // Counts are due every ten seconds, and the log is given its deadline to answer.
    for _ in 0..40 {
        assert_eq!(world.get("/livez").await.status, 200);
        assert!(starting.health.liveness().ok && !starting.health.readiness().ok);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    starting.shutdown.drain();
    started.await.unwrap().unwrap();
    log.set(Mode::Sound);
}

async fn became(world: &World, status: u16) {
    for _ in 0..100 {
        if world.get("/readyz").await.status == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("/readyz never became {status}");
}

/// The failing log answers every question: only an acknowledgement tells that it takes something.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_comes_from_acknowledgements_alone() {
    let (world, log) = failing("local").await;
    for mode in [Mode::Unavailable, Mode::Loses] {
        log.set(mode);
        world.post("/v1/events", &event()).await.is(503, "log_unavailable");
        became(&world, 503).await;
        for _ in 0..30 {
            assert_eq!(world.get("/readyz").await.status, 503);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        log.set(Mode::Sound);
        became(&world, 200).await;
    }
    let told: Vec<_> = world.records(Topic::Outcomes).await.iter().map(value).collect();
    assert!(told.iter().any(|record| record["kind"] == "alive"), "it asks without a client's help: {told:?}");
    log.set(Mode::Unavailable);
    world.post("/v1/events", &event()).await.is(503, "log_unavailable");
    log.set(Mode::Sound);
    world.post("/v1/events", &event()).await.accepted();
    became(&world, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_once_and_no_request_by_itself() {
    let lines = Lines::get();
    let (world, log) = failing("local").await;
    log.set(Mode::Unavailable);
    let ids: Vec<_> = (0..20).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    for id in &ids {
        let request = world.request(reqwest::Method::POST, "/v1/events").bearer_auth(&world.key).json(&event());
        world.send(request.header("x-request-id", id)).await.is(503, "log_unavailable");
    }
    let told = lines.of(&log.name.to_string());
    assert_eq!(told.len(), 1, "{told:?}");
    for id in &ids {
        assert!(lines.of(id).is_empty(), "{:?}", lines.of(id));
    }
    log.set(Mode::Refused);
    let id = uuid::Uuid::new_v4().to_string();
    let request = world.request(reqwest::Method::POST, "/v1/events").bearer_auth(&world.key).json(&event());
    world.send(request.header("x-request-id", &id)).await.is(500, "internal");
    assert!(lines.of(&id).iter().any(|line| line.contains("too large")), "why a request got 500 is told");
}

/// A conflict with an event in flight is quarantined once that is kept: by an append of its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_late_is_answered_by_its_own_failure() {
    let (world, log) = failing("local").await;
    for (mode, status, code) in
        [(Mode::Full, 503, "overloaded"), (Mode::Refused, 500, "internal"), (Mode::Unavailable, 503, "log_unavailable")]
    {
        let first = event();
        let mut other = first.clone();
        other["seq"] = json!(9);
        let batch = json!({"events": [first, other]});
        log.set_after(1, mode);
        world.post("/v1/batch", &batch).await.is(status, code);
        log.set(Mode::Sound);
        let told = world.post("/v1/batch", &batch).await;
        assert_eq!((told.status, told.counts()), (207, [0, 1, 1, 0]), "the event itself had been kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_log_never_takes_is_no_failing_log() {
    let (world, log) = failing("local").await;
    log.set(Mode::Refused);
    for _ in 0..15 {
        world.post("/v1/events", &event()).await.is(500, "internal");
        assert_eq!(world.get("/readyz").await.status, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_an_unknown_outcome_are_told_exactly_once() {
    let (mut world, log) = failing("local").await;
    world.post("/v1/batch", &json!({"events": [event(), event()]})).await.accepted();
    log.set(Mode::Forgets);
    // The counts go out every ten seconds; these land, and the gateway is not told so.
    let landed = async {
        while world.records(Topic::Outcomes).await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), landed).await.expect("counts are told");
    tokio::time::sleep(Duration::from_millis(500)).await;
    log.set(Mode::Sound);
    world.post("/v1/events", &event()).await.accepted();
    world.stop().await;
    let records: Vec<_> = world.records(Topic::Outcomes).await.iter().map(value).collect();
    let accepted: u64 = records.iter().filter_map(|record| record["outcomes"]["accepted"].as_u64()).sum();
    assert_eq!(accepted, 3, "{records:?}");
}
