//! A daemon's metrics in one list: name, kind, unit, labels and what each says. docs/operations.md lists the same.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up only.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// `playledger_<daemon>_<what>[_<unit>][_total]`.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// The unit, where it counts no things.
    pub unit: Option<Unit>,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// The unit of times.
pub const SECONDS: Option<Unit> = Some(Unit::Seconds);
/// The unit of sizes.
pub const BYTES: Option<Unit> = Some(Unit::Bytes);

/// Declares a constant with each metric's name, and `ALL` of them. What all names begin with comes first; then of each
/// its constant, kind, name, unit, labels and help.
#[macro_export]
macro_rules! catalogue {
    ($prefix:literal; $($constant:ident $kind:ident $name:literal $unit:expr, [$($label:literal),*], $help:literal;)*) => {
        $(pub(super) const $constant: &str = concat!($prefix, $name);)*

        /// All of them.
        pub const ALL: &[$crate::catalogue::Metric] = &[$($crate::catalogue::Metric {
            name: $constant,
            kind: $crate::catalogue::Kind::$kind,
            unit: $unit,
            labels: &[$($label),*],
            help: $help,
        }),*];

        #[cfg(test)]
        mod listed {
            /// docs/operations.md has a row for each metric, in the same order, that says the same.
            #[test]
            fn the_operators_table_lists_these_and_no_others() {
                let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md"));
                let begin = concat!("| `", $prefix);
                let told: Vec<_> = text.lines().filter(|line| line.starts_with(begin)).collect();
                let expected: Vec<_> = super::ALL.iter().map($crate::catalogue::Metric::row).collect();
                assert_eq!(told, expected, "the table should be:\n{}\n", expected.join("\n"));
            }
        }
    };
}

/// A counter, its one label, and values of that which stand from the start, so that the first of a kind shows as an increase.
pub type Known = (&'static str, &'static str, &'static [&'static str]);

/// Gives every metric its help text and unit, and a start to every counter and gauge without labels and to what is known.
pub fn start(all: &[Metric], known: &[Known]) {
    for metric in all {
        metric.describe();
        let Metric { name, kind, labels, .. } = *metric;
        match kind {
            Kind::Counter if labels.is_empty() => counter!(name).increment(0),
            Kind::Gauge if labels.is_empty() => gauge!(name).increment(0.0),
            _ => {}
        }
    }
    for (name, label, values) in known {
        for value in *values {
            counter!(*name, *label => *value).increment(0);
        }
    }
}

impl Metric {
    /// Gives it its help text and unit.
    pub fn describe(&self) {
        let Self { name, kind, unit, help, .. } = *self;
        match (kind, unit) {
            (Kind::Counter, Some(unit)) => describe_counter!(name, unit, help),
            (Kind::Counter, None) => describe_counter!(name, help),
            (Kind::Gauge, Some(unit)) => describe_gauge!(name, unit, help),
            (Kind::Gauge, None) => describe_gauge!(name, help),
            (Kind::Histogram, Some(unit)) => describe_histogram!(name, unit, help),
            (Kind::Histogram, None) => describe_histogram!(name, help),
        }
    }

    /// Its row in the operators' table.
    pub fn row(&self) -> String {
        let Self { name, kind, labels, help, .. } = self;
        let kind = format!("{kind:?}").to_lowercase();
        format!("| `{name}` | {kind} | {} | {help} |", labels.join(", "))
    }
}
