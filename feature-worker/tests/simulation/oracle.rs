//! Judges what a history has left behind: by the topic's final content, and by a run without faults.

use std::collections::{BTreeMap, BTreeSet};

use eventlog::Record;
use feature_worker::fold::Closing;
use feature_worker::oracle::{self, Session};
use feature_worker::session::marker::MARKER_MS;
use feature_worker::state::{self, Entry};
use schemas::data::{CloseReason, Data};
use schemas::record::activity::Activity;
use schemas::record::quarantine::{Headers, Reason};
use schemas::record::stamp::Stamp;
use schemas::report::{Facts, Flag, Kind, Report, Status};
use schemas::{Event, canonical};
use uuid::Uuid;

use super::content::Content;

/// Partition and offset of a record of play.events.
type Place = (i32, i64);
/// A game and a minute since the epoch.
type Minute = (String, i64);

/// What became of the records of a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Books {
    applied: BTreeMap<String, u64>,
    repeats: u64,
    holes: u64,
    set_aside: BTreeMap<String, u64>,
}

/// What the worker made of a history.
#[derive(Debug)]
pub struct Outcome {
    /// The latest report of each session.
    finals: BTreeMap<Uuid, Report>,
    aside: BTreeMap<Place, Reason>,
    books: BTreeMap<Minute, Books>,
}

/// An event of the topic.
struct Told<'a> {
    place: Place,
    minute: Minute,
    event: Event<'a>,
}

/// All that the topic tells.
#[derive(Default)]
struct Topic<'a> {
    events: Vec<Told<'a>>,
    /// Records that are none, with their minute where they tell it.
    poison: Vec<(Place, Option<Minute>)>,
    holes: BTreeMap<Minute, u64>,
    /// Sessions that have one.
    with_holes: BTreeSet<Uuid>,
}

impl Topic<'_> {
    /// Whether a session's closes take their places by rules that only the order of its log tells: one that
    /// came in several bodies, or before any event and was given up. The run without faults knows them.
    fn is_tangled(&self, session: Uuid, outcome: &Outcome) -> bool {
        let mut seqs = BTreeMap::new();
        self.events.iter().filter(|told| told.event.session_id == session).any(|Told { place, event, .. }| {
            let other_seq = seqs.insert(event.event_id, event.seq).is_some_and(|before| before != event.seq);
            other_seq || outcome.aside.get(place) == Some(&Reason::NoSession)
        })
    }
}

/// Judges a history's content by itself.
///
/// # Errors
/// A sentence on the first promise that is broken.
pub fn judge(content: &Content) -> Result<Outcome, String> {
    let topic = read_topic(content);
    let outcome = Outcome { finals: finals(content)?, aside: set_aside(content)?, books: books(&content.activity) };
    every_record_is_counted_once(&topic, &outcome)?;
    no_snapshot_is_left(content)?;
    state_agrees(content, &outcome.finals)?;
    let mut sessions: BTreeMap<Uuid, Vec<&Told<'_>>> = BTreeMap::new();
    for told in topic.events.iter().filter(|told| !outcome.aside.contains_key(&told.place)) {
        sessions.entry(told.event.session_id).or_default().push(told);
    }
    for (session, told) in &sessions {
        // Closes that no event has claimed are set aside, and those that tell them again are repeats.
        if told.iter().all(|told| told.event.is_close()) && !outcome.finals.contains_key(session) {
            continue;
        }
        let report = outcome.finals.get(session).ok_or_else(|| format!("{session} has no report"))?;
        if !topic.is_tangled(*session, &outcome) {
            check_facts(report, told, topic.with_holes.contains(session))?;
        }
    }
    if let Some(stranger) = outcome.finals.keys().find(|session| !sessions.contains_key(session)) {
        return Err(format!("{stranger} has a report, and no event"));
    }
    let applied: u64 = outcome.books.values().flat_map(|books| books.applied.values()).sum();
    let reported: u64 = outcome.finals.values().map(|report| report.facts.metrics.event_count).sum();
    same("events applied, and those of all reports", &applied, &reported)?;
    Ok(outcome)
}

/// Judges an outcome by that of the same history without faults.
///
/// # Errors
/// What differs.
pub fn compare(found: &Outcome, expected: &Outcome) -> Result<(), String> {
    same("set aside", &expected.aside, &found.aside)?;
    let sessions = |outcome: &Outcome| outcome.finals.keys().copied().collect::<Vec<_>>();
    same("sessions reported", &sessions(expected), &sessions(found))?;
    for (report, other) in expected.finals.values().zip(found.finals.values()) {
        let what = |of: &Report| {
            let trail = &of.provenance;
            // How many repeats had come by then hangs on when it was reported.
            (of.kind, of.status, trail.partition, trail.first_offset, trail.last_offset)
        };
        same(&format!("facts of {}", report.session), &report.facts, &other.facts)?;
        same(&format!("kind, status and trail of {}", report.session), &what(report), &what(other))?;
    }
    same("activity", &expected.books, &found.books)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: expected {expected:?}, found {found:?}")) }
}

fn read_topic(content: &Content) -> Topic<'_> {
    let mut topic = Topic::default();
    for (number, records) in (0_i32..).zip(&content.events) {
        for record in records {
            let place = (number, record.offset);
            let Ok(stamp) = Stamp::parse(record.value.as_deref().unwrap_or_default()) else {
                topic.poison.push((place, None));
                continue;
            };
            let minute = (stamp.game.to_string(), stamp.received_at.ms().div_euclid(60_000));
            match (&stamp.hole, stamp.event) {
                (Some(hole), _) => {
                    *topic.holes.entry(minute).or_default() += 1;
                    topic.with_holes.insert(hole.session_id);
                }
                (None, Some(raw)) => match schemas::parse::stamped(raw.get(), stamp.origin) {
                    Ok(event) => topic.events.push(Told { place, minute, event }),
                    Err(_) => topic.poison.push((place, Some(minute))),
                },
                (None, None) => topic.poison.push((place, Some(minute))),
            }
        }
    }
    topic
}

/// The latest report of each session; revisions grow one by one, and nothing has a second life.
fn finals(content: &Content) -> Result<BTreeMap<Uuid, Report>, String> {
    let mut latest: BTreeMap<Uuid, Report> = BTreeMap::new();
    for record in content.reports.iter().flatten() {
        let report: Report = json(record)?;
        let session = report.session;
        let bytes = canonical::to_vec(&report.facts).map_err(|error| error.to_string())?;
        same(&format!("the sum of the facts of {session}"), &canonical::sha256_hex(&bytes), &report.facts_sha256)?;
        let before = latest.get(&session);
        let expected = before.map_or(0, |before| before.revision) + 1;
        same(&format!("the next revision of {session}"), &expected, &report.revision)?;
        if let Some(before) = before {
            same(
                &format!("the first offset of {session}"),
                &before.provenance.first_offset,
                &report.provenance.first_offset,
            )?;
        }
        latest.insert(session, report);
    }
    match latest.values().find(|report| report.status != Status::Final) {
        Some(report) => Err(format!("the last report of {} is not final", report.session)),
        None => Ok(latest),
    }
}

/// Why each record of the quarantine lies there; none lies there twice.
fn set_aside(content: &Content) -> Result<BTreeMap<Place, Reason>, String> {
    let mut aside = BTreeMap::new();
    for record in &content.quarantine {
        let headers = Headers::parse(|name| record.headers.get(name)).map_err(|error| error.to_string())?;
        let origin = headers.origin.ok_or("a record of the quarantine has no origin")?;
        let place = (origin.partition, origin.offset);
        if let Some(before) = aside.insert(place, headers.reason) {
            return Err(format!("{place:?} was set aside twice: {before}, {}", headers.reason));
        }
    }
    Ok(aside)
}

fn books(activity: &[Record]) -> BTreeMap<Minute, Books> {
    let mut books: BTreeMap<Minute, Books> = BTreeMap::new();
    for counts in activity.iter().filter_map(|record| json::<Activity>(record).ok()) {
        let minute = books.entry((counts.game.to_string(), counts.minute.ms().div_euclid(60_000))).or_default();
        let adds = [(&mut minute.applied, counts.applied), (&mut minute.set_aside, counts.set_aside)];
        for (sums, more) in adds {
            for (name, count) in more {
                *sums.entry(name).or_default() += count;
            }
        }
        minute.repeats += counts.repeats;
        minute.holes += counts.holes;
    }
    books
}

/// Every record is applied, a repeat, a hole or set aside; the books say so minute by minute.
fn every_record_is_counted_once(topic: &Topic<'_>, outcome: &Outcome) -> Result<(), String> {
    let mut aside = outcome.aside.clone();
    let mut set_aside: BTreeMap<Minute, BTreeMap<String, u64>> = BTreeMap::new();
    let mut taken: BTreeMap<Minute, u64> = BTreeMap::new();
    for (place, minute) in &topic.poison {
        same(&format!("the reason of {place:?}"), &Some(Reason::Poison), &aside.remove(place))?;
        if let Some(minute) = minute {
            *set_aside.entry(minute.clone()).or_default().entry(Reason::Poison.to_string()).or_default() += 1;
        }
    }
    for told in &topic.events {
        match aside.remove(&told.place) {
            Some(reason) => {
                *set_aside.entry(told.minute.clone()).or_default().entry(reason.to_string()).or_default() += 1;
            }
            None => *taken.entry(told.minute.clone()).or_default() += 1,
        }
    }
    same("set aside, and no event", &BTreeMap::new(), &aside)?;
    let minutes = outcome.books.keys().chain(taken.keys()).chain(set_aside.keys()).chain(topic.holes.keys());
    for minute in minutes.collect::<BTreeSet<_>>() {
        let books = outcome.books.get(minute).cloned().unwrap_or_default();
        let counted = books.applied.values().sum::<u64>() + books.repeats;
        same(&format!("applied and repeats of {minute:?}"), &taken.get(minute).copied().unwrap_or(0), &counted)?;
        same(&format!("holes of {minute:?}"), &topic.holes.get(minute).copied().unwrap_or(0), &books.holes)?;
        let expected = set_aside.get(minute).cloned().unwrap_or_default();
        same(&format!("set aside of {minute:?}"), &expected, &books.set_aside)?;
    }
    Ok(())
}

fn no_snapshot_is_left(content: &Content) -> Result<(), String> {
    match Content::newest(&content.live).keys().next() {
        Some(key) => Err(format!("play.live still shows {}", String::from_utf8_lossy(key))),
        None => Ok(()),
    }
}

/// Of each partition the state stands where the group does; of each session a marker is left that agrees with its
/// last report, unless it has been forgotten by age.
fn state_agrees(content: &Content, finals: &BTreeMap<Uuid, Report>) -> Result<(), String> {
    let (mut markers, mut log_times) = (BTreeMap::new(), BTreeMap::new());
    for ((number, records), committed) in (0_i32..).zip(&content.state).zip(&content.committed) {
        for (key, value) in Content::newest(records) {
            match state::decode(key, Some(value)).map_err(|error| error.to_string())? {
                Some(state::Record::Partition(position)) => {
                    same(&format!("the group's offset in {number}"), &Some(position.next_offset), committed)?;
                    log_times.insert(number, position.log_time);
                }
                Some(state::Record::Session(key, Some(Entry::Marker(marker)))) => {
                    let told = (marker.revision, marker.events, marker.first_offset, marker.last_offset);
                    markers.insert(key.session, told);
                }
                _ => {}
            }
        }
    }
    for (session, report) in finals {
        let trail = &report.provenance;
        let events = report.facts.metrics.event_count;
        let told = (report.revision, events, trail.first_offset, trail.last_offset);
        let age = log_times.get(&trail.partition).map_or(0, |at| at - trail.reported_at.ms());
        match markers.remove(session) {
            Some(marker) => same(&format!("the marker of {session}"), &told, &marker)?,
            None if age > MARKER_MS - 60_000 => {}
            None => return Err(format!("{session} has left no marker")),
        }
    }
    same("markers of sessions that were never reported", &BTreeMap::new(), &markers)
}

/// The facts to the byte, from the events that count.
fn check_facts(report: &Report, told: &[&Told<'_>], has_holes: bool) -> Result<(), String> {
    let session = report.session;
    let events: Vec<Event<'_>> = distinct(told).map(|told| told.event.clone()).collect();
    same(&format!("events of {session}"), &(events.len() as u64), &report.facts.metrics.event_count)?;
    let expected = facts(report, &events, has_holes);
    let (expected, found) = (canonical::to_vec(&expected), canonical::to_vec(&report.facts));
    let text = |bytes: Result<Vec<u8>, _>| {
        bytes.map_or_else(|_| "?".into(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    same(&format!("facts of {session}"), &text(expected), &text(found))
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
    // That a gap was skipped shows in nothing that the topic holds; the run without faults has to agree.
    let flags: Vec<Flag> = found.flags.iter().copied().filter(|flag| *flag == Flag::GapSkipped).collect();
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

fn json<T: serde::de::DeserializeOwned>(record: &Record) -> Result<T, String> {
    let value = record.value.as_deref().ok_or("a tombstone where none belongs")?;
    serde_json::from_slice(value).map_err(|error| error.to_string())
}
