//! What the model promises, whatever the seed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use schemas::Timestamp;

use super::*;
use pace::EVENTS_PER_PLAYER;

const START: i64 = 1_790_000_000_000;

/// The first `count` requests of a crowd as they would go over the wire.
fn rendered(seed: u64, start_ms: i64, count: usize) -> Vec<(String, String)> {
    let crowd = Crowd::new(seed, 12, true);
    crowd.take(count).map(|delivery| delivery.request.render(start_ms, start_ms + delivery.at_ms)).collect()
}

/// Every event of a stretch once, as JSON, by session; and the close calls by session.
fn sessions(seed: u64, count: usize) -> BTreeMap<String, BTreeMap<String, serde_json::Value>> {
    let mut sessions: BTreeMap<String, BTreeMap<String, serde_json::Value>> = BTreeMap::new();
    for delivery in Crowd::new(seed, 12, true).take(count) {
        let events = match delivery.request {
            Request::Batch { events, .. } => events,
            Request::Single(event) => vec![event],
            Request::Close { .. } => continue,
        };
        for event in events {
            let json = event.json(START);
            let id = |field: &str| json[field].as_str().unwrap().to_owned();
            sessions.entry(id("session_id")).or_default().insert(id("event_id"), json);
        }
    }
    sessions
}

#[test]
fn the_same_seed_and_start_give_the_same_bytes() {
    assert_eq!(rendered(7, START, 3_000), rendered(7, START, 3_000));
    assert_ne!(rendered(7, START, 100), rendered(8, START, 100));
}

#[test]
fn another_start_gives_other_ids_so_that_no_run_conflicts_with_an_earlier_one() {
    let ids = |start: i64| -> HashSet<uuid::Uuid> {
        let events = Crowd::new(7, 12, true).take(500).flat_map(|delivery| match delivery.request {
            Request::Batch { events, .. } => events,
            Request::Single(event) => vec![event],
            Request::Close { .. } => Vec::new(),
        });
        events.map(|event| event.id.uuid(start)).collect()
    };
    assert!(ids(START).is_disjoint(&ids(START + 1)));
}

#[test]
fn every_event_is_sound_and_every_type_of_the_catalogue_is_played() {
    let mut types = BTreeSet::new();
    for event in sessions(11, 6_000).values().flat_map(BTreeMap::values) {
        let text = event.to_string();
        let judged = schemas::parse::event(&text);
        assert!(judged.is_ok(), "{text}: {judged:?}");
        types.insert(event["event_type"].as_str().unwrap().to_owned());
    }
    let expected = [
        "session.started",
        "session.closed",
        "session.paused",
        "session.resumed",
        "session.heartbeat",
        "focus.lost",
        "focus.gained",
        "task.started",
        "task.attempted",
        "task.completed",
        "task.failed",
        "task.abandoned",
        "task.restarted",
        "hint.requested",
        "strategy.changed",
        "choice.made",
        "question.answered",
        "checkpoint.reached",
        "score.changed",
        "item.changed",
        "social.message_sent",
        "social.help",
        "social.turn",
        "dialogue.viewed",
        "client.error",
        "evidence.recorded",
    ];
    assert_eq!(types, expected.into_iter().map(str::to_owned).collect());
}

#[test]
fn a_counting_client_leaves_no_gap_and_its_times_never_step_back() {
    let requests = 6_000;
    let all = sessions(5, requests);
    // The newest sessions are cut off by the end of the stretch.
    let mut counted = 0;
    for events in all.values().take(all.len() / 2) {
        let mut order: Vec<_> = events.values().filter(|event| event["seq"].is_u64()).collect();
        order.sort_by_key(|event| event["seq"].as_u64());
        let seqs: Vec<_> = order.iter().filter_map(|event| event["seq"].as_u64()).collect();
        assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
        let times: Vec<_> =
            order.iter().map(|event| Timestamp::parse(event["timestamp"].as_str().unwrap()).unwrap()).collect();
        assert!(times.is_sorted(), "{order:?}");
        counted += seqs.len();
    }
    assert!(counted > 1_000, "{counted}");
}

#[test]
fn the_network_repeats_delays_and_reorders() {
    let deliveries: Vec<_> = Crowd::new(3, 40, false).take(6_000).collect();
    assert!(deliveries.is_sorted_by_key(|delivery| delivery.at_ms));
    assert!(deliveries.iter().filter(|delivery| delivery.again).count() > 50);
    assert!(deliveries.iter().any(|delivery| matches!(delivery.request, Request::Close { .. })));
    // A batch after a time offline holds far more than a tick's worth.
    assert!(deliveries.iter().map(|delivery| delivery.request.events()).max() > Some(30));
    let mut newest: BTreeMap<uuid::Uuid, u64> = BTreeMap::new();
    let mut overtaken = 0;
    for event in deliveries.iter().filter(|delivery| !delivery.again).flat_map(|delivery| match &delivery.request {
        Request::Batch { events, .. } => events.clone(),
        Request::Single(event) => vec![event.clone()],
        Request::Close { .. } => Vec::new(),
    }) {
        let Some(seq) = event.seq else { continue };
        let known = newest.entry(event.session.uuid(START)).or_default();
        overtaken += u64::from(seq < *known);
        *known = seq.max(*known);
    }
    assert!(overtaken > 50, "{overtaken}");
}

#[test]
fn players_get_better_at_the_levels_they_repeat() {
    let (mut early, mut late) = ((0, 0), (0, 0));
    for (session, events) in sessions(21, 20_000) {
        let made = uuid::Uuid::parse_str(&session).unwrap().get_timestamp().unwrap().to_unix().0;
        let count = if i64::try_from(made).unwrap() * 1_000 < START + 1_800_000 { &mut early } else { &mut late };
        for event in events.values().filter(|event| event["event_type"] == "task.attempted") {
            let level = event["data"]["task_id"].as_str().unwrap();
            if level.starts_with("workshop") {
                count.0 += u32::from(event["data"]["outcome"] == "success");
                count.1 += 1;
            }
        }
    }
    let rate = |(successes, attempts): (u32, u32)| f64::from(successes) / f64::from(attempts);
    assert!(rate(late) > rate(early) + 0.1, "{early:?} {late:?}");
}

#[test]
fn the_rate_per_player_is_what_the_pace_reckons_with() {
    let players = 60;
    let mut crowd = Crowd::new(17, players, false);
    let mut events = 0;
    let mut last = 0;
    while last < 4 * 3_600_000 {
        let delivery = crowd.next().unwrap();
        last = delivery.at_ms;
        events += if delivery.again { 0 } else { delivery.request.events() };
    }
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let rate = events as f64 / players as f64 / (last as f64 / 1_000.0);
    assert!((rate / EVENTS_PER_PLAYER - 1.0).abs() < 0.2, "{rate} events/s a player");
}
