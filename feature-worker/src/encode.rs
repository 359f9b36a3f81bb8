//! Writes what the machine puts out as records of the topics.

use std::cell::RefCell;

use bytes::Bytes;
use eventlog::{Headers, NewRecord};
use schemas::record::quarantine;
use schemas::{Timestamp, topics as keys};
use serde::Serialize;

use crate::machine::{Output, Quarantined};
use crate::topics::{Named, Topics};

thread_local! {
    /// Where values are written, so that none grows in steps and keeps room that it does not need.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Records of the outputs, in their order. `now_ms` is their time, in ms since the epoch.
///
/// # Errors
/// When a value can't be written as JSON, which would be a fault of the program.
pub fn records(outputs: Vec<Output>, topics: &Topics, now_ms: i64) -> Result<Vec<NewRecord>, serde_json::Error> {
    outputs.into_iter().map(|output| record(output, topics, now_ms)).collect()
}

fn record(output: Output, topics: &Topics, now_ms: i64) -> Result<NewRecord, serde_json::Error> {
    let keyed = |topic: &Named, key: String, value: Option<Bytes>| NewRecord {
        partition: topic.keyed(key.as_bytes()),
        key: key.into(),
        value,
        headers: Headers::new(),
        timestamp_ms: now_ms,
    };
    Ok(match output {
        Output::Report(report) => {
            let key = keys::player_key(&report.tenant, &report.player);
            keyed(&topics.sessions, key, Some(json(&report)?))
        }
        Output::Live(live) => {
            let key = keys::session_key(&live.tenant, live.session);
            keyed(&topics.live, key, Some(json(&live)?))
        }
        Output::Gone(session) => keyed(&topics.live, keys::session_key(&session.tenant, session.session), None),
        Output::Activity(counts) => {
            let key = keys::game_key(&counts.tenant, &counts.game);
            keyed(&topics.activity, key, Some(json(&counts)?))
        }
        Output::Quarantine(aside) => quarantined(*aside, topics, now_ms),
        Output::State { partition, key, value } => NewRecord {
            partition: topics.state.numbered(partition),
            key,
            value,
            headers: Headers::new(),
            timestamp_ms: now_ms,
        },
    })
}

/// A value as JSON, in a block of its own size.
///
/// # Errors
/// When it can't be written so, which would be a fault of the program.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, serde_json::Error> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        serde_json::to_writer(&mut *scratch, value)?;
        Ok(Bytes::copy_from_slice(scratch))
    })
}

fn quarantined(aside: Quarantined, topics: &Topics, now_ms: i64) -> NewRecord {
    let key = match &aside.owner {
        Some((tenant, game)) => keys::game_key(tenant, game).into(),
        None => aside.key,
    };
    let told = quarantine::Headers {
        errors: aside.errors,
        origin: Some(quarantine::Origin {
            topic: topics.events.name.to_string(),
            partition: aside.partition,
            offset: aside.offset,
        }),
        request_id: aside.request_id,
        event_id: aside.event_id,
        ..quarantine::Headers::new(aside.reason, Timestamp::from_ms(aside.received_at))
    };
    let pairs = told.pairs();
    NewRecord {
        partition: topics.quarantine.keyed(&key),
        key,
        value: Some(aside.raw),
        headers: Headers::from_pairs(pairs.iter().map(|(name, value)| (*name, &**value))),
        timestamp_ms: now_ms,
    }
}
