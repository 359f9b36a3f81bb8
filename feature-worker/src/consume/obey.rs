//! Does what the machine wants done; whatever takes time is done in a task of its own.

use std::sync::Arc;

use eventlog::LogError;

use super::Consumer;
use crate::ask::{self, Lacking, Question};
use crate::commit::commit;
use crate::error::WorkerError;
use crate::machine::{Command, Output};
use crate::metrics;

impl Consumer<'_> {
    pub(super) fn obey(&mut self, command: Command) -> Result<(), WorkerError> {
        match command {
            Command::Restore { partition, epoch } => {
                let (log, state) = (Arc::clone(&self.worker.log), self.worker.topics.state.numbered(partition));
                let (clock, answers, turns) =
                    (self.worker.shell.clock.clone(), self.answers.clone(), Arc::clone(&self.restores));
                self.tasks.spawn(async move {
                    // It is never closed; without a turn it would only be slower.
                    let _turn = turns.acquire().await;
                    ask::restore(log, state, epoch, clock, answers).await;
                });
            }
            Command::Replay { partition, epoch, from, until } => {
                let lacking = Lacking { events: self.worker.topics.events.numbered(partition), epoch, from, until };
                let log = Arc::clone(&self.worker.log);
                let (clock, answers, turns) =
                    (self.worker.shell.clock.clone(), self.answers.clone(), Arc::clone(&self.restores));
                self.tasks.spawn(async move {
                    // As above.
                    let _turn = turns.acquire().await;
                    ask::replay(log, lacking, clock, answers).await;
                });
            }
            Command::FetchFrom { partition, offset: Some(offset) } => self.fetch_from(partition, offset)?,
            Command::FetchFrom { partition, offset: None } => {
                let question = self.shares.question(partition);
                let (log, events) = (Arc::clone(&self.worker.log), self.worker.topics.events.numbered(partition));
                self.tasks.spawn(ask::oldest(log, events, question, self.answers.clone()));
            }
            Command::ReadBack { partition, epoch, from, until, sessions } => {
                let events = self.worker.topics.events.numbered(partition);
                let question = Question { events, epoch, from, until, sessions };
                self.tasks.spawn(ask::read_back(Arc::clone(&self.worker.log), question, self.answers.clone()));
            }
            Command::Commit { outputs, offsets } => self.commit(outputs, offsets),
            Command::Release { token } => drop(self.releases.remove(&token)),
            Command::Stop { error: None } => self.stopped = true,
            Command::Stop { error: Some(error) } => return Err(WorkerError::Fatal(error)),
        }
        Ok(())
    }

    fn commit(&mut self, outputs: Vec<Output>, offsets: Vec<(i32, i64)>) {
        let events = &self.worker.topics.events;
        let offsets = offsets.into_iter().map(|(number, next)| (events.numbered(number), next)).collect();
        let committer = Arc::clone(&self.committer);
        let (topics, clock) = (self.worker.topics.clone(), self.worker.shell.clock.clone());
        let outcomes = self.outcomes.clone();
        let measured = self.machine.under_way();
        metrics::folded(std::mem::take(&mut self.folding));
        self.tasks.spawn(async move {
            let outcome = commit(outputs, offsets, measured, committer.as_ref(), &topics, &clock).await;
            // Nobody listens any more where the membership has ended.
            let _ = outcomes.send(outcome).await;
        });
    }

    pub(super) fn fetch_from(&mut self, partition: i32, offset: i64) -> Result<(), WorkerError> {
        self.shares.starts(partition);
        match self.membership.fetch_from(&self.worker.topics.events.numbered(partition), offset) {
            // It has gone since; the group tells so next.
            Err(LogError::NotFound(_)) => tracing::debug!(partition, "no longer owned"),
            outcome => outcome?,
        }
        Ok(())
    }
}
