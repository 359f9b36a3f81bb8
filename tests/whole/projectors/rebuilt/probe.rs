//! How long it takes from a report to its row: one session, told again and again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use parking_lot::Mutex;
use playledger_tests::world::Projectors;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::super::{PATIENCE, flow};

/// A flow of its own; its only session.
const SEED: u64 = 2_800;
const EVERY: Duration = Duration::from_millis(20);

/// One who tells a session again and again, and looks when its row says so.
pub(super) struct Probe {
    over: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<Duration>>>,
    work: JoinHandle<anyhow::Result<()>>,
}

/// Times from a report to its row.
pub(super) struct Times(Vec<Duration>);

impl Probe {
    pub(super) fn start(world: &Projectors, url: &str) -> anyhow::Result<Self> {
        let (feed, url) = (world.feed("sessions")?, url.to_owned());
        let (over, taken) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<Duration>>>::default());
        let work = tokio::spawn({
            let (over, taken) = (Arc::clone(&over), Arc::clone(&taken));
            async move {
                let mut connection = PgConnection::connect(&url).await?;
                let (mut told, mut waiting) = (0, VecDeque::<(i64, Instant)>::new());
                let mut last = None::<Instant>;
                while !over.load(Ordering::SeqCst) || !waiting.is_empty() {
                    if !over.load(Ordering::SeqCst) && last.is_none_or(|last| last.elapsed() >= EVERY) {
                        told += 1;
                        let (player, value) = flow::report(SEED, 0, told);
                        let now = Instant::now();
                        last = Some(now);
                        feed.raw_now(format!("acme/{player}").as_bytes(), Some(value.to_string().as_bytes()))?;
                        waiting.push_back((i64::try_from(told)?, now));
                    }
                    let row: Option<i64> = sqlx::query_scalar(
                        "SELECT revision FROM play.sessions WHERE session_id = $1 AND tenant = 'acme'",
                    )
                    .bind(Uuid::from_u64_pair(SEED, 0))
                    .fetch_optional(&mut connection)
                    .await?;
                    while let Some((_, since)) = waiting.pop_front_if(|(revision, _)| Some(*revision) <= row) {
                        taken.lock().push(since.elapsed());
                    }
                    let oldest = waiting.front().map_or(Duration::ZERO, |(_, since)| since.elapsed());
                    ensure!(oldest < PATIENCE, "a report has no row after {PATIENCE:?}");
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                feed.flush().await.map(drop)
            }
        });
        Ok(Self { over, taken, work })
    }

    /// Waits until so many rows have been seen since they were last taken.
    pub(super) async fn sees(&self, rows: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.taken.lock().len() < rows {
            ensure!(!self.work.is_finished() && began.elapsed() < PATIENCE, "{} rows seen", self.taken.lock().len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The times since they were last taken.
    pub(super) fn taken(&self) -> Times {
        Times(std::mem::take(&mut *self.taken.lock()))
    }

    pub(super) async fn stop(self) -> anyhow::Result<Times> {
        self.over.store(true, Ordering::SeqCst);
        self.work.await??;
        Ok(Times(std::mem::take(&mut *self.taken.lock())))
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let of =
            |percent: usize| sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
        write!(f, "{} reports p50 {:.0?} p99 {:.0?} max {:.0?}", sorted.len(), of(50), of(99), of(100))
    }
}
