//! A session's time, drawn to scale: a band of attention, a lane for each task, one for all else.

use crate::view::event::Event;
use crate::view::format::{counted, duration, elapsed};
use crate::view::geometry::{Percent, TimeScale};
use crate::view::lanes::{Ending, Lane, Mark, lanes};
use crate::view::stretches::{Attention, Stretch, stretches, total};

/// Height of a lane, in CSS pixels; the stylesheet's rows of names are as high.
pub const LANE: f64 = 32.0;
/// Tasks with a lane of their own, at most.
const TASKS: usize = 24;
/// Marks nearer than this share of the whole are one.
const GRAINS: i64 = 240;

/// The drawing of a session.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Height of the whole, in CSS pixels.
    pub height: f64,
    /// Lane by lane, the band of attention first.
    pub rows: Vec<Row>,
    /// Times below.
    pub ticks: Vec<Tick>,
    /// Tasks that have no lane, in words.
    pub hidden: Option<String>,
    /// What the drawing shows, in words.
    pub summary: String,
    /// Time in active gaps, in ms.
    pub active_ms: i64,
    /// Time in idle gaps, in ms.
    pub idle_ms: i64,
    /// Time away, in ms.
    pub paused_ms: i64,
}

/// A lane.
#[derive(Clone, Debug)]
pub struct Row {
    /// What stands before it.
    pub name: String,
    /// Whether the name is the game's own, for a task.
    pub task: bool,
    /// Top, in CSS pixels.
    pub top: f64,
    /// Middle, in CSS pixels.
    pub middle: f64,
    /// Stretches of time.
    pub bars: Vec<Bar>,
    /// Points in time.
    pub marks: Vec<Point>,
}

/// A stretch of time.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Left edge.
    pub x: Percent,
    /// Width.
    pub width: Percent,
    /// Of the stylesheet.
    pub class: &'static str,
    /// In words.
    pub tip: String,
}

/// A point in time.
#[derive(Clone, Debug)]
pub struct Point {
    /// Where.
    pub x: Percent,
    /// Which sign.
    pub sign: &'static str,
    /// In words.
    pub tip: String,
}

/// A time below the drawing.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Where.
    pub x: Percent,
    /// Time since the start.
    pub label: String,
    /// How the label stands to the tick, so that none is cut at an edge.
    pub anchor: &'static str,
    /// Whether it may be left out where room is short.
    pub minor: bool,
}

/// Draws a session of `length_ms` whose events stand in order; none without events.
pub fn timeline(events: &[Event], length_ms: i64, idle_ms: i64) -> Option<Timeline> {
    let last = events.last()?.at_ms;
    let length_ms = length_ms.max(last);
    let scale = TimeScale::new(length_ms);
    let attention = stretches(events, idle_ms);
    let sorted = lanes(events, TASKS, (length_ms / GRAINS).max(1));
    let mut rows = vec![Row {
        name: "Attention".to_owned(),
        task: false,
        top: 0.0,
        middle: 0.0,
        bars: attention.iter().map(|stretch| attention_bar(scale, stretch)).collect(),
        marks: Vec::new(),
    }];
    rows.extend(sorted.tasks.iter().map(|lane| task_row(scale, lane)));
    rows.push(Row {
        name: "Other".to_owned(),
        task: false,
        top: 0.0,
        middle: 0.0,
        bars: Vec::new(),
        marks: sorted.others.iter().map(|mark| point(scale, mark)).collect(),
    });
    let mut top = 0.0;
    for row in &mut rows {
        row.top = top;
        row.middle = top + LANE / 2.0;
        top += LANE;
    }
    Some(Timeline {
        height: top,
        rows,
        ticks: ticks(scale),
        hidden: (sorted.hidden > 0).then(|| counted(i64::try_from(sorted.hidden).unwrap_or(i64::MAX), "task")),
        summary: summary(length_ms, &attention, sorted.tasks.len() + sorted.hidden),
        active_ms: total(&attention, Attention::Active),
        idle_ms: total(&attention, Attention::Idle),
        paused_ms: total(&attention, Attention::Paused),
    })
}

fn attention_bar(scale: TimeScale, stretch: &Stretch) -> Bar {
    let (class, word) = match stretch.attention {
        Attention::Active => ("active", "Active"),
        Attention::Idle => ("idle", "Idle"),
        Attention::Paused => ("paused", "Away"),
    };
    Bar {
        x: scale.x(stretch.from_ms),
        width: scale.width(stretch.from_ms, stretch.to_ms),
        class,
        tip: format!("{word} for {} from {}", duration(stretch.length_ms()), elapsed(stretch.from_ms)),
    }
}

fn task_row(scale: TimeScale, lane: &Lane) -> Row {
    let bar = |span: &crate::view::lanes::Span| Bar {
        x: scale.x(span.from_ms),
        width: scale.width(span.from_ms, span.to_ms),
        class: match span.ending {
            Ending::Completed => "task completed",
            Ending::Failed => "task failed",
            Ending::Abandoned => "task abandoned",
            Ending::Open => "task open",
        },
        tip: span.tip(&lane.task_id),
    };
    Row {
        name: lane.task_id.clone(),
        task: true,
        top: 0.0,
        middle: 0.0,
        bars: lane.spans.iter().map(bar).collect(),
        marks: lane.marks.iter().map(|mark| point(scale, mark)).collect(),
    }
}

fn point(scale: TimeScale, mark: &Mark) -> Point {
    Point { x: scale.x(mark.at_ms), sign: mark.sign.key(), tip: mark.tip.clone() }
}

fn ticks(scale: TimeScale) -> Vec<Tick> {
    let times = scale.ticks();
    let short = times.get(1).is_some_and(|step| *step < 1_000);
    times
        .into_iter()
        .enumerate()
        .map(|(index, at)| {
            let x = scale.x(at);
            Tick {
                x,
                label: if short { duration(at) } else { elapsed(at) },
                anchor: if x.0 < 3.0 {
                    "start"
                } else if x.0 > 95.0 {
                    "end"
                } else {
                    "middle"
                },
                minor: index % 2 == 1,
            }
        })
        .collect()
}

fn summary(length_ms: i64, attention: &[Stretch], tasks: usize) -> String {
    let share = |kind| duration(total(attention, kind));
    format!(
        "Timeline of {}: {} active, {} idle, {} away, {}.",
        duration(length_ms),
        share(Attention::Active),
        share(Attention::Idle),
        share(Attention::Paused),
        counted(i64::try_from(tasks).unwrap_or(i64::MAX), "task"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::event::event;
    use serde_json::json;

    #[test]
    fn everything_stands_where_its_time_is() {
        let events = [
            event(0, "session.started", json!({})),
            event(25_000, "task.started", json!({"task_id": "L1"})),
            event(50_000, "task.attempted", json!({"task_id": "L1", "outcome": "success"})),
            event(75_000, "task.completed", json!({"task_id": "L1"})),
            event(100_000, "session.closed", json!({"reason": "completed"})),
        ];
        let drawn = timeline(&events, 100_000, 60_000).unwrap();
        assert_eq!(drawn.rows.len(), 3);
        let task = &drawn.rows[1];
        assert_eq!((task.bars[0].x.0, task.bars[0].width.0, task.bars[0].class), (25.0, 50.0, "task completed"));
        assert_eq!((task.marks[0].x.0, task.marks[0].sign), (50.0, "success"));
        assert!((drawn.height - 3.0 * LANE).abs() < 1e-9);
        assert_eq!(drawn.summary, "Timeline of 1 min 40 s: 1 min 40 s active, 0 s idle, 0 s away, 1 task.");
    }

    #[test]
    fn a_session_of_ten_thousand_events_is_a_drawing_of_bounded_size() {
        let events: Vec<_> = (0..10_000)
            .map(|at| {
                event(at * 37, "task.attempted", json!({"task_id": format!("t{}", at % 40), "outcome": "failure"}))
            })
            .collect();
        let drawn = timeline(&events, 370_000, 60_000).unwrap();
        let marks: usize = drawn.rows.iter().map(|row| row.marks.len()).sum();
        assert!(marks <= 26 * 241, "{marks}");
        assert_eq!(drawn.hidden.as_deref(), Some("16 tasks"));
    }

    #[test]
    fn a_session_without_events_has_no_drawing() {
        assert!(timeline(&[], 1_000, 60_000).is_none());
    }
}
