//! What the topics hold when all is over.

use std::collections::BTreeMap;
use std::fmt;

use eventlog::Record;
use playledger_tests::world::Workers;
use schemas::record::activity::Activity;
use schemas::report::{Report, Status};

/// The records of every topic that the worker reads or writes, as a committed reader sees them.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// By partition, as all others.
    pub(super) events: Vec<Vec<Record>>,
    pub(super) state: Vec<Vec<Record>>,
    pub(super) reports: Vec<Vec<Record>>,
    pub(super) activity: Vec<Record>,
    pub(super) quarantine: Vec<Record>,
    pub(super) live: Vec<Record>,
    /// Where the group stands in each partition of play.events.
    pub(super) committed: Vec<Option<i64>>,
}

impl Content {
    pub(super) async fn read(world: &Workers) -> anyhow::Result<Self> {
        // First the newest of all: what is committed meanwhile shows in the state that is read after it.
        let committed = world.standing().await?.into_iter().map(|(_, next)| next).collect();
        Ok(Self {
            events: world.read("events").await?,
            state: world.read("session-state").await?,
            reports: world.read("sessions").await?,
            activity: world.read("activity").await?.concat(),
            quarantine: world.read("quarantine").await?.concat(),
            live: world.read("live").await?.concat(),
            committed,
        })
    }

    /// The reports, oldest first.
    pub(super) fn reports(&self) -> impl Iterator<Item = Report> {
        let values = self.reports.iter().flatten().filter_map(|record| record.value.as_deref());
        values.filter_map(|value| serde_json::from_slice(value).ok())
    }
}

/// Counts in one line.
impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = |partitions: &[Vec<Record>]| partitions.iter().map(Vec::len).sum::<usize>();
        let (mut applied, mut repeats, mut holes, mut set_aside) = (0, 0, 0, 0);
        let counts = self.activity.iter().filter_map(|record| record.value.as_deref());
        for counts in counts.filter_map(|value| serde_json::from_slice::<Activity>(value).ok()) {
            applied += counts.applied.values().sum::<u64>();
            set_aside += counts.set_aside.values().sum::<u64>();
            repeats += counts.repeats;
            holes += counts.holes;
        }
        let latest: BTreeMap<_, _> = self.reports().map(|report| (report.session, report)).collect();
        let settled = latest.values().filter(|report| report.status == Status::Final).count();
        let told: u64 = latest.values().map(|report| report.facts.metrics.event_count).sum();
        write!(
            f,
            "{} records read: {applied} applied, {repeats} repeats, {set_aside} set aside, {holes} holes; {} reports of \
             {} sessions, {settled} of them final with {told} events; {} in quarantine",
            records(&self.events),
            records(&self.reports),
            latest.len(),
            self.quarantine.len()
        )
    }
}
