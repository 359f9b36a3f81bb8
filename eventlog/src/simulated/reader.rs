//! Reading stretches of partitions without a group.

use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;

use super::client::Point;
use super::{SimulatedLog, out_of_range};
use crate::{Batch, LogError, ReadRequest, Reader, Stretch};

/// Reads stretches, by turns.
pub(super) struct SimulatedReader {
    log: SimulatedLog,
    stretches: Vec<Stretch>,
    positions: Vec<i64>,
    read_committed: bool,
    turn: usize,
}

impl SimulatedReader {
    pub(super) fn open(log: SimulatedLog, request: ReadRequest) -> Result<Self, LogError> {
        for stretch in &request.stretches {
            let range = log.cluster.look(|state| Ok(state.found(&stretch.partition)?.range()))?;
            if stretch.from > range.high {
                return Err(out_of_range(&stretch.partition, stretch.from, range));
            }
        }
        let positions = request.stretches.iter().map(|stretch| stretch.from).collect();
        Ok(Self { log, stretches: request.stretches, positions, read_committed: request.read_committed, turn: 0 })
    }

    fn is_done(&self, index: usize) -> bool {
        self.stretches[index].until.is_some_and(|until| self.positions[index] >= until)
    }

    /// What one stretch has to give now.
    fn pull(&mut self, index: usize) -> Result<Option<Batch>, LogError> {
        if self.is_done(index) {
            return Ok(None);
        }
        let (stretch, from, read_committed) = (&self.stretches[index], self.positions[index], self.read_committed);
        let options = self.log.cluster.options;
        let most = self.log.cluster.chance(|chance| chance.below(options.batch)) + 1;
        let read = self.log.cluster.look(|state| {
            let partition = state.found(&stretch.partition)?;
            if from < partition.range().low {
                return Err(out_of_range(&stretch.partition, from, partition.range()));
            }
            Ok(partition.read(from, stretch.until.unwrap_or(i64::MAX), read_committed, most))
        })?;
        Ok(read.map(|(records, next_offset)| {
            self.positions[index] = next_offset;
            Batch { partition: stretch.partition.clone(), records, next_offset }
        }))
    }
}

#[async_trait]
impl Reader for SimulatedReader {
    async fn next(&mut self) -> Result<Option<Batch>, LogError> {
        self.log.call(Point::Read).await?;
        let slowness = self.log.client.slowness();
        if !slowness.is_zero() {
            tokio::time::sleep(slowness).await;
        }
        let cluster = Arc::clone(&self.log.cluster);
        loop {
            self.log.client.awake().await;
            let mut changed = pin!(cluster.changed());
            changed.as_mut().enable();
            for _ in 0..self.stretches.len() {
                let turn = self.turn % self.stretches.len();
                self.turn = turn + 1;
                if let Some(batch) = self.pull(turn)? {
                    return Ok(Some(batch));
                }
            }
            if (0..self.stretches.len()).all(|index| self.is_done(index)) {
                return Ok(None);
            }
            changed.await;
        }
    }

    fn positions(&self) -> Vec<i64> {
        self.positions.clone()
    }
}
