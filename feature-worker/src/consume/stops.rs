//! Partitions that have stopped at too much poison: tells of them, and lets them go on when it is told.

use std::collections::BTreeMap;

use daemon::orders::Order;

use super::Consumer;
use crate::error::WorkerError;
use crate::machine::{Input, PoisonLimit, Stop};
use crate::metrics;

impl Consumer<'_> {
    /// Tells, once, of each partition that has stopped.
    pub(super) fn tell_stops(&mut self) {
        let stops = self.stops();
        for (partition, stop) in &stops {
            if self.told.stops.get(partition) != Some(stop) {
                tracing::error!(partition, offset = stop.offset, "{}", why(*partition, *stop, self.limit()));
            }
        }
        metrics::stopped(stops.len());
        self.told.stops = stops;
    }

    /// Why the worker is not ready though all is restored.
    pub(super) fn stopped_why(&self) -> String {
        let each = self.told.stops.iter().map(|(partition, stop)| why(*partition, *stop, self.limit()));
        each.collect::<Vec<_>>().join("; ")
    }

    /// Goes on with all that have stopped.
    pub(super) fn resume(&mut self, order: Order) -> Result<(), WorkerError> {
        let stopped: Vec<i32> = self.stops().into_keys().collect();
        self.step(Input::Resume)?;
        if stopped.is_empty() {
            order.answer("no partition of this worker has stopped".into());
        } else {
            tracing::info!(partitions = ?stopped, "told to go on");
            order.answer(format!("going on with partitions {stopped:?}"));
        }
        Ok(())
    }

    fn stops(&self) -> BTreeMap<i32, Stop> {
        let partitions = self.machine.partitions();
        partitions.filter_map(|(number, partition)| Some((number, partition.stop()?))).collect()
    }

    fn limit(&self) -> PoisonLimit {
        self.worker.settings.poison_limit
    }
}

/// What has happened and what to do.
fn why(partition: i32, Stop { offset }: Stop, limit: PoisonLimit) -> String {
    format!(
        "partition {partition} has stopped at offset {offset}: more of its records than --poison-limit {limit} are not \
         of play.events (is --topic-prefix right?). Those before are in the quarantine, the rest stays in the log. Find \
         out who writes them; then POST /resume here, or start with a higher --poison-limit. Other partitions go on"
    )
}
