//! Exactly once: repeats, rivals, crashes, poison.

use std::sync::atomic::Ordering;
use std::time::Duration;

use projector::store::{Standing, Wanted};
use schemas::topics::Topic;
use serde_json::json;
use uuid::Uuid;

use crate::postgres::{Cluster, Database, Fsync, database};
use crate::records::{SESSION, activity, event, live, outcome, report, set_aside, task, with};
use crate::world::{Given, World};

#[tokio::test]
async fn a_load_that_stands_already_changes_nothing() {
    let world = World::new(&database().await).await;
    let mut feeds = Vec::new();
    for topic in [Topic::Sessions, Topic::Live, Topic::Activity, Topic::Outcomes, Topic::Quarantine, Topic::Events] {
        feeds.push(world.claim(topic, 0).await);
    }
    let given = |topic: usize| match topic {
        0 => vec![Given::json(&report(SESSION, 1)), Given::json(&report(Uuid::from_u128(2), 1))],
        1 => vec![Given::json(&live(SESSION, 1))],
        2 => vec![Given::json(&activity(&json!({"task.started": 2})))],
        3 => vec![Given::json(&outcome(&json!({"accepted": 3})))],
        4 => vec![set_aside()],
        _ => vec![event(1, 0, "{}")],
    };
    let load = feeds.iter_mut().enumerate().map(|(at, feed)| feed.slice(given(at))).collect();
    let report = world.sink.write(load).await.unwrap();
    assert_eq!(report.written.len(), 6);
    let before = world.everything().await;
    assert!(before.contains("p-1") && before.contains("accepted"));
    // As after a COMMIT whose answer was lost: the same claim, the same stretch.
    for feed in &mut feeds {
        feed.rewind();
    }
    let load = feeds.iter_mut().enumerate().map(|(at, feed)| feed.slice(given(at))).collect();
    let report = world.sink.write(load).await.unwrap();
    assert_eq!((report.written.len(), report.lost.len()), (6, 0), "it stands, so it is done");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn of_two_projectors_on_one_partition_the_loser_is_refused() {
    let world = World::new(&database().await).await;
    let mut loser = world.claim(Topic::Sessions, 0).await;
    let mut untouched = world.claim(Topic::Sessions, 1).await;
    world.tell(&mut loser, &[report(SESSION, 1)]).await;
    let mut winner = world.claim(Topic::Sessions, 0).await;
    assert!(winner.claim.epoch > loser.claim.epoch);
    assert_eq!(winner.claim.next_offset, 2);

    let load = vec![
        loser.slice(vec![Given::json(&report(Uuid::from_u128(7), 1))]),
        untouched.slice(vec![Given::json(&report(Uuid::from_u128(8), 1))]),
    ];
    let outcome = world.sink.write(load).await.unwrap();
    assert_eq!(outcome.lost.iter().map(|(lost, _)| lost.partition).collect::<Vec<_>>(), [0]);
    assert_eq!(outcome.written.iter().map(|stood| stood.partition.partition).collect::<Vec<_>>(), [1]);
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 2);
    world.tell(&mut winner, &[report(Uuid::from_u128(9), 1)]).await;
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 3);
}

#[tokio::test]
async fn a_claim_waits_for_a_transaction_under_way_and_overtakes_it() {
    let world = World::new(&database().await).await;
    let mut paused = world.claim(Topic::Sessions, 0).await;
    let slice = [paused.slice(vec![Given::json(&report(SESSION, 1))])];
    let mut transaction = world.sink.store().begin(&slice).await.unwrap();
    let known = transaction.known(&slice).await.unwrap();
    transaction.apply(&projector::project::project(&slice, &known)).await.unwrap();
    let claim = world.claim(Topic::Sessions, 0);
    tokio::pin!(claim);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut claim).await.is_err(), "the claim must wait");
    // It dies instead of committing: nothing of it is left.
    drop(transaction);
    let successor = claim.await;
    assert_eq!(successor.claim.next_offset, 0);
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 0);
    assert_eq!(world.sink.store().standing(&slice).await.unwrap(), [Standing::Lost]);
}

#[tokio::test]
async fn another_topic_or_a_gap_in_the_log_stops_with_a_message() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    world.tell(&mut feed, &[report(SESSION, 1)]).await;
    let wanted = |id: &str, low, high| Wanted {
        topic: "play.sessions".into(),
        topic_id: id.into(),
        partition: 0,
        range: eventlog::OffsetRange { low, high },
        may_skip: false,
    };
    for (wanted, words) in [
        (wanted("two", 0, 5), "made again"),
        (wanted("one", 3, 5), "dropped before they were read"),
        (wanted("one", 0, 1), "truncated"),
    ] {
        let error = world.sink.store().claim(&[wanted]).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn poison_goes_to_the_quarantine_with_its_place_and_the_rest_goes_on() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 4).await;
    let given = vec![
        Given::json(&report(SESSION, 1)),
        Given::bytes(b"\xff not JSON"),
        Given::json(&json!({"v": 1, "tenant": "acme", "game": "demo"})),
        Given::json(&report(Uuid::from_u128(2), 1)),
    ];
    let outcome = world.write(&mut feed, given).await;
    assert_eq!(outcome.written[0].next, 5);
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 2);
    let kept = world.quarantine.records.lock().unwrap().clone();
    let told: Vec<_> = kept
        .iter()
        .map(|record| {
            let header = |name| record.headers.text(name).unwrap().to_owned();
            (header("reason"), header("origin_topic"), header("origin_partition"), header("origin_offset"))
        })
        .collect();
    let place = |offset: &str| ("poison".to_owned(), "play.sessions".to_owned(), "4".to_owned(), offset.to_owned());
    assert_eq!(told, [place("1"), place("2")]);
    assert_eq!(kept[0].value.as_deref(), Some(&b"\xff not JSON"[..]));
    assert_eq!(&kept[1].key[..], b"acme/demo");
}

#[tokio::test]
async fn a_second_life_is_refused_and_listed() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    world.tell(&mut feed, &[report(SESSION, 1)]).await;
    let before = world.rows("SELECT * FROM play.sessions").await;
    world.tell(&mut feed, &[with(report(SESSION, 5), "/provenance/first_offset", json!(9_000))]).await;
    assert_eq!(world.rows("SELECT * FROM play.sessions").await, before);
    let kept = world.quarantine.records.lock().unwrap();
    assert_eq!(kept.iter().map(|record| record.headers.text("reason")).collect::<Vec<_>>(), [Some("second_life")]);
}

#[tokio::test]
async fn offsets_do_not_pass_poison_before_the_quarantine_has_it() {
    let world = World::new(&database().await).await;
    world.quarantine.away.store(2, Ordering::SeqCst);
    let mut feed = world.claim(Topic::Sessions, 0).await;
    let slice = feed.slice(vec![Given::bytes(b"no"), Given::json(&report(SESSION, 1))]);
    let watch = async {
        while world.quarantine.away.load(Ordering::SeqCst) > 0 {
            assert_eq!(world.count("SELECT sum(next_offset) FROM play.offsets").await, 0);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (outcome, ()) = tokio::join!(world.sink.write(vec![slice]), watch);
    assert_eq!(outcome.unwrap().written.len(), 1);
    assert_eq!(world.quarantine.records.lock().unwrap().len(), 1);
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 1);
}

#[tokio::test]
async fn a_value_that_the_tables_refuse_is_found_and_set_aside_alone() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    // Longer than an index takes, and not to be compressed.
    let long: String = (0_u32..4_000).map(|n| char::from_u32(0x4e00 + (n * 7_919) % 20_000).unwrap()).collect();
    let mut values: Vec<_> = (0..9).map(|n| report(Uuid::from_u128(n), 1)).collect();
    values[5]["facts"]["tasks"] = json!([task(&long, 5)]);
    world.tell(&mut feed, &values).await;
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 8);
    assert_eq!(world.count("SELECT sessions FROM play.players").await, 8);
    let kept = world.quarantine.records.lock().unwrap();
    assert_eq!(kept.iter().map(|record| record.headers.text("origin_offset")).collect::<Vec<_>>(), [Some("5")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_again_and_again_loses_and_doubles_nothing() {
    const LOADS: usize = 60;
    let cluster = Cluster::start(Fsync::On);
    let database = Database::create(&cluster.url("postgres")).await;
    let world = World::new(&database).await;
    let mut sessions = world.claim(Topic::Sessions, 0).await;
    let mut counts = world.claim(Topic::Activity, 0).await;
    let id = |load: usize, n: usize| Uuid::from_u128((load * 20 + n) as u128);
    let reports = |load: usize| (0..20).map(|n| Given::json(&report(id(load, n), 1))).collect::<Vec<_>>();
    let write = async {
        let (mut told, mut went_back) = ([0, 0], 0);
        while told != [LOADS, LOADS] {
            let mut load = Vec::new();
            if told[0] < LOADS {
                load.push(sessions.slice(reports(told[0])));
                told[0] += 1;
            }
            if told[1] < LOADS {
                load.push(counts.slice(vec![Given::json(&activity(&json!({"task.started": 1})))]));
                told[1] += 1;
            }
            let outcome = world.sink.write(load).await.unwrap();
            assert!(outcome.lost.is_empty() && !outcome.forgotten);
            for (partition, _, next) in outcome.behind {
                // A load is its records and a marker: 21 offsets of sessions, 2 of activity.
                let next_load = |size: i64| usize::try_from(next / size).unwrap();
                went_back += 1;
                if &*partition.topic == "play.sessions" {
                    sessions.go_to(next);
                    told[0] = next_load(21);
                } else {
                    counts.go_to(next);
                    told[1] = next_load(2);
                }
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        went_back
    };
    let crash = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            tokio::task::block_in_place(|| {
                cluster.crash();
                cluster.restart();
            });
        }
    };
    let (went_back, ()) = tokio::join!(write, crash);
    let rows = world.count("SELECT count(*) FROM play.sessions").await;
    let events = world.count("SELECT events FROM play.activity_by_minute").await;
    println!(
        "{LOADS} loads, 3 crashes of the server: {went_back} stretches read again, {rows} sessions, {events} counts"
    );
    assert_eq!((rows, events), (60 * 20, 60));
    assert_eq!(world.count("SELECT sessions FROM play.players").await, 60 * 20);
}
