//! A session's facts, computed from the events of the topic that count.

use std::collections::BTreeSet;

use feature_worker::closing::Closing;
use feature_worker::metrics_v1::oracle::{self, Session};
use schemas::data::{CloseReason, Data, EvidenceSource};
use schemas::games::GameSettings;
use schemas::report::{Facts, Flag, Kind, Report};
use schemas::{Event, canonical};
use serde_json::{Map, Value};

use super::same;
use super::topic::Told;

/// The facts to the byte, from the events that count. Of a session that has forgotten some of them, as much
/// as is certain: the run without faults has to agree on the rest.
pub(super) fn check(report: &Report, told: &[&Told<'_>], has_holes: bool) -> Result<(), String> {
    let session = report.session;
    let events: Vec<Event<'_>> = distinct(told).map(|told| told.event.clone()).collect();
    if report.facts.flags.contains(&Flag::Truncated) && !is_certain(report, &events)? {
        return Ok(());
    }
    same(&format!("events of {session}"), &(events.len() as u64), &report.facts.metrics.event_count)?;
    let expected = facts(report, &events, has_holes);
    let bytes = |facts| canonical::to_vec(facts).map_err(|error| error.to_string());
    if bytes(&expected)? == bytes(&report.facts)? {
        return Ok(());
    }
    let members = |facts| serde_json::to_value(facts).map_err(|error| error.to_string());
    let (expected, found) = (members(&expected)?, members(&report.facts)?);
    let names: BTreeSet<&String> =
        [&expected, &found].into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    for name in names {
        same(&format!("`{name}` of {session}"), &expected[name], &found[name])?;
    }
    Err(format!("the facts of {session} differ in their bytes alone"))
}

/// Whether all is certain of a session that is flagged as truncated; what must hold in any case is judged.
fn is_certain(report: &Report, events: &[Event<'_>]) -> Result<bool, String> {
    let (session, found) = (report.session, &report.facts);
    let bounds = report.provenance.bounds.ok_or("no bounds are told")?;
    let usual = GameSettings::default();
    let few = bounds.events < usual.events;
    same(&format!("bounds that {session} can have reached"), &true, &few)?;
    let is_whole =
        (bounds.tasks, bounds.evidence, bounds.text_bytes) == (usual.tasks, usual.evidence, usual.text_bytes);
    let (count, distinct) = (found.metrics.event_count, events.len() as u64);
    let recorded = found.evidence.iter().filter(|piece| piece.source != EvidenceSource::Game).count();
    let fits = found.tasks.len() <= bounds.tasks && recorded <= bounds.evidence;
    same(&format!("tasks and evidence of {session} fit"), &true, &fits)?;
    if found.complete.is_some() {
        same(&format!("events of {session}"), &distinct, &count)?;
        return Ok(is_whole);
    }
    // Without seq, what is told again may have counted as new, as soon as an id was forgotten.
    let forgot = distinct > 2 * bounds.events as u64;
    let as_told = if forgot { count >= distinct } else { count == distinct && !is_whole };
    same(&format!("{count} events of {session}, {distinct} of them distinct"), &true, &as_told)?;
    Ok(false)
}

/// The first copy of each event. In a counted session another event under a taken seq is set aside as long as
/// the session remembers ids, and afterwards a repeat by its seq alone.
fn distinct<'t, 'a>(told: &'t [&'t Told<'a>]) -> impl Iterator<Item = &'t Told<'a>> {
    let is_counted = told.iter().any(|told| told.event.seq.is_some() && !told.event.is_close());
    let (mut ids, mut seqs) = (BTreeSet::new(), BTreeSet::new());
    told.iter().copied().filter(move |told| {
        ids.insert(told.event.event_id) && told.event.seq.filter(|_| is_counted).is_none_or(|seq| seqs.insert(seq))
    })
}

fn facts(report: &Report, events: &[Event<'_>], has_holes: bool) -> Facts {
    let found = &report.facts;
    let session = Session::new(events, found.idle_ms);
    let seqs: BTreeSet<u64> = events.iter().filter_map(|event| event.seq).collect();
    let complete = seqs.last().map(|last| seqs.len() as u64 == last + 1);
    let emits = ["strategy.changed".to_owned(), "task.abandoned".to_owned()];
    // That a gap was skipped, or an id forgotten, shows in nothing that the topic holds; the run without faults
    // has to agree.
    let flags = found.flags.clone();
    oracle::facts(
        &session,
        &Closing {
            reason: close_reason(report, events),
            complete: if has_holes { found.complete } else { complete },
            seqs: None,
            flags: &flags,
            idle_ms: 60_000,
            emits: &emits,
        },
    )
}

/// By the last close of the record; without one, evidence is complete and play has run out in one of two ways.
fn close_reason(report: &Report, events: &[Event<'_>]) -> CloseReason {
    let by_seq = events.iter().any(|event| event.seq.is_some() && !event.is_close());
    let mut closes: Vec<_> = events
        .iter()
        .filter_map(|event| match event.data {
            Data::SessionClosed(reason) => {
                Some((event.seq.is_none(), event.seq.filter(|_| by_seq), event.event_id, reason))
            }
            _ => None,
        })
        .collect();
    if by_seq {
        closes.sort_by_key(|close| (close.0, close.1, close.2));
    } else {
        closes.sort_by_key(|close| (close.0, close.0.then_some(close.2)));
    }
    let ran_out = matches!(report.facts.close_reason, CloseReason::Timeout | CloseReason::TooLong);
    match closes.last() {
        Some(close) => close.3,
        None if report.kind == Kind::Play && ran_out => report.facts.close_reason,
        None if report.kind == Kind::Play => CloseReason::Timeout,
        None => CloseReason::Completed,
    }
}
