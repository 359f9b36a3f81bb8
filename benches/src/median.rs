//! One figure, measured several times.

use std::fmt::{self, Display, Formatter};

/// Figures, printed as the one in the middle and, where there are more, how far they lie apart.
#[derive(Debug, Default)]
pub struct Median(Vec<f64>);

impl Median {
    /// One more.
    pub fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }
}

impl Display for Median {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut figures = self.0.clone();
        figures.sort_by(f64::total_cmp);
        let Some(middle) = figures.get(figures.len() / 2) else { return formatter.write_str("none") };
        write!(formatter, "{middle:.2}")?;
        match figures[..] {
            [least, .., most] => write!(formatter, " ({least:.2} to {most:.2})"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_in_the_middle_is_printed_with_the_outermost() {
        let mut median = Median::default();
        assert_eq!(median.to_string(), "none");
        for (figure, text) in [(3.0, "3.00"), (1.0, "3.00 (1.00 to 3.00)"), (2.0, "2.00 (1.00 to 3.00)")] {
            median.add(figure);
            assert_eq!(median.to_string(), text);
        }
    }
}
