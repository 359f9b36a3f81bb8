//! The oracle: METRICS.md's definitions over whole lists, written to be read.
//!
//! Every figure is computed from the whole session at once, never incrementally, so that it can
//! check the [fold](crate::metrics_v1::fold), which computes them as events come. Used by tests and by tools
//! that compare; no daemon calls it.

mod counts;
mod evidence;
mod facts;
mod tasks;
mod time;

use std::collections::HashSet;

use schemas::data::Data;
use schemas::event::Event;
use schemas::metrics::Metrics;

pub use evidence::{Piece, declared, recorded};
pub use facts::facts;

/// A session's record: its distinct events in order.
#[derive(Debug)]
pub struct Session<'e, 'a> {
    pub(crate) events: Vec<&'e Event<'a>>,
    /// When each event counts: a clock that steps back is held at the latest time seen.
    pub(crate) at: Vec<i64>,
    pub(crate) idle_ms: i64,
    out_of_order: u64,
}

impl<'e, 'a> Session<'e, 'a> {
    /// The record of these events, which may come in any order and repeat.
    pub fn new(events: &'e [Event<'a>], idle_ms: i64) -> Self {
        let events = in_order(events);
        let (mut at, mut out_of_order) = (Vec::<i64>::new(), 0);
        // An untimed close in front of all others takes the time of what follows.
        let first_time = events.iter().find_map(|event| event.timestamp).map_or(0, schemas::Timestamp::ms);
        for event in &events {
            let held = at.last().copied().unwrap_or(first_time);
            let told = event.timestamp.map_or(held, schemas::Timestamp::ms);
            out_of_order += u64::from(told < held && !at.is_empty());
            at.push(if at.is_empty() { told } else { told.max(held) });
        }
        Self { events, at, idle_ms, out_of_order }
    }

    /// All metrics of the session.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        self.time_metrics(&mut metrics);
        self.task_metrics(&mut metrics);
        self.attempt_metrics(&mut metrics);
        self.hint_metrics(&mut metrics);
        self.choice_metrics(&mut metrics);
        self.social_metrics(&mut metrics);
        self.quality_metrics(&mut metrics);
        metrics
    }

    /// Indexes of the events for which `select` holds.
    pub(crate) fn indexes(&self, select: impl Fn(&Data<'a>) -> bool) -> Vec<usize> {
        (0..self.events.len()).filter(|i| select(&self.events[*i].data)).collect()
    }

    fn quality_metrics(&self, metrics: &mut Metrics) {
        let seqs: HashSet<u64> = self.events.iter().filter_map(|event| event.seq).collect();
        let highest = seqs.iter().max().copied();
        let counted = counts(&self.events);
        let actions: Vec<i64> =
            (0..self.events.len()).filter(|i| self.events[*i].is_action()).map(|i| self.at[i]).collect();
        metrics.event_count = self.events.len() as u64;
        metrics.out_of_order = self.out_of_order;
        metrics.completeness =
            highest.filter(|_| counted).and_then(|highest| crate::metrics_v1::fold::ratio(seqs.len(), highest + 1));
        metrics.anomalous = actions.windows(21).any(|burst| burst[20] - burst[0] < 1_000);
    }
}

/// Distinct events, the first copy of each: by seq where every event has one, else as they stand.
/// A session.closed without seq stands after all others, by id.
fn in_order<'e, 'a>(events: &'e [Event<'a>]) -> Vec<&'e Event<'a>> {
    let mut seen = HashSet::new();
    let mut distinct: Vec<_> = events.iter().filter(|event| seen.insert(event.event_id)).collect();
    let by_seq = counts(&distinct);
    distinct.sort_by_key(|event| match event.seq {
        None if event.is_close() => (true, 0, Some(event.event_id)),
        Some(seq) if by_seq => (false, seq, Some(event.event_id)),
        _ => (false, 0, None),
    });
    distinct
}

/// Whether the session's client numbered its events.
fn counts(events: &[&Event<'_>]) -> bool {
    events.iter().all(|event| event.seq.is_some() || event.is_close())
}
