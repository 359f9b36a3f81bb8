//! Tells how the worker stands: to health, to the ready file, to the metrics.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Consumer;
use crate::ask;
use crate::error::WorkerError;
use crate::machine::Stop;
use crate::metrics::{self, Standing};

/// How often the metrics are told how the worker stands, in ms.
const STANDING_MS: i64 = 1_000;
/// How often what takes longer is counted, in ms.
const COUNTING_MS: i64 = 10_000;
/// How often the log is asked where its partitions end, in ms.
const ENDS_MS: i64 = 5_000;

/// What has been told of how a worker stands. Times by the monotonic clock, in ms.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// When the metrics were told last; none before the first time.
    at: Option<i64>,
    /// When of what takes longer to count.
    counted_at: Option<i64>,
    /// When the log was asked last where its partitions end, and whether it has yet to answer.
    asked_at: Option<i64>,
    is_asked: bool,
    /// What it answered, by partition.
    ends: HashMap<i32, i64>,
    /// Partitions of which was told that they have stopped.
    pub(super) stops: BTreeMap<i32, Stop>,
}

impl Told {
    /// The log has answered where partitions end.
    pub(super) fn ended(&mut self, ends: HashMap<i32, i64>) {
        (self.ends, self.is_asked) = (ends, false);
    }
}

/// Whether it is time again; notes that it has been.
fn is_time(last: &mut Option<i64>, now: i64, every_ms: i64) -> bool {
    let is_time = last.is_none_or(|last| now >= last + every_ms);
    if is_time {
        *last = Some(now);
    }
    is_time
}

impl Consumer<'_> {
    fn tell(&self) {
        let mut standing = Standing::default();
        let now = self.worker.shell.clock.now_ms();
        for (number, partition) in self.machine.partitions() {
            standing.partitions += 1;
            standing.sessions += partition.live_sessions();
            standing.markers += partition.markers();
            standing.lag_ms = standing.lag_ms.max(partition.lag_ms(now));
            standing.lag_records += self.told.ends.get(&number).map_or(0, |end| partition.lag_records(*end));
            standing.behind += partition.behind();
        }
        metrics::standing(&standing);
    }

    /// What is told more rarely, since it takes longer.
    fn count(&mut self, now: i64) {
        if is_time(&mut self.told.counted_at, now, COUNTING_MS) {
            let buffered = self.machine.partitions().map(|(_, partition)| partition.buffered());
            let (events, bytes) = buffered.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
            metrics::buffered(events, bytes);
        }
        if !self.told.is_asked && is_time(&mut self.told.asked_at, now, ENDS_MS) {
            self.told.is_asked = true;
            let events = &self.worker.topics.events;
            let owned = self.machine.partitions().map(|(number, _)| events.numbered(number)).collect();
            self.tasks.spawn(ask::ends(Arc::clone(&self.worker.log), owned, self.answers.clone()));
        }
    }

    /// Tells how the worker stands, to health and metrics.
    pub(super) fn stand(&mut self) -> Result<(), WorkerError> {
        while let Some(ended) = self.tasks.try_join_next() {
            // It will not answer, and a commit that does not answer would wait for ever.
            ended.map_err(|error| WorkerError::Rejoin(format!("a task of the worker ended: {error}")))?;
        }
        let now = self.worker.shell.clock.monotonic_ms();
        if is_time(&mut self.told.at, now, STANDING_MS) {
            self.tell();
            self.count(now);
        }
        self.tell_stops();
        match (self.joined, self.machine.is_restored()) {
            (true, true) if !self.told.stops.is_empty() => self.worker.health.not_ready(self.stopped_why()),
            (true, true) => {
                self.worker.health.ready();
                if !std::mem::replace(&mut self.announced, true)
                    && let Err(error) = self.worker.shell.ready.announce()
                {
                    tracing::error!(%error, "--ready-file: can't write it");
                }
            }
            (true, false) => {
                let awaited = self.machine.awaited();
                self.worker.health.not_ready(format!("restoring state of partitions {awaited:?}"));
            }
            (false, _) => self.worker.health.not_ready("joining the group"),
        }
        Ok(())
    }
}
