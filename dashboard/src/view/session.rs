//! The page of one session: what happened, and what it comes to.

use askama::Template;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::store::session::{EVENTS_READ, EventRow, SessionData};
use crate::view::event::Event;
use crate::view::format::{count, counted, duration};
use crate::view::metric::{Group, groups};
use crate::view::moment::Moment;
use crate::view::overview::State;
use crate::view::record::{Evidence, Fact, Line, Task, evidence, line, provenance, task};
use crate::view::timeline::{Timeline, timeline};

/// Events that the page lists, at most.
const EVENTS_LISTED: usize = 500;

/// The page of one session.
#[derive(Template)]
#[template(path = "session.html")]
pub struct SessionPage {
    /// The session.
    pub id: String,
    /// Whose.
    pub tenant: String,
    /// Who.
    pub player: String,
    /// Which game.
    pub game: String,
    /// Whether it runs, or how it ended.
    pub state: State,
    /// When it began; none before the first snapshot.
    pub started: Option<Moment>,
    /// Figures at the top.
    pub facts: Vec<Fact>,
    /// What to know before the numbers are believed.
    pub notes: Vec<&'static str>,
    /// The drawing; none without events.
    pub timeline: Option<Timeline>,
    /// The time a gap may last before it counts as idle, in words.
    pub idle_after: String,
    /// Whether the drawing's idle time is the metrics': else another threshold was in force then.
    pub idle_agrees: bool,
    /// Metrics by group; none before the first report.
    pub metrics: Vec<Group>,
    /// What it did on each task.
    pub tasks: Vec<Task>,
    /// Evidence of skills.
    pub evidence: Vec<Evidence>,
    /// Its events, the first ones.
    pub events: Vec<Line>,
    /// How many events there are of how many, where not all are listed.
    pub events_cut: Option<String>,
    /// How the report came about.
    pub provenance: Vec<Fact>,
}

impl SessionPage {
    /// Lays out what was read; none where nothing is known of the session.
    pub fn new(id: Uuid, data: &SessionData, idle_ms: i64) -> Option<Self> {
        let (game, player) = data.owner()?;
        let events = placed(&data.events);
        let length_ms = data.metrics.get("duration_ms").and_then(Value::as_i64).unwrap_or(0);
        let report = data.report.as_ref();
        let begun = report
            .map(|row| row.started_at)
            .or_else(|| data.live.as_ref().map(|row| row.started_at))
            .or_else(|| data.events.first().and_then(|event| event.timestamp));
        let drawn = timeline(&events, length_ms, idle_ms);
        Some(Self {
            id: id.to_string(),
            tenant: data.tenant.clone(),
            player: player.to_owned(),
            game: game.to_owned(),
            state: state(data),
            started: begun.map(Moment::full),
            facts: headline(data),
            notes: notes(data),
            idle_agrees: idle_agrees(data, drawn.as_ref()),
            timeline: drawn,
            idle_after: duration(idle_ms),
            metrics: if data.metrics.is_empty() { Vec::new() } else { groups(&data.metrics) },
            tasks: data.tasks.iter().map(task).collect(),
            evidence: data.evidence.iter().map(evidence).collect(),
            events_cut: cut(events.len(), report.map(|row| row.event_count)),
            events: events.iter().take(EVENTS_LISTED).map(line).collect(),
            provenance: report.map(provenance).unwrap_or_default(),
        })
    }

    /// Whether more is to be expected of it.
    pub fn moves(&self) -> bool {
        self.state.class == "live" || self.notes.contains(&PROVISIONAL)
    }

    /// The session's name, short.
    pub fn short_id(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }
}

const PROVISIONAL: &str = "Provisional: late events may still change these numbers.";

fn state(data: &SessionData) -> State {
    match (&data.live, &data.report) {
        (Some(_), _) => State::live(),
        (None, Some(report)) if report.kind == "evidence" => State { words: "Evidence".to_owned(), class: "calm" },
        (None, Some(report)) => State::closed(&report.close_reason),
        // Its events are here before its first snapshot.
        (None, None) => State { words: "Live".to_owned(), class: "live" },
    }
}

fn notes(data: &SessionData) -> Vec<&'static str> {
    let Some(report) = &data.report else { return Vec::new() };
    let flagged = |flag: &str| report.flags.iter().any(|known| known == flag);
    [
        (report.status == "provisional").then_some(PROVISIONAL),
        (report.complete == Some(false))
            .then_some("Incomplete: the client sent events that never arrived or were refused."),
        report.anomalous.then_some("Anomalous: more than 20 actions within a second; a person hardly plays so."),
        flagged("gap_skipped")
            .then_some("A gap was skipped because too much came after it: some figures depend on arrival order."),
        flagged("truncated").then_some(
            "Truncated: this session touched more than is remembered; some figures leave out what came after.",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn headline(data: &SessionData) -> Vec<Fact> {
    let metric = |name: &str| data.metrics.get(name).and_then(Value::as_i64);
    let fact = |label, value| Fact { label, value, code: false };
    if let Some(live) = &data.live {
        let so_far = (live.last_event_at - live.started_at).num_milliseconds();
        return vec![
            fact("So far", duration(so_far)),
            fact("Active", duration(live.active_ms)),
            fact("Events", count(live.event_count)),
        ];
    }
    let Some(report) = &data.report else {
        return vec![fact("Events", count(i64::try_from(data.events.len()).unwrap_or(i64::MAX)))];
    };
    let mut facts = Vec::new();
    if let Some(ms) = metric("duration_ms") {
        facts.push(fact("Duration", duration(ms)));
    }
    if let Some(ms) = metric("active_ms") {
        facts.push(fact("Active", duration(ms)));
    }
    facts.push(fact("Events", count(report.event_count)));
    if let (Some(done), Some(started)) = (metric("tasks_completed"), metric("tasks_started")) {
        facts.push(fact("Tasks completed", format!("{} of {}", count(done), count(started))));
    }
    if let (Some(won), Some(tries)) = (metric("successes"), metric("attempts")) {
        facts.push(fact("Attempts succeeded", format!("{} of {}", count(won), count(tries))));
    }
    facts
}

/// Whether the drawing counts as idle what the metrics do. Told only where it shows all events of the report.
fn idle_agrees(data: &SessionData, drawn: Option<&Timeline>) -> bool {
    let (Some(report), Some(drawn)) = (&data.report, drawn) else { return true };
    let whole = i64::try_from(data.events.len()).is_ok_and(|events| events == report.event_count);
    let told = data.metrics.get("idle_ms").and_then(Value::as_i64);
    !whole || told.is_none_or(|idle_ms| idle_ms == drawn.idle_ms)
}

/// Puts events on one clock: times since the first, never stepping back.
fn placed(rows: &[EventRow]) -> Vec<Event> {
    let mut latest: Option<DateTime<Utc>> = None;
    let begin = rows.iter().find_map(|row| row.timestamp);
    rows.iter()
        .map(|row| {
            let at = row.timestamp.max(latest).or(begin).unwrap_or(row.received_at);
            latest = Some(at);
            Event {
                at_ms: begin.map_or(0, |begin| (at - begin).num_milliseconds().max(0)),
                seq: row.seq,
                event_type: row.event_type.clone(),
                data: row.data.clone().unwrap_or(Value::Null),
            }
        })
        .collect()
}

fn cut(read: usize, known: Option<i64>) -> Option<String> {
    let read_whole = i64::try_from(read).unwrap_or(i64::MAX);
    let all = if read_whole >= EVENTS_READ { known.unwrap_or(read_whole).max(read_whole) } else { read_whole };
    (read > EVENTS_LISTED).then(|| format!("The first {} of {}.", count(500), counted(all, "event")))
}
