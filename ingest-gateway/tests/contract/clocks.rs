//! Clocks that are wrong, and gateways whose clocks disagree.

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
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    assert_eq!(world.becomes(200, "clock").await, "ok");
}
