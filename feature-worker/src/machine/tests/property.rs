//! Any order of arrival, any repetition, any crash: the same final facts to the byte.

use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::report::{Report, Status};
use schemas::testing::{self, Style};
use serde_json::{Value, json};

use super::*;

/// What a world makes of events that come in this order, once grace is over.
fn reports(events: &[Value], disturb: Option<&mut ChaCha8Rng>) -> World {
    let mut world = World::new();
    let mut disturb = disturb;
    for (event, at) in events.iter().zip((BEGIN..).step_by(100)) {
        let more = if event["timestamp"].is_null() { json!({"origin": "close"}) } else { json!({}) };
        world.put_stamped(event, at, &more);
        if let Some(rng) = &mut disturb {
            match rng.random_range(0..20) {
                0 => {
                    world.fate = Fate::Aborted;
                    world.run();
                }
                1 => {
                    world.fate = Fate::Open;
                    world.run();
                    world.crash(settings());
                    world.fate = Fate::Kept;
                }
                2..6 => world.run(),
                _ => {}
            }
        }
    }
    world.run();
    world.wait(3 * HOUR);
    world
}

fn last(world: &World) -> &Report {
    assert_eq!(world.report().status, Status::Final);
    world.report()
}

fn is_counted(events: &[Value]) -> bool {
    events.iter().all(|event| event["seq"].is_u64() || event["event_type"] == "session.closed")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_order_and_repetition_gives_the_same_facts(seed: u64) {
        let events = testing::session(seed, Style::ALL);
        let straight = reports(&events, None);
        let straight = last(&straight);
        prop_assert_eq!(&straight.facts.metrics, &expected(&events));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut again = events.clone();
        again.extend(events.iter().filter(|_| rng.random_bool(0.3)).cloned());
        let doubled = again.len() - events.len();
        if is_counted(&events) {
            again.shuffle(&mut rng);
        }
        let disturbed = reports(&again, Some(&mut rng));
        let report = last(&disturbed);
        prop_assert_eq!(&report.facts_sha256, &straight.facts_sha256);
        prop_assert_eq!(&report.facts, &straight.facts);
        prop_assert_eq!(disturbed.applied(), events.len() as u64);
        prop_assert_eq!(disturbed.repeats(), doubled as u64);
        prop_assert_eq!(report.facts.metrics.event_count, events.len() as u64);
        prop_assert!(disturbed.quarantine.is_empty());
        let revisions: Vec<u64> = disturbed.reports.iter().map(|report| report.revision).collect();
        prop_assert!(revisions.is_sorted() && revisions.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", revisions);
    }

    #[test]
    fn events_in_the_place_of_holes_count_in_any_order(seed: u64) {
        let events = testing::session(seed, Style::CLIENT);
        prop_assume!(is_counted(&events));
        let straight = reports(&events, None);
        let straight = last(&straight);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut world = World::new();
        let mut late = Vec::new();
        for event in &events {
            match event["seq"].as_u64().filter(|_| event["event_type"] != "session.closed" && rng.random_bool(0.1)) {
                Some(seq) => {
                    let mut hole = stamp(BEGIN);
                    hole["hole"] = json!({"session_id": event["session_id"], "seq": seq, "reason": "invalid"});
                    world.put_raw(event["session_id"].as_str().unwrap(), hole.to_string(), BEGIN);
                    late.push(event);
                }
                None => world.put(event, BEGIN),
            }
        }
        world.run();
        prop_assume!(late.len() < events.iter().filter(|event| event["event_type"] != "session.closed").count());
        world.wait(rng.random_range(0..2) * 2 * HOUR);
        for event in late {
            world.put(event, BEGIN + 3 * HOUR);
            if rng.random_bool(0.5) {
                world.run();
            }
        }
        world.run();
        world.wait(3 * HOUR);
        prop_assert_eq!(&last(&world).facts, &straight.facts);
        prop_assert_eq!(world.applied(), events.len() as u64);
    }
}
