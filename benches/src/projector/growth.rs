//! What a report costs by how many sessions are stored.

use super::feed::Feed;
use super::reports::Reports;
use super::{Bench, TABLES};
use crate::numbers::count;

/// Reports whose cost is taken, half of them of new sessions and half revisions of those that are stored.
const SAMPLE: usize = 100_000;

impl Bench<'_> {
    /// Fills the tables and looks on the way.
    pub(super) async fn growth(&self) -> anyhow::Result<()> {
        let at_ms = daemon::Clock::system().now_ms();
        let mut feed = Feed::new(self.world).await?;
        let mut process = self.world.projector(TABLES).await?;
        let mut stored = 0;
        for &goal in &self.arguments.grown {
            let new = Reports { sessions: usize::MAX, first: 0, at_ms };
            // In steps, so that the log does not hold much more than the tables.
            while stored < goal {
                let until = goal.min(stored + SAMPLE);
                feed.fill(&new, stored..until).await?;
                self.projected(&mut process, feed.ends).await?;
                stored = until;
            }
            let (from, postgres) = (process.reading()?, self.postgres()?);
            feed.fill(&new, stored..stored + SAMPLE / 2).await?;
            // The second report of sessions all over the tables.
            let step = goal / (SAMPLE / 2);
            for place in 0..SAMPLE / 2 {
                let revised = Reports { sessions: 1, first: place * step, at_ms };
                feed.append(&revised, 1..2).await?;
            }
            feed.settle().await?;
            let until = self.projected(&mut process, feed.ends).await?;
            let postgres = self.postgres()?.saturating_sub(postgres);
            stored += SAMPLE / 2;
            let millions = count(SAMPLE) / 1e6;
            println!(
                "{goal} sessions stored: projector {:.1} CPU-s/M, Postgres {:.1} CPU-s/M",
                until.cpu.saturating_sub(from.cpu).as_secs_f64() / millions,
                postgres.as_secs_f64() / millions,
            );
        }
        process.stop().await
    }
}
