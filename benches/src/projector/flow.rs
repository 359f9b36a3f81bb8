//! New reports at a rate, and how long after it was appended each has its row.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;

use super::feed::{Ends, Feed};
use super::reports::Reports;
use super::{Bench, STUCK, TABLES};
use crate::numbers::milliseconds;

/// How often reports are appended, and how often it is looked which have their rows.
const EVERY: Duration = Duration::from_millis(20);

impl Bench<'_> {
    /// How long a report takes at a rate.
    pub(super) async fn latency(&self, rate: f64) -> anyhow::Result<()> {
        let process = self.world.projector(TABLES).await?;
        let work = async {
            tokio::time::sleep(Duration::from_secs(self.arguments.seconds)).await;
            Ok(())
        };
        let (took, ()) = self.beside(rate, self.arguments.sessions, work).await?;
        println!("report → row at {rate:.0} reports/s: {} (aim: p99 300)", told(&took));
        process.stop().await
    }

    /// Appends reports of new sessions, from number `first` on, at a rate while `work` goes on; how long each took to be
    /// seen, in µs, and what came of the work.
    pub(super) async fn beside<T>(
        &self,
        rate: f64,
        first: usize,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<(Histogram<u64>, T)> {
        let over: Cell<Option<Instant>> = Cell::new(None);
        let work = async {
            let outcome = work.await;
            over.set(Some(Instant::now()));
            outcome
        };
        // Side by side: a question may have to wait for what the work has locked.
        let (took, outcome) = tokio::join!(self.flow(rate, first, &over), work);
        Ok((took?, outcome?))
    }

    /// Appends reports at a rate until it is over and all of them were seen; how long each took, in µs.
    async fn flow(&self, rate: f64, first: usize, over: &Cell<Option<Instant>>) -> anyhow::Result<Histogram<u64>> {
        let reports = Reports { sessions: usize::MAX, first, at_ms: daemon::Clock::system().now_ms() };
        let (mut feed, mut waits) = (Feed::new(self.world).await?, VecDeque::new());
        let mut took: Histogram<u64> = Histogram::new(3)?;
        let (began, mut made) = (Instant::now(), 0);
        while over.get().is_none() || !waits.is_empty() {
            if over.get().is_none() {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of reports")]
                let due = (began.elapsed().as_secs_f64() * rate) as usize;
                if due > made {
                    feed.append(&reports, made..due).await?;
                    waits.push_back((feed.ends, Instant::now()));
                    made = due;
                }
            }
            // Rows and offsets are committed as one.
            let seen = self.offsets().await?;
            while let Some((_, since)) = waits
                .pop_front_if(|(ends, _): &mut (Ends, Instant)| ends.iter().zip(&seen).all(|(end, seen)| end <= seen))
            {
                took.record(u64::try_from(since.elapsed().as_micros())?)?;
            }
            let still = over.get().is_some_and(|over| over.elapsed() > STUCK);
            ensure!(!still, "the tables stand still, {} requests before the end", waits.len());
            tokio::time::sleep(EVERY).await;
        }
        feed.settle().await?;
        Ok(took)
    }
}

/// Quantiles in words.
pub(super) fn told(took: &Histogram<u64>) -> String {
    let at = |share| milliseconds(took.value_at_quantile(share));
    format!(
        "p50 {:.0} ms, p99 {:.0} ms, longest {:.0} ms of {} requests",
        at(0.5),
        at(0.99),
        milliseconds(took.max()),
        took.len()
    )
}
