//! The timeline and the metrics tell the same story: on real play, to the millisecond.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::DateTime;
use dashboard::view::event::Event;
use dashboard::view::timeline::timeline;
use serde_json::Value;

fn lines(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Events by session, in the order of seq, on a clock that does not step back.
fn sessions() -> BTreeMap<String, Vec<Event>> {
    let mut all: BTreeMap<String, BTreeMap<i64, (i64, Value)>> = BTreeMap::new();
    for event in lines("waves.ndjson") {
        let at = DateTime::parse_from_rfc3339(event["timestamp"].as_str().unwrap()).unwrap().timestamp_millis();
        let session = all.entry(event["session_id"].as_str().unwrap().to_owned()).or_default();
        session.entry(event["seq"].as_i64().unwrap()).or_insert((at, event));
    }
    let placed = |events: BTreeMap<i64, (i64, Value)>| {
        let begin = events.values().next().unwrap().0;
        let mut latest = begin;
        let mut place = |(seq, (at, event)): (i64, (i64, Value))| {
            latest = latest.max(at);
            let event_type = event["event_type"].as_str().unwrap().to_owned();
            Event { at_ms: latest - begin, seq: Some(seq), event_type, data: event["data"].clone() }
        };
        events.into_iter().map(&mut place).collect()
    };
    all.into_iter().map(|(session, events)| (session, placed(events))).collect()
}

#[test]
fn active_idle_and_away_on_the_timeline_are_those_of_the_metrics() {
    let sessions = sessions();
    let metrics = lines("waves.metrics.ndjson");
    assert_eq!(metrics.len(), 49);
    for told in metrics {
        let session = told["session_id"].as_str().unwrap();
        let duration_ms = told["duration_ms"].as_i64().unwrap();
        let drawn = timeline(&sessions[session], duration_ms, 60_000).unwrap();
        let wanted = ["active_ms", "idle_ms", "paused_ms"].map(|name| told[name].as_i64().unwrap());
        assert_eq!([drawn.active_ms, drawn.idle_ms, drawn.paused_ms], wanted, "{session}");
    }
}
