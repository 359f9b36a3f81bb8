//! Where things stand on a drawing whose width is not known before the browser lays it out.
//!
//! Widths are percentages, so one SVG serves a phone and a wall; heights are CSS pixels.

use std::fmt;

/// A share of a drawing's width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.3}%", self.0)
    }
}

// Digits, a point and a percent sign.
impl askama::filters::HtmlSafe for Percent {}

/// Lays a stretch of time along the width.
#[derive(Clone, Copy, Debug)]
pub struct TimeScale {
    length_ms: i64,
}

impl TimeScale {
    /// For times from 0 to `length_ms`; a stretch of nothing counts as 1 ms.
    pub fn new(length_ms: i64) -> Self {
        Self { length_ms: length_ms.max(1) }
    }

    /// Where `at_ms` stands; what lies outside stands at the edge.
    #[expect(clippy::cast_precision_loss, reason = "a drawing needs far less than 52 bits")]
    pub fn x(&self, at_ms: i64) -> Percent {
        Percent(at_ms.clamp(0, self.length_ms) as f64 * 100.0 / self.length_ms as f64)
    }

    /// How wide a stretch is; never so narrow that it vanishes.
    pub fn width(&self, from_ms: i64, to_ms: i64) -> Percent {
        const SEEN: f64 = 0.2;
        let (from, to) = (self.x(from_ms).0, self.x(to_ms).0);
        Percent((to - from).max(SEEN).min(100.0 - from.min(100.0 - SEEN)))
    }

    /// Round times to mark, some four to eight of them, the start among them.
    pub fn ticks(&self) -> Vec<i64> {
        const SECOND: i64 = 1_000;
        const MINUTE: i64 = 60 * SECOND;
        const HOUR: i64 = 60 * MINUTE;
        const STEPS: [i64; 20] = [
            100,
            200,
            500,
            SECOND,
            2 * SECOND,
            5 * SECOND,
            10 * SECOND,
            15 * SECOND,
            30 * SECOND,
            MINUTE,
            2 * MINUTE,
            5 * MINUTE,
            10 * MINUTE,
            15 * MINUTE,
            30 * MINUTE,
            HOUR,
            2 * HOUR,
            3 * HOUR,
            6 * HOUR,
            24 * HOUR,
        ];
        let fits = |step: &&i64| self.length_ms / **step <= 7;
        let step = STEPS.iter().find(fits).copied().unwrap_or(self.length_ms / 7 + 1);
        (0..=self.length_ms / step).map(|index| index * step).collect()
    }
}

/// The least round number that is not below `highest`; at least 4, so that four lines stand on whole numbers.
pub fn round_top(highest: f64) -> f64 {
    if highest.is_nan() || highest <= 4.0 {
        return 4.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    [1.0, 2.0, 2.5, 4.0, 5.0, 8.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|top| *top >= highest)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_scale_runs_from_edge_to_edge() {
        let scale = TimeScale::new(200_000);
        let places = [0, 50_000, 200_000, 900_000, -5].map(|at| scale.x(at).to_string());
        assert_eq!(places, ["0.000%", "25.000%", "100.000%", "100.000%", "0.000%"]);
        assert_eq!(scale.ticks(), [0, 30_000, 60_000, 90_000, 120_000, 150_000, 180_000]);
    }

    #[test]
    fn the_top_of_an_axis_is_round() {
        let tops = [0.0, 3.0, 7.0, 10.0, 11.0, 99.0, 430.0].map(|highest| round_top(highest).to_string());
        assert_eq!(tops, ["4", "4", "8", "10", "20", "100", "500"]);
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_outside(length in 0..i64::MAX / 4, from in any::<i32>(), more in 0..i32::MAX) {
            let scale = TimeScale::new(length);
            let (from, to) = (i64::from(from), i64::from(from) + i64::from(more));
            let (x, width) = (scale.x(from).0, scale.width(from, to).0);
            prop_assert!(x >= 0.0 && width > 0.0);
            prop_assert!(x.min(99.8) + width <= 100.0 + 1e-6);
            prop_assert!(scale.ticks().len() <= 9);
        }

        #[test]
        fn the_top_holds_every_bar(highest in 0.0..1e12_f64) {
            prop_assert!(round_top(highest) >= highest);
        }
    }
}
