//! Clocks that are wrong, and gateways whose clocks disagree.

use std::time::Duration;

use daemon::Clock;

use crate::told::event;
use crate::world::{Setting, World};

const TWO_MINUTES: i64 = 120_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_the_hosts_clock_moves_no_stamp_and_makes_the_gateway_unready() {
    let clock = Clock::system();
    let world = World::with(Setting { clock: Some(clock.clone()), ..Default::default() }).await;
    clock.step_host(TWO_MINUTES);
    let words = world.becomes(503, "clock").await;
    assert!(words.contains("s ahead") && words.contains("restart this gateway"), "{words}");
    // The load balancer sends no more; what comes all the same is stamped by the time carried on.
    world.post("/v1/events", &event()).await.accepted();
    let record = &world.records(schemas::topics::Topic::Events).await[0];
    assert!((clock.now_ms() - record.timestamp_ms).abs() < TWO_MINUTES / 2);
    clock.step_host(-TWO_MINUTES);
    assert_eq!(world.becomes(200, "clock").await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_slept_goes_on_as_before() {
    let clock = Clock::system();
    let world = World::with(Setting { clock: Some(clock.clone()), ..Default::default() }).await;
    clock.sleep_host(10 * TWO_MINUTES);
    let mut event = event();
    event["timestamp"] = schemas::Timestamp::from_ms(clock.host_ms()).to_string().into();
    world.post("/v1/events", &event).await.accepted();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(world.becomes(200, "clock").await, "ok");
}

/// A gateway, how ready it is to be, and what it has to name for that.
struct Expected<'a>(&'a World, u16, &'a [&'a str]);

/// Sends through each gateway until all of them say of their clock what they should: who has not yet read
/// another's stamp cannot name it. Gives their words.
async fn play_until(expected: &[Expected<'_>]) -> Vec<String> {
    let mut said = Vec::new();
    for _ in 0..100 {
        said.clear();
        for Expected(world, ..) in expected {
            world.post("/v1/events", &event()).await;
        }
        let mut agreed = true;
        for Expected(world, status, names) in expected {
            let ready = world.get("/readyz").await.status;
            let words = world.says("clock");
            agreed &= ready == *status && names.iter().all(|name| words.contains(name));
            said.push(words);
        }
        if agreed {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("they never said what they should: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_that_disagree_name_each_other_and_a_third_one_decides() {
    let named = |name: &str, clock: Option<Clock>| Setting {
        flags: vec!["--instance".into(), name.into()],
        clock,
        ..Default::default()
    };
    let first = World::with(named("gw-1", None)).await;
    let ahead = first.beside(&named("gw-2", Some(Clock::ahead_by(TWO_MINUTES)))).await;
    let told = [Expected(&first, 503, &["gw-2 is", "s ahead"]), Expected(&ahead, 503, &["gw-1 is", "s behind"])];
    let said = play_until(&told).await;
    assert!(!said[0].contains("gw-1") && !said[1].contains("gw-2"), "nobody is apart from itself: {said:?}");
    let third = first.beside(&named("gw-3", None)).await;
    let both = ["gw-1 is", "gw-3 is"];
    play_until(&[Expected(&first, 200, &["ok"]), Expected(&ahead, 503, &both), Expected(&third, 200, &["ok"])]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_predecessor_of_another_time_is_no_reason_to_be_unready() {
    let flags = |name: &str| vec!["--instance".to_owned(), name.to_owned()];
    let clock = Some(Clock::ahead_by(TWO_MINUTES));
    let mut world = World::with(Setting { flags: flags("gw-old"), clock, ..Default::default() }).await;
    for _ in 0..20 {
        world.post("/v1/events", &event()).await.accepted();
    }
    world.stop().await;
    world.start(&Setting { flags: flags("gw-new"), ..Default::default() }).await;
    for _ in 0..15 {
        world.post("/v1/events", &event()).await.accepted();
        assert_eq!(world.becomes(200, "clock").await, "ok");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
