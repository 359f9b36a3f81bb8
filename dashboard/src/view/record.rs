//! Rows of a session's page in words: tasks, evidence, events, provenance.

use crate::store::session::{EvidenceRow, ReportRow, TaskRow};
use crate::view::event::Event;
use crate::view::format::{count, decimal, duration, elapsed, label, percent};
use crate::view::moment::utc;
use crate::view::overview::State;

/// A name and its value.
pub struct Fact {
    /// What.
    pub label: &'static str,
    /// How much.
    pub value: String,
    /// Whether it is code rather than words.
    pub code: bool,
}

/// What a session did on a task, in words.
pub struct Task {
    /// The task.
    pub task_id: String,
    /// Its end.
    pub state: State,
    /// Attempts, and how many succeeded.
    pub attempts: String,
    /// Whether the first one did.
    pub first_try: &'static str,
    /// Hints.
    pub hints: String,
    /// Time to the first completion.
    pub spent: String,
}

/// A piece of evidence, in words.
pub struct Evidence {
    /// The skill.
    pub skill: String,
    /// Who says so.
    pub source: String,
    /// What it was read from.
    pub signal: String,
    /// Successes of opportunities.
    pub score: String,
    /// Their ratio.
    pub share: String,
    /// What one opportunity weighs.
    pub weight: String,
}

/// An event, in words.
pub struct Line {
    /// Its number.
    pub seq: String,
    /// Time since the start.
    pub at: String,
    /// Its type.
    pub event_type: String,
    /// Its data.
    pub summary: String,
}

/// A task's row in words.
pub fn task(row: &TaskRow) -> Task {
    let state = if row.completions > 0 {
        State { words: "Completed".to_owned(), class: "good" }
    } else if row.abandons > 0 {
        State { words: "Abandoned".to_owned(), class: "warn" }
    } else if row.starts > 0 {
        State { words: "Unfinished".to_owned(), class: "calm" }
    } else {
        State { words: "Not started".to_owned(), class: "calm" }
    };
    Task {
        task_id: row.task_id.clone(),
        state,
        attempts: format!("{} of {}", count(row.successes), count(row.attempts)),
        first_try: match row.first_try {
            Some(true) => "Yes",
            Some(false) => "No",
            None => "—",
        },
        hints: count(row.hints),
        spent: row.spent_ms.map_or_else(|| "—".to_owned(), duration),
    }
}

/// A piece of evidence in words.
pub fn evidence(row: &EvidenceRow) -> Evidence {
    Evidence {
        skill: label(&row.skill),
        source: label(&row.source),
        signal: row.signal.clone(),
        score: format!("{} of {}", decimal(row.successes), decimal(row.opportunities)),
        share: if row.opportunities > 0.0 { percent(row.successes / row.opportunities) } else { "—".to_owned() },
        weight: decimal(row.weight),
    }
}

/// An event in words.
pub fn line(event: &Event) -> Line {
    Line {
        seq: event.seq.map_or_else(|| "—".to_owned(), count),
        at: elapsed(event.at_ms),
        event_type: event.event_type.clone(),
        summary: event.summary(),
    }
}

/// How a report came about.
pub fn provenance(report: &ReportRow) -> Vec<Fact> {
    let words = |label, value: Option<String>| value.map(|value| Fact { label, value, code: false });
    let code = |label, value: String| Some(Fact { label, value, code: true });
    [
        words("Revision", Some(format!("{} ({})", count(report.revision), report.status))),
        words("Reported", Some(utc(report.reported_at))),
        words("Platform", report.platform.clone()),
        words("Device", report.device.clone()),
        words("Locale", report.locale.clone()),
        words("App version", report.app_version.clone()),
        words("Client's clock", report.clock_offset_ms.map(clock)),
        words("Repeats told again", Some(count(report.repeats))),
        code(
            "Log",
            format!("partition {}, offsets {} to {}", report.partition, report.first_offset, report.last_offset),
        ),
        code("Worker", report.worker.clone()),
        code("SHA-256 of the facts", report.facts_sha256.clone()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn clock(offset_ms: i64) -> String {
    match offset_ms {
        0 => "in step with the gateway's".to_owned(),
        1.. => format!("{} behind the gateway's, transit included", duration(offset_ms)),
        _ => format!("{} ahead of the gateway's", duration(-offset_ms)),
    }
}
