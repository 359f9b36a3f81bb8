//! Events a minute as bars.

use chrono::{DateTime, Utc};

use crate::range::Range;
use crate::view::format::{count, counted, decimal};
use crate::view::geometry::{Percent, round_top};
use crate::view::moment::{machine, utc};

/// Height of the plot, in CSS pixels.
const HEIGHT: f64 = 240.0;
/// How many lines cross it.
const LINES: u32 = 4;

/// A bar chart, ready to be drawn.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Height of the plot, in CSS pixels.
    pub height: f64,
    /// One a step, the oldest first; steps without events have no height.
    pub bars: Vec<Bar>,
    /// Lines across, from zero up.
    pub lines: Vec<Line>,
    /// Times below.
    pub times: Vec<Tick>,
    /// What the chart shows, in a sentence.
    pub summary: String,
    /// How long a bar's step is, in words.
    pub step: String,
    /// Whether there is anything to see.
    pub empty: bool,
}

/// A step's bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Left edge of the step.
    pub x: Percent,
    /// Left edge of what is drawn.
    pub inner_x: Percent,
    /// Width of the step.
    pub step: Percent,
    /// Width of what is drawn.
    pub width: Percent,
    /// Top, in CSS pixels.
    pub y: f64,
    /// Height, in CSS pixels.
    pub height: f64,
    /// When the step begins, for programs.
    pub machine: String,
    /// When the step begins, for people.
    pub utc: String,
    /// Events in the step.
    pub events: String,
    /// Events a minute in the step.
    pub per_minute: String,
    /// In words, after the time.
    pub tip: String,
    /// Whether the step is not over as yet.
    pub running: bool,
}

/// A line across the plot.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where, in CSS pixels.
    pub y: f64,
    /// What it stands for.
    pub label: String,
}

/// A time below the plot.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Where.
    pub x: Percent,
    /// For programs.
    pub machine: String,
    /// In UTC, until the script puts the viewer's own.
    pub label: String,
    /// `date` for a tick that names a day, else `clock`.
    pub style: &'static str,
    /// Whether it may be left out where room is short.
    pub minor: bool,
}

/// Draws `steps`, the events of each step since [`Range::begin_ms`].
#[expect(clippy::cast_precision_loss, reason = "a drawing needs far less than 52 bits")]
pub fn chart(range: Range, now_ms: i64, steps: &[i64]) -> Chart {
    let rates: Vec<f64> = steps.iter().map(|events| *events as f64 / range.step_minutes() as f64).collect();
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let top = round_top(highest);
    let begin = range.begin_ms(now_ms);
    let step_width = 100.0 / range.steps() as f64;
    let bars = steps.iter().zip(&rates).zip(0_i64..).map(|((events, rate), index)| {
        let height = if *events > 0 { (rate / top * HEIGHT).max(2.0) } else { 0.0 };
        let at = moment(begin + index * range.step_ms());
        Bar {
            x: Percent(index as f64 * step_width),
            inner_x: Percent((index as f64 + 0.14) * step_width),
            step: Percent(step_width),
            width: Percent(0.72 * step_width),
            y: HEIGHT - height,
            height,
            machine: machine(at),
            utc: utc(at),
            events: counted(*events, "event"),
            per_minute: decimal(*rate),
            tip: match range.step_minutes() {
                1 => counted(*events, "event"),
                _ => format!("{} · {} a minute", counted(*events, "event"), decimal(*rate)),
            },
            running: index + 1 == range.steps(),
        }
    });
    Chart {
        height: HEIGHT,
        bars: bars.collect(),
        lines: (0..=LINES).map(|index| line(top, f64::from(index) / f64::from(LINES))).collect(),
        times: ticks(range, begin),
        summary: summary(range, steps, highest),
        step: match range.step_minutes() {
            1 => "a minute".to_owned(),
            minutes if minutes >= 60 => format!("{} hours", minutes / 60),
            minutes => format!("{minutes} minutes"),
        },
        empty: steps.iter().all(|events| *events == 0),
    }
}

fn line(top: f64, share: f64) -> Line {
    let value = top * share;
    let label = if value >= 1_000_000.0 {
        format!("{}M", decimal(value / 1_000_000.0))
    } else if value >= 10_000.0 {
        format!("{}k", decimal(value / 1_000.0))
    } else {
        decimal(value)
    };
    Line { y: HEIGHT - share * HEIGHT, label }
}

fn ticks(range: Range, begin_ms: i64) -> Vec<Tick> {
    const MINUTE: i64 = 60_000;
    let every = match range {
        Range::Hour => 10 * MINUTE,
        Range::SixHours => 60 * MINUTE,
        Range::Day => 180 * MINUTE,
        Range::Week => 1_440 * MINUTE,
    };
    let (style, form) = if range == Range::Week { ("date", "%a %-d") } else { ("clock", "%H:%M") };
    let length = range.steps() * range.step_ms();
    let scale = crate::view::geometry::TimeScale::new(length);
    let first = (begin_ms + every - 1).div_euclid(every) * every;
    (0..=length / every)
        .map(|index| first + index * every)
        .filter(|at| *at < begin_ms + length)
        .enumerate()
        .map(|(index, at)| Tick {
            x: scale.x(at - begin_ms),
            machine: machine(moment(at)),
            label: moment(at).format(form).to_string(),
            style,
            minor: index % 2 == 1,
        })
        // A label at the very edge would be cut.
        .filter(|tick| (2.0..=98.0).contains(&tick.x.0))
        .collect()
}

fn summary(range: Range, steps: &[i64], highest: f64) -> String {
    let total: i64 = steps.iter().sum();
    if total == 0 {
        return format!("No events in the last {}.", range.words());
    }
    let busiest = decimal(highest);
    format!("{} events in the last {}, at most {busiest} a minute.", count(total), range.words())
}

fn moment(at_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at_ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_600_751_204;

    fn drawn(steps: &[i64]) -> Chart {
        chart(Range::Hour, NOW, steps)
    }

    #[test]
    fn bars_stand_on_the_ground_and_below_the_top() {
        let mut steps = vec![0; 60];
        steps[10] = 430;
        steps[59] = 1;
        let chart = drawn(&steps);
        for bar in &chart.bars {
            assert!(bar.y >= 0.0 && (bar.y + bar.height - HEIGHT).abs() < 1e-9, "{bar:?}");
            assert!(bar.x.0 + bar.step.0 <= 100.0 + 1e-9);
        }
        assert!((chart.bars[10].height - 206.4).abs() < 1e-9, "430 of 500");
        assert!(chart.bars[59].height >= 2.0, "one event can be seen beside many");
        assert!(chart.bars[59].running);
        assert_eq!(
            chart.lines.iter().map(|line| line.label.as_str()).collect::<Vec<_>>(),
            ["0", "125", "250", "375", "500"]
        );
        assert_eq!(chart.summary, "431 events in the last hour, at most 430 a minute.");
    }

    #[test]
    fn longer_steps_still_show_events_a_minute() {
        let mut steps = vec![0; 96];
        steps[3] = 30;
        let chart = chart(Range::Day, NOW, &steps);
        assert_eq!(chart.bars[3].per_minute, "2");
        assert_eq!(chart.bars[3].events, "30 events");
    }

    #[test]
    fn an_empty_hour_says_so() {
        let chart = drawn(&[0; 60]);
        assert!(chart.empty);
        assert_eq!(chart.summary, "No events in the last hour.");
    }

    #[test]
    fn times_below_stand_on_round_hours() {
        for range in Range::ALL {
            let steps = vec![1; usize::try_from(range.steps()).unwrap()];
            let chart = chart(range, NOW, &steps);
            assert!((4..=9).contains(&chart.times.len()), "{range:?}: {}", chart.times.len());
            assert!(chart.times.iter().all(|tick| tick.machine.ends_with("0:00.000Z")));
        }
    }
}
