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

/// Sends through each world until all of them say of their clock what they should.
async fn play_until(worlds: &[(&World, u16)]) -> Vec<String> {
    for _ in 0..100 {
        for (world, _) in worlds {
            world.post("/v1/events", &event()).await;
        }
        let mut agreed = true;
        for (world, status) in worlds {
            agreed &= world.get("/readyz").await.status == *status;
        }
        if agreed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut said = Vec::new();
    for (world, status) in worlds {
        said.push(world.becomes(*status, "clock").await);
    }
    said
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
    let said = play_until(&[(&first, 503), (&ahead, 503)]).await;
    assert!(said[0].contains("gw-2 is") && said[0].contains("s ahead") && !said[0].contains("gw-1"), "{said:?}");
    assert!(said[1].contains("gw-1 is") && said[1].contains("s behind") && !said[1].contains("gw-2"), "{said:?}");
    let third = first.beside(&named("gw-3", None)).await;
    let said = play_until(&[(&first, 200), (&ahead, 503), (&third, 200)]).await;
    assert!(said[1].contains("gw-1 is") && said[1].contains("gw-3 is"), "{said:?}");
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
