//! Reads a record of any topic: what it tells, or that it is poison. Pure.

use std::collections::BTreeSet;

use bytes::Bytes;
use eventlog::Record;
use schemas::record::activity::Activity;
use schemas::record::live::Live;
use schemas::record::outcome::{OutcomeRecord, Told as OutcomeTold};
use schemas::record::stamp::Stamp;
use schemas::record::{self, ReadError, Record as FormOf};
use schemas::report::Report;
use schemas::topics::Topic;
use schemas::{Game, Tenant, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::figures::{FIGURES, Figure};
use crate::jsonb;
use crate::set_aside;

/// What a record tells.
#[derive(Debug)]
pub enum Told {
    /// A session's report.
    Report(Box<Report>),
    /// How a running session stands.
    Live(Box<Live>),
    /// A session runs no more.
    LiveEnded {
        /// Whose.
        tenant: Tenant,
        /// Which session.
        session: Uuid,
    },
    /// What the worker did.
    Activity(Box<Activity>),
    /// What became of what a gateway received.
    Outcome(Box<OutcomeRecord>),
    /// Something was set aside.
    SetAside(Box<SetAside>),
    /// An event.
    Event(Box<LoggedEvent>),
    /// Nothing that the tables show.
    Nothing,
    /// No record of its topic: why, in one sentence.
    Poison(String),
}

/// An event as event_log shows it.
#[derive(Debug)]
pub struct LoggedEvent {
    /// Whose.
    pub tenant: Tenant,
    /// Which game.
    pub game: Game,
    /// The session.
    pub session_id: Uuid,
    /// The player's pseudonym.
    pub player_id: String,
    /// Place in the session.
    pub seq: Option<i64>,
    /// The event's id.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// The client's clock.
    pub timestamp: Option<Timestamp>,
    /// When a gateway received it.
    pub received_at: Timestamp,
    /// What its type says of it, as jsonb can hold it.
    pub data: Option<String>,
}

/// What was set aside, as the quarantine table shows it.
#[derive(Debug)]
pub struct SetAside {
    /// Where it came from: topic, partition, offset.
    pub origin: (Option<String>, Option<i64>, Option<i64>),
    /// Whose, where that is known.
    pub tenant: Option<String>,
    /// Which game, where that is known.
    pub game: Option<String>,
    /// Why.
    pub reason: String,
    /// What was wrong with which field, as jsonb can hold it.
    pub errors: Option<String>,
    /// The bytes as they came.
    pub raw: Bytes,
    /// Id of the event.
    pub event_id: Option<String>,
    /// The request that brought it.
    pub request_id: Option<String>,
    /// When it was received.
    pub received_at: Timestamp,
}

/// A record of a later form than this release reads: the reader must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newer(pub u32);

/// Reads a record of `topic`.
///
/// # Errors
/// [`Newer`], when a later release wrote it.
pub fn decode(topic: Topic, record: &Record) -> Result<Told, Newer> {
    let value = record.value.as_deref();
    match topic {
        Topic::Sessions => read(value, |report: Report| match judge(&report) {
            None => Told::Report(Box::new(report)),
            Some(fault) => Told::Poison(fault),
        }),
        Topic::Live if value.is_none() => Ok(ended(&record.key)),
        Topic::Live => read(value, |live: Live| {
            let sound = fits(live.event_count);
            if sound { Told::Live(Box::new(live)) } else { Told::Poison("event_count is beyond bigint".to_owned()) }
        }),
        Topic::Activity => read(value, |activity| Told::Activity(Box::new(activity))),
        Topic::Outcomes => read(value, |outcome: OutcomeRecord| match &outcome.told {
            OutcomeTold::Counts { .. } => Told::Outcome(Box::new(outcome)),
            OutcomeTold::Started | OutcomeTold::Alive | OutcomeTold::Stopped => Told::Nothing,
        }),
        Topic::Quarantine => Ok(Told::SetAside(Box::new(set_aside::read(record)))),
        Topic::Events => event(value.unwrap_or_default()),
        Topic::SessionState => Ok(Told::Nothing),
    }
}

fn read<T: for<'a> FormOf<'a>>(value: Option<&[u8]>, tell: impl FnOnce(T) -> Told) -> Result<Told, Newer> {
    let Some(value) = value else { return Ok(Told::Poison("a record without a value".to_owned())) };
    match record::read::<T>(value) {
        Ok(record) => Ok(tell(record)),
        Err(ReadError::Newer(v)) => Err(Newer(v)),
        Err(error @ (ReadError::Malformed(_) | ReadError::Shape(_))) => Ok(Told::Poison(error.to_string())),
    }
}

fn ended(key: &[u8]) -> Told {
    let name = std::str::from_utf8(key).ok().and_then(|key| key.split_once('/'));
    let parsed = name.and_then(|(tenant, session)| Some((Tenant::parse(tenant).ok()?, Uuid::parse_str(session).ok()?)));
    match parsed {
        Some((tenant, session)) => Told::LiveEnded { tenant, session },
        None => Told::Poison("the key of a tombstone is not tenant/session_id".to_owned()),
    }
}

/// What makes a readable report one that the tables cannot hold.
fn judge(report: &Report) -> Option<String> {
    let facts = &report.facts;
    let metrics = FIGURES.iter().filter_map(|(name, figure)| match figure {
        Figure::Count(count) => Some((*name, count(&facts.metrics))),
        _ => None,
    });
    let tasks = facts.tasks.iter().flat_map(|task| {
        [task.starts, task.completions, task.abandons, task.attempts, task.successes, task.hints].map(|n| ("tasks", n))
    });
    let evidence = facts.evidence.iter().map(|piece| ("evidence", piece.ordinal));
    let own = [("revision", report.revision), ("repeats", report.provenance.repeats)];
    if let Some((name, _)) = metrics.chain(tasks).chain(evidence).chain(own).find(|(_, count)| !fits(*count)) {
        return Some(format!("a count of {name} is beyond bigint"));
    }
    let mut pieces = BTreeSet::new();
    let doubled = facts
        .evidence
        .iter()
        .find(|piece| !pieces.insert((piece.skill, piece.source, jsonb::plain(&piece.signal), piece.ordinal)));
    doubled
        .map(|piece| format!("two pieces of evidence are {} {} {}", piece.skill.as_str(), piece.signal, piece.ordinal))
}

fn fits(count: u64) -> bool {
    i64::try_from(count).is_ok()
}

/// What event_log shows of an event.
#[derive(Deserialize)]
struct Members<'a> {
    event_id: Uuid,
    session_id: Uuid,
    player_id: String,
    #[serde(default)]
    seq: Option<serde_json::Number>,
    event_type: String,
    #[serde(default)]
    timestamp: Option<Timestamp>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// An unreadable event is nothing here: the worker judges it and sets it aside.
fn event(value: &[u8]) -> Result<Told, Newer> {
    let stamp = match Stamp::parse(value) {
        Ok(stamp) => stamp,
        Err(ReadError::Newer(v)) => return Err(Newer(v)),
        Err(ReadError::Malformed(_) | ReadError::Shape(_)) => return Ok(Told::Nothing),
    };
    let Some(Ok(members)) = stamp.event.map(|event| serde_json::from_str::<Members<'_>>(event.get())) else {
        return Ok(Told::Nothing);
    };
    Ok(Told::Event(Box::new(LoggedEvent {
        tenant: stamp.tenant,
        game: stamp.game,
        session_id: members.session_id,
        player_id: jsonb::plain(&members.player_id).into_owned(),
        seq: members.seq.as_ref().and_then(whole),
        event_id: members.event_id,
        event_type: jsonb::plain(&members.event_type).into_owned(),
        timestamp: members.timestamp,
        received_at: stamp.received_at,
        data: members.data.map(|data| jsonb::storable(data.get()).into_owned()),
    })))
}

/// A whole number, however it is written: 1 and 1.0 are the same.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let exact = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0);
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    number.as_i64().or_else(|| exact.map(|value| value as i64))
}
