//! Limits: who sends too much is told so, and nobody else notices.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::told::{Told, event, with};
use crate::world::{Setting, World};

pub(crate) fn setting(tiers: &str, flags: &[&str]) -> Setting {
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    Setting { tiers: Some(tiers.to_owned()), flags, ..Setting::default() }
}

#[track_caller]
fn limited(told: Told, limit: &str) {
    let told = told.is(429, "rate_limited");
    let header = |name: &str| told.headers[name].to_str().unwrap().to_owned();
    let after: u32 = header("retry-after").parse().unwrap();
    assert!(after >= 1);
    assert_eq!(header("ratelimit"), format!("\"{limit}\";r=0;t={after}"));
    assert!(header("ratelimit-policy").starts_with(&format!("\"{limit}\";q=")));
    assert!(told.body["detail"].as_str().unwrap().contains(limit));
}

/// Requests of a key with one event each, one after the other; how long each took.
async fn quiet(world: &World, key: &str, count: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        world.post_as(key, "/v1/events", &with("player_id", json!("p-quiet"))).await.accepted();
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sort();
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_ten_times_the_limit_is_429_and_another_key_is_unharmed() {
    const BURST: usize = 50;
    let world = World::with(setting("[tier.small]\nkey.requests = { per_second = 1, burst = 50 }", &[])).await;
    let noisy = world.tier_key("small").await;
    let before = quiet(&world, &world.key, 100).await;
    let kept = world.events().await.len();
    let burst = async {
        let workers = (0..20).map(|_| async {
            let mut statuses = Vec::new();
            for _ in 0..BURST * 10 / 20 {
                let told = world.post_as(&noisy, "/v1/events", &event()).await;
                statuses.push(told.status);
                if told.status != 202 {
                    limited(told, "key-requests");
                }
            }
            statuses
        });
        join_all(workers).await.concat()
    };
    let (statuses, during) = tokio::join!(burst, quiet(&world, &world.key, 100));
    let accepted = statuses.iter().filter(|status| **status == 202).count();
    // The time that it takes lets a few more through.
    assert!((BURST..BURST + 60).contains(&accepted), "{accepted}");
    assert_eq!(world.events().await.len(), kept + accepted + 100, "what is refused leaves nothing");
    let of = |took: &[Duration], percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    println!(
        "FAULTS 10: {} sent at once, {accepted} accepted, {} refused; the other key: p50 {:?} p99 {:?} alone, p50 {:?} p99 {:?} beside them",
        statuses.len(),
        statuses.len() - accepted,
        of(&before, 50),
        of(&before, 99),
        of(&during, 50),
        of(&during, 99),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_school_of_a_thousand_behind_one_address_passes() {
    let world = World::new().await;
    let player = |number: usize| {
        let world = &world;
        async move {
            let name = format!("pupil-{number}");
            // The bell: everybody starts at once, then plays on.
            for batch in 0..3 {
                let events: Vec<Value> = (0..2 + batch).map(|_| with("player_id", json!(name))).collect();
                world.post("/v1/batch", &json!({"events": events})).await.accepted();
            }
        }
    };
    // So many sockets at once as a test may open.
    for hundred in 0..10 {
        join_all((0..100).map(|number| player(hundred * 100 + number))).await;
    }
    assert_eq!(world.events().await.len(), 9_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_addresses_are_honoured_from_trusted_proxies_only() {
    let tiers = "[tier.standard]\naddress.requests = { per_second = 1, burst = 3 }";
    for (proxy, honoured) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        let world = World::with(setting(tiers, &["--trusted-proxy", proxy])).await;
        let send = async |forwarded: &str| {
            let request = world.request(Method::POST, "/v1/events").bearer_auth(&world.key);
            world.send(request.header("x-forwarded-for", forwarded).json(&event())).await
        };
        for _ in 0..3 {
            send("192.0.2.1").await.accepted();
        }
        limited(send("192.0.2.1").await, "key-address-requests");
        if honoured {
            limited(send("198.51.100.9, 192.0.2.1").await, "key-address-requests");
            send("192.0.2.2").await.accepted();
            // One host has a whole /64.
            for host in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff"] {
                send(host).await.accepted();
            }
            limited(send("2001:db8::9").await, "key-address-requests");
            send("2001:db8:0:1::9").await.accepted();
        } else {
            limited(send("192.0.2.2").await, "key-address-requests");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_limited_before_anybody_asks_who_it_is() {
    let flags = ["--address-requests", "1", "--trusted-proxy", "127.0.0.1"];
    let world = World::with(setting("", &flags)).await;
    let guess = async |forwarded: &str| {
        let request = world.request(Method::GET, "/v1/whoami").header("x-forwarded-for", forwarded);
        world.send(request.bearer_auth("pl_guess_guess")).await
    };
    let mut refused = 0;
    for _ in 0..10 {
        let told = guess("192.0.2.1").await;
        if told.status == 429 {
            refused += 1;
            limited(told, "address-requests");
        } else {
            assert!(told.headers.contains_key("ratelimit"));
            told.is(401, "unauthenticated");
        }
    }
    assert!(refused >= 4, "{refused}");
    guess("192.0.2.2").await.is(401, "unauthenticated");
    assert_eq!(world.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_noisy_player_is_limited_and_the_others_of_the_key_are_not() {
    let tiers = "[tier.standard]\nplayer.events = { per_second = 1, burst = 1_000 }";
    let world = World::with(setting(tiers, &[])).await;
    let of =
        |player: &str, count: usize| -> Vec<Value> { (0..count).map(|_| with("player_id", json!(player))).collect() };
    world.post("/v1/batch", &json!({"events": of("noisy", 900)})).await.accepted();
    limited(world.post("/v1/batch", &json!({"events": of("noisy", 200)})).await, "player-events");
    let mixed = [of("calm", 5), of("noisy", 200)].concat();
    limited(world.post("/v1/batch", &json!({"events": mixed})).await, "player-events");
    world.post("/v1/batch", &json!({"events": of("calm", 900)})).await.accepted();
    let mixed = [of("calm", 5), of("noisy", 5), of("third", 900)].concat();
    world.post("/v1/batch", &json!({"events": mixed})).await.accepted();
    assert_eq!(world.events().await.len(), 900 + 900 + 910);
    world.post("/v1/batch?dry_run=true", &json!({"events": of("third", 200)})).await.is(429, "rate_limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_after_its_body_was_split_counts_as_shed() {
    let tiers = "[tier.standard]\nkey.events = { per_second = 1, burst = 1_000 }";
    let mut world = World::with(setting(tiers, &[])).await;
    let events: Vec<Value> = (0..600).map(|_| event()).collect();
    world.post("/v1/batch", &json!({"events": events})).await.accepted();
    let more: Vec<Value> = (0..600).map(|_| event()).collect();
    limited(world.post("/v1/batch", &json!({"events": more})).await, "key-events");
    world.stop().await;
    let told = world.records(schemas::topics::Topic::Outcomes).await;
    let sum = |name: &str| -> u64 {
        let of = |record| crate::told::value(record)["outcomes"][name].as_u64().unwrap_or(0);
        told.iter().map(of).sum()
    };
    assert_eq!((sum("accepted"), sum("shed")), (600, 600));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credentials_share_of_the_quarantine_is_bounded_before_anything_is_produced() {
    let tiers = "[tier.standard]\nquarantine.records = { per_minute = 1, burst = 1_000 }";
    let world = World::with(setting(tiers, &[])).await;
    let bad = |count: usize| -> Vec<Value> { (0..count).map(|_| with("timestamp", json!("soon"))).collect() };
    let told = world.post("/v1/batch", &json!({"events": bad(990)})).await;
    assert_eq!(told.counts(), [0, 0, 0, 990]);
    let held = (world.stamps().await.len(), world.quarantined().await.len());
    let sound = event();
    let mut mixed = bad(20);
    mixed.push(sound.clone());
    limited(world.post("/v1/batch", &json!({"events": mixed})).await, "quarantine-records");
    assert_eq!((world.stamps().await.len(), world.quarantined().await.len()), held);
    // What was in the refused request is not known by its id.
    assert_eq!(world.post("/v1/events", &sound).await.accepted().counts(), [1, 0, 0, 0]);
    // Conflicts go there too.
    let mut other = sound.clone();
    other["seq"] = json!(7);
    let many: Vec<Value> = (0..20).map(|_| other.clone()).collect();
    limited(world.post("/v1/batch", &json!({"events": many})).await, "quarantine-records");
    world.post("/v1/batch?dry_run=true", &json!({"events": bad(20)})).await.is(422, "validation_failed");
    assert_eq!(world.post("/v1/events", &sound).await.accepted().counts(), [0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn good_answers_tell_the_tightest_limit_and_the_tier_without_limits_tells_none() {
    let world = World::with(setting("", &["--address-requests", "0"])).await;
    let told = world.post("/v1/events", &event()).await.accepted();
    assert_eq!(told.headers["ratelimit-policy"], "\"player-requests\";q=500;w=10");
    assert_eq!(told.headers["ratelimit"], "\"player-requests\";r=499;t=1");
    let key = world.tier_key("unlimited").await;
    let told = world.post_as(&key, "/v1/events", &event()).await.accepted();
    assert!(!told.headers.contains_key("ratelimit") && !told.headers.contains_key("ratelimit-policy"));
    let told = world.as_key(&key, "/v1/whoami").await.body;
    assert_eq!((&told["tier"], &told["rates"]["key"]), (&json!("unlimited"), &json!({})));
    let told = world.as_key(&world.key, "/v1/whoami").await.body;
    assert_eq!(told["rates"]["key"]["requests"], json!({"amount": 20_000, "seconds": 1, "burst": 100_000}));
    // Nobody is without limits for a word that nobody defined.
    let key = world.tier_key("gold").await;
    let told = world.post_as(&key, "/v1/events", &event()).await.accepted();
    assert!(told.headers.contains_key("ratelimit"));
}
