//! Judges what a history has left behind: by the topic's final content, and by a run without faults.

mod books;
mod facts;
mod left;
mod topic;

use std::collections::BTreeMap;

use eventlog::Record;
use feature_worker::session::marker::MARKER_MS;
use feature_worker::state::{self, Entry, Kept};
use schemas::canonical;
use schemas::record::quarantine::{Headers, Reason};
use schemas::report::{Flag, Report, Status};
use uuid::Uuid;

use super::content::Content;
use books::Books;
use topic::{Told, Topic};

/// Partition and offset of a record of play.events.
type Place = (i32, i64);
/// A game and a minute since the epoch.
type Minute = (String, i64);

/// What the worker made of a history.
#[derive(Debug)]
pub struct Outcome {
    /// The latest report of each session.
    finals: BTreeMap<Uuid, Report>,
    aside: BTreeMap<Place, Reason>,
    books: BTreeMap<Minute, Books>,
}

/// How many sessions have reached a bound.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    /// Those flagged as truncated, with seq and without.
    pub counted: usize,
    pub uncounted: usize,
    /// Those of which a gap was passed.
    pub skipped: usize,
}

impl std::ops::AddAssign for Reached {
    fn add_assign(&mut self, more: Self) {
        self.counted += more.counted;
        self.uncounted += more.uncounted;
        self.skipped += more.skipped;
    }
}

impl Outcome {
    /// How many of its sessions have reached a bound.
    pub fn reached(&self) -> Reached {
        let of = |flag: Flag| self.finals.values().filter(move |report| report.facts.flags.contains(&flag));
        let counted = of(Flag::Truncated).filter(|report| report.facts.complete.is_some()).count();
        let all = of(Flag::Truncated).count();
        Reached { counted, uncounted: all - counted, skipped: of(Flag::GapSkipped).count() }
    }
}

/// Judges a history's content by itself.
///
/// # Errors
/// A sentence on the first promise that is broken.
pub fn judge(content: &Content) -> Result<Outcome, String> {
    let topic = Topic::read(content);
    let outcome =
        Outcome { finals: finals(content)?, aside: set_aside(content)?, books: books::read(&content.activity) };
    books::every_record_is_counted_once(&topic, &outcome)?;
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
            facts::check(report, told, topic.with_holes.contains(session))?;
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
                Some(state::Record::Session(key, Some(Kept { entry: Entry::Marker(marker), .. }))) => {
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

fn json<T: serde::de::DeserializeOwned>(record: &Record) -> Result<T, String> {
    let value = record.value.as_deref().ok_or("a tombstone where none belongs")?;
    serde_json::from_slice(value).map_err(|error| error.to_string())
}
