//! What a member hands to the sink, one thing at a time, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use eventlog::TopicPartition;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{LOOK, Member, Owned};
use crate::store::Expected;
use crate::write::Report;

impl Member<'_> {
    /// Hands all that waits to the sink.
    pub(super) fn hand_over(&mut self) {
        let load = self.pending.take();
        for slice in &load {
            if let Some(owned) = self.owned.get_mut(&slice.partition) {
                owned.handed = slice.next;
            }
        }
        let sink = Arc::clone(&self.sink);
        self.writing = Some(tokio::spawn(async move { sink.write(load).await }));
    }

    /// Takes note of what became of a load. Where a claim is gone, so is this membership.
    pub(super) fn settle(&mut self, report: Report) -> anyhow::Result<()> {
        self.left |= report.left;
        for stood in report.written {
            self.freshness.stand(&stood.partition, stood.next, stood.newest_ms);
            if self.owned.contains_key(&stood.partition) {
                self.hint.stands(stood.partition, stood.next);
            }
        }
        for (partition, epoch) in report.lost {
            // It may have been claimed anew meanwhile; only the overtaken claim is given up.
            if self.owned.get(&partition).is_some_and(|owned| owned.epoch == epoch) {
                self.owned.remove(&partition);
                self.pending.remove(&partition);
                self.freshness.disown(&partition);
                self.hint.forget(&partition);
                // The group gives it to this one, and another has claimed it: one that woke up late, or
                // the group knows better by now. Who joins again gets its share and claims it anew.
                self.over = Some(format!("another projector has claimed {partition}"));
            }
        }
        for (partition, epoch, next) in report.behind {
            if let Some(owned) = self.owned.get_mut(&partition).filter(|owned| owned.epoch == epoch) {
                owned.handed = next;
                owned.position = next;
                self.pending.remove(&partition);
                self.fetch_from(&partition, next)?;
            }
        }
        if report.forgotten {
            self.over = Some("the server lost the claims of this projector".to_owned());
        }
        Ok(())
    }

    /// Looks, in place of a load, whether all that was written still stands.
    pub(super) fn look_after(&mut self) {
        self.look = Instant::now() + LOOK;
        let expected = |(partition, owned): (&TopicPartition, &Owned)| Expected {
            partition: partition.clone(),
            epoch: owned.epoch,
            next_offset: owned.handed,
        };
        let expected = self.owned.iter().map(expected).collect();
        let sink = Arc::clone(&self.sink);
        self.writing = Some(tokio::spawn(async move { sink.look_after(expected).await }));
    }

    /// Waits for the load under way, at most so long.
    pub(super) async fn finish_writing(&mut self, at_most: Duration) -> anyhow::Result<()> {
        let Some(mut writing) = self.writing.take() else { return Ok(()) };
        if let Ok(outcome) = timeout(at_most, &mut writing).await {
            self.settle(outcome.context("writing a load broke off")??)?;
        } else {
            // It may stand yet or not; the offsets tell whoever comes next.
            self.writing = Some(writing);
        }
        Ok(())
    }
}

/// The outcome of the load under way.
pub(super) async fn finished(writing: &mut Option<JoinHandle<anyhow::Result<Report>>>) -> anyhow::Result<Report> {
    match writing {
        Some(writing) => writing.await.context("writing a load broke off")?,
        None => std::future::pending().await,
    }
}
