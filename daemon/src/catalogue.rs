//! A daemon's metrics in one list: name, kind, unit, labels and what each says. docs/operations.md lists the same.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

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
    };
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
