//! After any history of reports, each aggregate equals its plain recount from the newest revisions.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::topics::Topic;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::postgres::database;
use crate::records::{piece, report, task};
use crate::world::World;

const SESSIONS: u128 = 40;
const REPORTS: usize = 400;

/// A report of one of some sessions, of a random revision, that moves in time, in player, in kind.
fn random_report(random: &mut ChaCha8Rng, revisions: &mut BTreeMap<u128, u64>) -> Value {
    let session = random.random_range(0..SESSIONS);
    let newest = revisions.entry(session).or_default();
    let revision = if *newest > 0 && random.random_bool(0.2) { random.random_range(1..=*newest) } else { *newest + 1 };
    *newest = (*newest).max(revision);
    // What a revision tells is always the same, however often it is told.
    let mut facts = ChaCha8Rng::seed_from_u64(u64::try_from(session).unwrap() * 1_000 + revision);
    let mut told = report(Uuid::from_u128(session), revision);
    told["player"] = json!(format!("p-{}", (session + u128::from(facts.random_bool(0.1))) % 7));
    told["kind"] = json!(if facts.random_bool(0.9) { "play" } else { "evidence" });
    let start = format!("2026-01-{:02}T{:02}:00:00Z", facts.random_range(1..28), facts.random_range(0..24));
    told["provenance"]["started_at"] = json!(start);
    told["provenance"]["ended_at"] = json!(format!("2026-02-{:02}T00:00:00Z", facts.random_range(1..28)));
    told["facts"]["metrics"]["event_count"] = json!(facts.random_range(1..100));
    told["facts"]["metrics"]["active_ms"] = json!(facts.random_range(0..100_000));
    let tasks = facts.random_range(0..4);
    told["facts"]["tasks"] = (0..tasks).map(|n| task(&format!("L{n}"), facts.random_range(0..9_999))).collect();
    let pieces = facts.random_range(0..4);
    told["facts"]["evidence"] =
        (0..pieces).map(|n| piece("resilience", ["a", "b"].choose(&mut facts).unwrap(), n)).collect();
    told
}

/// The newest report of each session, by the plainest of means.
fn newest(told: &[Value]) -> Vec<&Value> {
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for report in told {
        let place = newest.entry(report["session"].as_str().unwrap()).or_insert(report);
        if report["revision"].as_u64() > place["revision"].as_u64() {
            *place = report;
        }
    }
    newest.into_values().collect()
}

fn players(newest: &[&Value]) -> Vec<Value> {
    let mut players: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for report in newest.iter().filter(|report| report["kind"] == "play") {
        players.entry(report["player"].as_str().unwrap()).or_default().push(report);
    }
    let sum = |reports: &[&Value], name: &str| -> i64 {
        reports.iter().map(|report| report["facts"]["metrics"][name].as_i64().unwrap()).sum()
    };
    let time = |report: &&Value, name: &str| report["provenance"][name].as_str().unwrap().replace('Z', "+00:00");
    let row = |(player, reports): (&str, Vec<&Value>)| {
        json!({
            "player_id": player, "sessions": reports.len(), "events": sum(&reports, "event_count"),
            "active_ms": sum(&reports, "active_ms"),
            "first_seen": reports.iter().map(|report| time(report, "started_at")).min(),
            "last_seen": reports.iter().map(|report| time(report, "ended_at")).max(),
        })
    };
    players.into_iter().map(row).collect()
}

/// Active and new players of each day.
fn days(newest: &[&Value]) -> Vec<Value> {
    let mut played: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for report in newest.iter().filter(|report| report["kind"] == "play") {
        let day = report["provenance"]["started_at"].as_str().unwrap()[..10].to_owned();
        played.entry(day).or_default().insert(report["player"].as_str().unwrap());
    }
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for (day, players) in &played {
        for player in players {
            first.entry(player).or_insert(day);
        }
    }
    let next = |day: &str| {
        let day: chrono::NaiveDate = day.parse().unwrap();
        day.succ_opt().unwrap().to_string()
    };
    let row = |(day, players): (&String, &BTreeSet<&str>)| {
        let new: Vec<_> = players.iter().filter(|player| first[**player] == day).collect();
        let returned =
            played.get(&next(day)).map_or(0, |then| new.iter().filter(|player| then.contains(***player)).count());
        json!({"day": day, "active": players.len(), "new": new.len(), "returned_1d": returned})
    };
    played.iter().map(row).collect()
}

#[tokio::test]
async fn aggregates_equal_their_recount_after_random_histories() {
    for seed in 0..4 {
        let world = World::new(&database().await).await;
        let mut feed = world.claim(Topic::Sessions, 0).await;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut revisions = BTreeMap::new();
        let told: Vec<Value> = (0..REPORTS).map(|_| random_report(&mut random, &mut revisions)).collect();
        let mut rest = &told[..];
        while !rest.is_empty() {
            let (load, after) = rest.split_at(random.random_range(1..=rest.len().min(30)));
            world.tell(&mut feed, load).await;
            rest = after;
        }
        let newest = newest(&told);

        let rows = world
            .rows("SELECT player_id, sessions, events, active_ms, first_seen, last_seen FROM play.players ORDER BY player_id")
            .await;
        assert_eq!(rows, players(&newest), "players, seed {seed}");

        let rows = world.rows("SELECT day, active, new, returned_1d FROM play.daily_players ORDER BY day").await;
        assert_eq!(rows, days(&newest), "daily_players, seed {seed}");

        let plays = newest.iter().filter(|report| report["kind"] == "play");
        let mut tasks: BTreeMap<&str, i64> = BTreeMap::new();
        for task in plays.flat_map(|report| report["facts"]["tasks"].as_array().unwrap()) {
            *tasks.entry(task["task_id"].as_str().unwrap()).or_default() += task["attempts"].as_i64().unwrap();
        }
        let expected: Vec<_> =
            tasks.iter().map(|(id, n)| json!({"task_id": id, "attempts": n, "failure_rate": 0.5})).collect();
        let rows = world.rows("SELECT task_id, attempts, failure_rate FROM play.task_stats ORDER BY task_id").await;
        assert_eq!(rows, expected, "task_stats, seed {seed}");

        let pieces: usize = newest.iter().map(|report| report["facts"]["evidence"].as_array().unwrap().len()).sum();
        assert_eq!(world.count("SELECT count(*) FROM play.skill_evidence").await, i64::try_from(pieces).unwrap());
        assert!(world.quarantine.records.lock().unwrap().is_empty());
    }
}
