use schemas::games::{GameSettings, Games};
use schemas::record::stamp::{Origin, RawBuf};
use schemas::{Event, Tenant};

use super::judge::{Arrival, Verdict};
use super::terms::Terms;
use super::told::Context;
use super::*;
use crate::metrics_v1::fold::Bounds;
use crate::state::{encode_marker, encode_session};

/// 2026-01-05T08:00:00Z.
const BEGIN: i64 = 1_767_600_000_000;

const TEXT: &str = r#"{"event_id":"0198c0de-0000-7000-8000-000000000001","session_id":"8f14e45f-0000-4000-8000-000000000001",
    "player_id":"p-1","seq":0,"event_type":"task.attempted","timestamp":"2026-01-05T08:00:00Z",
    "data":{"task_id":"L1","outcome":"success"}}"#;

/// The most that a session takes while a million of its records come.
#[derive(Debug, Default)]
struct Most {
    /// Bytes of its written state.
    state: usize,
    /// Bytes of memory of what it knows of each seq.
    memory: usize,
    /// Bytes of the marker that it leaves.
    marker: usize,
}

/// Tells a session a million records; those that are refused leave holes by the gateway's stamps.
fn million(is_refused: impl Fn(u64) -> bool) -> Most {
    let (games, tenant) = (Games::all(GameSettings::default()), Tenant::parse("acme").unwrap());
    let context = Context { games: &games, tenant: &tenant };
    let game = Game::parse("demo").unwrap();
    let mut session = Session::new(Terms::at(&games, &tenant, &game, BEGIN), 0, BEGIN);
    let raw: RawBuf = serde_json::from_str(TEXT).unwrap();
    let mut event: Event<'_> = schemas::parse::stamped(TEXT, Some(Origin::Close)).unwrap();
    let (mut most, mut applied) = (Most::default(), 0);
    let written = |session: &Session| encode_session(session, 1_000_000).unwrap().len();
    let mut largest = session.clone();
    // The first and the last are good, so that there is a session, and a report of it.
    let records = 1_000_000;
    for seq in 0..records {
        let arrival = Arrival {
            offset: i64::try_from(seq).unwrap(),
            received_at: BEGIN,
            log_time: BEGIN,
            sent_at: None,
            app_version: None,
            request_id: "req_1",
            game: &game,
            redriven: false,
        };
        if is_refused(seq) && seq > 0 && seq + 1 < records {
            session.hole(seq, &arrival, &context).unwrap();
        } else {
            event.seq = Some(seq);
            event.event_id = Uuid::from_u128(u128::from(seq) << 64 | u128::from(seq));
            let judgement = session.event(&event, raw.as_raw(), &arrival, &context).unwrap();
            assert_eq!(judgement.verdict, Verdict::Applied, "{seq}");
            applied += 1;
        }
        if session.prefix.bytes() > most.memory {
            most.memory = session.prefix.bytes();
            largest = session.clone();
        }
        if seq % 50_000 == 49_999 {
            most.state = most.state.max(written(&session));
        }
    }
    most.state = most.state.max(written(&largest));
    assert_eq!((session.told.event_count(), session.prefix.next()), (applied, records));
    let marker = session.marker(&session.told, BEGIN).unwrap();
    most.marker = encode_marker(&marker, 0).unwrap().len();
    most
}

#[test]
fn a_million_refused_events_with_holes_cost_no_more_than_a_million_good_ones() {
    let good = million(|_| false);
    assert!(good.state < 1 << 20 && good.memory < 600 << 10, "{good:?}");
    let hashed = |seq: u64| seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0;
    let patterns: [(&str, &dyn Fn(u64) -> bool); 4] = [
        ("all of them", &|_| true),
        ("every other", &|seq| seq % 2 == 0),
        ("half of them, here and there", &hashed),
        ("one in nine", &|seq| seq % 9 == 0),
    ];
    for (name, is_refused) in patterns {
        let refused = million(is_refused);
        println!("{name}: {refused:?}; none: {good:?}");
        assert!(refused.state <= good.state && refused.memory <= good.memory, "{name}: {refused:?}, good: {good:?}");
        // A marker names a few places where there was none.
        assert!(refused.marker < 4 << 10, "{name}: {refused:?}, good: {good:?}");
    }
}

#[test]
fn terms_that_earlier_releases_wrote_are_the_usual_ones_and_usual_ones_are_written_as_they_did() {
    let earlier =
        r#"{"timeout_ms":1800000,"grace_ms":3600000,"cap_ms":86400000,"buffer_events":4096,"buffer_bytes":524288}"#;
    let (games, tenant) = (Games::all(GameSettings::default()), Tenant::parse("acme").unwrap());
    let usual = Terms::at(&games, &tenant, &Game::parse("demo").unwrap(), BEGIN);
    let usual = (*usual).clone();
    assert_eq!(serde_json::from_str::<Terms>(earlier).unwrap(), usual);
    assert_eq!(serde_json::to_string(&usual).unwrap(), earlier);
    let set = Terms { events: 7, fold: Bounds { tasks: 3, ..Bounds::default() }, ..usual };
    assert_eq!(serde_json::from_str::<Terms>(&serde_json::to_string(&set).unwrap()).unwrap(), set);
}
