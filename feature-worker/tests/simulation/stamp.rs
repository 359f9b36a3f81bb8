//! Records of play.events, as a gateway would write them.

use bytes::Bytes;
use eventlog::{Headers, NewRecord, TopicPartition};
use schemas::topics::{self, Topic};
use schemas::{Tenant, Timestamp};
use serde_json::json;

use super::history::{Arrival, What};
use super::run::PREFIX;

/// The record of an arrival, for one of so many partitions.
pub fn record(arrival: &Arrival, received_at: i64, partitions: i32) -> NewRecord {
    let tenant = Tenant::parse("acme").expect("a tenant");
    let key = topics::session_key(&tenant, arrival.session);
    let number = topics::partition(key.as_bytes(), partitions);
    NewRecord {
        partition: TopicPartition::new(Topic::Events.name(PREFIX), number),
        key: key.into(),
        value: Some(stamped(arrival, received_at)),
        headers: Headers::new(),
        timestamp_ms: received_at,
    }
}

fn stamped(arrival: &Arrival, received_at: i64) -> Bytes {
    let at = Timestamp::from_ms(received_at).to_string();
    let mut stamp = json!({
        "v": 1, "tenant": "acme", "game": arrival.game, "received_at": at, "request_id": "r", "key_id": "k",
        "gateway": "g", "origin": "close",
    });
    if arrival.redriven {
        stamp["redrive"] =
            json!({"topic": "play.quarantine", "partition": 0, "offset": 0, "first_received_at": stamp["received_at"]});
    }
    match &arrival.what {
        What::Garbage => return Bytes::from_static(b"no record at all"),
        What::Hole(seq) => stamp["hole"] = json!({"session_id": arrival.session, "seq": seq, "reason": "invalid"}),
        What::Event(raw) => {
            let mut text = stamp.to_string();
            text.pop();
            return Bytes::from(format!("{text},\"event\":{raw}}}"));
        }
    }
    stamp.to_string().into()
}
