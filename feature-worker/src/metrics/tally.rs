//! What a commit's outputs come to.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::report::Status;

use crate::machine::Output;

/// What a commit's outputs come to.
#[derive(Debug, Default)]
pub struct Tally {
    pub(super) provisional: u64,
    pub(super) r#final: u64,
    pub(super) applied: u64,
    pub(super) repeats: u64,
    pub(super) holes: u64,
    pub(super) snapshots: u64,
    pub(super) state_bytes: u64,
    pub(super) set_aside: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Adds up outputs.
    pub fn of(outputs: &[Output]) -> Self {
        let mut tally = Self::default();
        for output in outputs {
            match output {
                Output::Report(report) if report.status == Status::Final => tally.r#final += 1,
                Output::Report(_) => tally.provisional += 1,
                Output::Activity(counts) => {
                    tally.applied += counts.applied.values().sum::<u64>();
                    tally.repeats += counts.repeats;
                    tally.holes += counts.holes;
                }
                Output::Quarantine(aside) => *tally.set_aside.entry(aside.reason.as_str()).or_default() += 1,
                Output::State { key, value, .. } => {
                    tally.state_bytes += (key.len() + value.as_ref().map_or(0, Bytes::len)) as u64;
                }
                Output::Live(_) => tally.snapshots += 1,
                Output::Gone(_) => {}
            }
        }
        tally
    }
}
