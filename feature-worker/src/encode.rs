//! Writes what the machine puts out as records of the topics.

use bytes::Bytes;
use eventlog::{Headers, NewRecord};
use schemas::record::VERSION;
use schemas::record::header;
use schemas::{Timestamp, topics as keys};

use crate::machine::{Output, Quarantined};
use crate::topics::{Named, Topics};

/// Records of the outputs, in their order. `now_ms` is their time, in ms since the epoch.
///
/// # Errors
/// When a value can't be written as JSON, which would be a fault of the program.
pub fn records(outputs: Vec<Output>, topics: &Topics, now_ms: i64) -> Result<Vec<NewRecord>, serde_json::Error> {
    outputs.into_iter().map(|output| record(output, topics, now_ms)).collect()
}

fn record(output: Output, topics: &Topics, now_ms: i64) -> Result<NewRecord, serde_json::Error> {
    let keyed = |topic: &Named, key: String, value: Option<Vec<u8>>| NewRecord {
        partition: topic.keyed(key.as_bytes()),
        key: key.into(),
        value: value.map(Bytes::from),
        headers: Headers::new(),
        timestamp_ms: now_ms,
    };
    Ok(match output {
        Output::Report(report) => {
            let key = keys::player_key(&report.tenant, &report.player);
            keyed(&topics.sessions, key, Some(serde_json::to_vec(&report)?))
        }
        Output::Live(live) => {
            let key = keys::session_key(&live.tenant, live.session);
            keyed(&topics.live, key, Some(serde_json::to_vec(&live)?))
        }
        Output::Gone(session) => keyed(&topics.live, keys::session_key(&session.tenant, session.session), None),
        Output::Activity(counts) => {
            let key = keys::game_key(&counts.tenant, &counts.game);
            keyed(&topics.activity, key, Some(serde_json::to_vec(&counts)?))
        }
        Output::Quarantine(aside) => quarantined(*aside, topics, now_ms)?,
        Output::State { partition, key, value } => NewRecord {
            partition: topics.state.numbered(partition),
            key,
            value,
            headers: Headers::new(),
            timestamp_ms: now_ms,
        },
    })
}

fn quarantined(aside: Quarantined, topics: &Topics, now_ms: i64) -> Result<NewRecord, serde_json::Error> {
    let key = match &aside.owner {
        Some((tenant, game)) => keys::game_key(tenant, game).into(),
        None => aside.key,
    };
    let version = VERSION.to_string();
    let partition = aside.partition.to_string();
    let offset = aside.offset.to_string();
    let received_at = Timestamp::from_ms(aside.received_at).to_string();
    let event_id = aside.event_id.map(|id| id.to_string());
    let errors = if aside.errors.is_empty() { None } else { Some(serde_json::to_vec(&aside.errors)?) };
    let always = [
        (header::VERSION, version.as_bytes()),
        (header::REASON, aside.reason.as_str().as_bytes()),
        (header::ORIGIN_TOPIC, topics.events.name.as_bytes()),
        (header::ORIGIN_PARTITION, partition.as_bytes()),
        (header::ORIGIN_OFFSET, offset.as_bytes()),
        (header::RECEIVED_AT, received_at.as_bytes()),
    ];
    let some = [
        (header::ERRORS, errors.as_deref()),
        (header::EVENT_ID, event_id.as_deref().map(str::as_bytes)),
        (header::REQUEST_ID, aside.request_id.as_deref().map(str::as_bytes)),
    ];
    let known = some.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Ok(NewRecord {
        partition: topics.quarantine.keyed(&key),
        key,
        value: Some(aside.raw),
        headers: Headers::from_pairs(always.into_iter().chain(known)),
        timestamp_ms: now_ms,
    })
}
