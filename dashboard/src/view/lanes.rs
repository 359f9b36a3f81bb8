//! Sorts a session's events into lanes: one for each task, one for all else.

use crate::view::event::Event;
use crate::view::format::{counted, duration, elapsed, isolated, shortened};

/// What a mark on the timeline stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// An attempt that succeeded, a right answer.
    Success,
    /// An attempt that failed, a wrong answer.
    Failure,
    /// An attempt that did so in part.
    Partial,
    /// A hint.
    Hint,
    /// A change of strategy.
    Strategy,
    /// Anything else.
    Other,
}

impl Sign {
    /// Its name in the drawing.
    pub fn key(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Partial => "partial",
            Self::Hint => "hint",
            Self::Strategy => "strategy",
            Self::Other => "other",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failed attempt",
            Self::Partial => "partial attempt",
            Self::Hint => "hint",
            Self::Strategy => "change of strategy",
            Self::Other => "event",
        }
    }
}

/// A point on a lane; several events that would stand on one another are one mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When, in ms since the start.
    pub at_ms: i64,
    /// What.
    pub sign: Sign,
    /// How many events it stands for.
    pub events: i64,
    /// In words.
    pub tip: String,
}

/// How a task's span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With task.completed.
    Completed,
    /// With task.failed.
    Failed,
    /// With task.abandoned.
    Abandoned,
    /// With none of these, as far as is known.
    Open,
}

impl Ending {
    /// Its name in the drawing and in words.
    pub fn key(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
            Self::Open => "open",
        }
    }
}

/// From a task's start (or first mention) to its end (or last mention).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From, in ms since the start.
    pub from_ms: i64,
    /// To, in ms since the start.
    pub to_ms: i64,
    /// How it ended.
    pub ending: Ending,
}

impl Span {
    /// In words.
    pub fn tip(&self, task: &str) -> String {
        let length = duration(self.to_ms - self.from_ms);
        format!(
            "{}: {} after {length}, from {}",
            isolated(&shortened(task, 60)),
            self.ending.key(),
            elapsed(self.from_ms)
        )
    }
}

/// A task's line of the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The task.
    pub task_id: String,
    /// When it was being worked on.
    pub spans: Vec<Span>,
    /// What happened in it.
    pub marks: Vec<Mark>,
}

/// All lanes of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// By task, in the order of first mention.
    pub tasks: Vec<Lane>,
    /// Tasks that have no lane, for want of room.
    pub hidden: usize,
    /// What belongs to no task.
    pub others: Vec<Mark>,
}

/// Sorts events that stand in order; marks nearer than `grain_ms` to the one before are joined.
pub fn lanes(events: &[Event], most: usize, grain_ms: i64) -> Lanes {
    let mut sorted = Lanes::default();
    let mut hidden = std::collections::BTreeSet::new();
    for event in events {
        let Some(task) = task_of(event) else {
            if let Some(mark) = other(event) {
                push(&mut sorted.others, mark, grain_ms);
            }
            continue;
        };
        let place = sorted.tasks.iter().position(|lane| lane.task_id == task);
        let place = match place {
            Some(place) => place,
            None if sorted.tasks.len() < most => {
                sorted.tasks.push(Lane { task_id: task.to_owned(), spans: Vec::new(), marks: Vec::new() });
                sorted.tasks.len() - 1
            }
            None => {
                hidden.insert(task.to_owned());
                continue;
            }
        };
        add(&mut sorted.tasks[place], event, grain_ms);
    }
    sorted.hidden = hidden.len();
    sorted
}

fn task_of(event: &Event) -> Option<&str> {
    let own = event.event_type.starts_with("task.")
        || matches!(event.event_type.as_str(), "hint.requested" | "strategy.changed");
    own.then(|| event.text("task_id")).flatten()
}

fn add(lane: &mut Lane, event: &Event, grain_ms: i64) {
    let ending = match event.event_type.as_str() {
        "task.completed" => Ending::Completed,
        "task.failed" => Ending::Failed,
        "task.abandoned" => Ending::Abandoned,
        _ => Ending::Open,
    };
    match lane.spans.last_mut() {
        Some(span) if span.ending == Ending::Open => *span = Span { to_ms: event.at_ms, ending, ..*span },
        // After its end only a new start or more work opens a task again; a second end tells nothing new.
        Some(_) if ending != Ending::Open => {}
        _ => lane.spans.push(Span { from_ms: event.at_ms, to_ms: event.at_ms, ending }),
    }
    let sign = match (event.event_type.as_str(), event.text("outcome")) {
        ("task.attempted", Some("success")) => Sign::Success,
        ("task.attempted", Some("partial")) => Sign::Partial,
        ("task.attempted", _) => Sign::Failure,
        ("hint.requested", _) => Sign::Hint,
        ("strategy.changed", _) => Sign::Strategy,
        _ => return,
    };
    push(&mut lane.marks, mark(event, sign, sign.noun()), grain_ms);
}

fn other(event: &Event) -> Option<Mark> {
    // Pauses and beats are told by the band of attention already.
    if event.event_type.starts_with("focus.")
        || matches!(event.event_type.as_str(), "session.heartbeat" | "session.paused" | "session.resumed")
    {
        return None;
    }
    let right = event.data.get("correct").and_then(serde_json::Value::as_bool);
    let sign = match (event.event_type.as_str(), right) {
        ("question.answered", Some(true)) => Sign::Success,
        ("question.answered", Some(false)) => Sign::Failure,
        _ => Sign::Other,
    };
    Some(mark(event, sign, &event.event_type))
}

fn mark(event: &Event, sign: Sign, what: &str) -> Mark {
    Mark { at_ms: event.at_ms, sign, events: 1, tip: format!("{} at {}", isolated(what), elapsed(event.at_ms)) }
}

fn push(marks: &mut Vec<Mark>, next: Mark, grain_ms: i64) {
    match marks.last_mut() {
        Some(last) if last.sign == next.sign && next.at_ms - last.at_ms < grain_ms => {
            last.events += 1;
            let many = match last.sign {
                Sign::Success => format!("{} successes", last.events),
                Sign::Strategy => format!("{} changes of strategy", last.events),
                sign => counted(last.events, sign.noun()),
            };
            last.tip = format!("{many} from {}", elapsed(last.at_ms));
        }
        _ => marks.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::event::event;
    use serde_json::json;

    #[test]
    fn a_task_left_and_taken_up_again_has_two_spans() {
        let task = json!({"task_id": "L1"});
        let events = [
            event(0, "task.started", task.clone()),
            event(4_000, "task.attempted", json!({"task_id": "L1", "outcome": "failure"})),
            event(5_000, "task.abandoned", task.clone()),
            event(20_000, "task.started", task.clone()),
            event(30_000, "task.attempted", json!({"task_id": "L1", "outcome": "success"})),
            event(31_000, "task.completed", task),
        ];
        let lane = &lanes(&events, 10, 10).tasks[0];
        let spans: Vec<_> = lane.spans.iter().map(|span| (span.from_ms, span.to_ms, span.ending)).collect();
        assert_eq!(spans, [(0, 5_000, Ending::Abandoned), (20_000, 31_000, Ending::Completed)]);
        assert_eq!(lane.marks.iter().map(|mark| mark.sign).collect::<Vec<_>>(), [Sign::Failure, Sign::Success]);
    }

    #[test]
    fn marks_that_would_hide_one_another_are_joined() {
        let events: Vec<_> =
            (0..50).map(|at| event(at, "task.attempted", json!({"task_id": "x", "outcome": "failure"}))).collect();
        let marks = &lanes(&events, 10, 1_000).tasks[0].marks;
        assert_eq!(marks.len(), 1);
        assert_eq!((marks[0].events, marks[0].tip.as_str()), (50, "50 failed attempts from 0:00"));
    }

    #[test]
    fn tasks_beyond_the_room_are_counted() {
        let events: Vec<_> =
            (0..30).map(|at| event(at, "task.started", json!({"task_id": format!("t{at}")}))).collect();
        let sorted = lanes(&events, 24, 1);
        assert_eq!((sorted.tasks.len(), sorted.hidden), (24, 6));
    }

    #[test]
    fn hostile_names_stay_whole_and_isolated() {
        let name = "<script>alert(1)</script>\u{202e}evil";
        let events = [event(0, "task.started", json!({"task_id": name}))];
        let lane = &lanes(&events, 10, 10).tasks[0];
        assert_eq!(lane.task_id, name);
        assert!(lane.spans[0].tip(&lane.task_id).starts_with('\u{2068}'));
    }
}
