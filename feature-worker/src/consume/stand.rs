//! Tells how the worker stands: to health, to the ready file, to the metrics.

use super::{Consumer, STANDING_MS};
use crate::error::WorkerError;
use crate::metrics;

impl Consumer<'_> {
    fn tell(&self) {
        let (mut partitions, mut sessions, mut markers, mut lag_ms, mut behind) = (0, 0, 0, 0, 0);
        let now = self.worker.shell.clock.now_ms();
        for (_, partition) in self.machine.partitions() {
            partitions += 1;
            sessions += partition.live_sessions();
            markers += partition.markers();
            lag_ms = lag_ms.max(partition.lag_ms(now));
            behind += partition.behind();
        }
        metrics::standing(partitions, sessions, markers, lag_ms);
        metrics::behind(behind);
    }

    /// Tells how the worker stands, to health and metrics.
    pub(super) fn stand(&mut self) -> Result<(), WorkerError> {
        while let Some(ended) = self.tasks.try_join_next() {
            // It will not answer, and a commit that does not answer would wait for ever.
            ended.map_err(|error| WorkerError::Rejoin(format!("a task of the worker ended: {error}")))?;
        }
        let now = self.worker.shell.clock.monotonic_ms();
        if now >= self.told_at + STANDING_MS {
            self.told_at = now;
            self.tell();
        }
        self.tell_stops();
        match (self.joined, self.machine.is_restored()) {
            (true, true) if !self.stops.is_empty() => self.worker.health.not_ready(self.stopped_why()),
            (true, true) => {
                self.worker.health.ready();
                if !std::mem::replace(&mut self.announced, true)
                    && let Err(error) = self.worker.shell.ready.announce()
                {
                    tracing::error!(%error, "--ready-file: can't write it");
                }
            }
            (true, false) => self.worker.health.not_ready("restoring state"),
            (false, _) => self.worker.health.not_ready("joining the group"),
        }
        Ok(())
    }
}
