//! Readers in a loop over all views: each statement and each transaction sees one generation, whole, and never less than
//! before.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinSet;

use super::super::PATIENCE;
use super::marks::{MARK, views};

/// What must be equal within one snapshot, and what must never shrink.
const FIGURES: &str = "
    ARRAY[(SELECT count(*) FROM play.sessions WHERE tenant = 'acme'),
          (SELECT count(*) FROM play.session_metrics WHERE tenant = 'acme'),
          (SELECT count(*) FROM play.behavioral_features WHERE tenant = 'acme'),
          (SELECT sum(sessions)::bigint FROM play.players WHERE tenant = 'acme'),
          (SELECT sum(sessions)::bigint FROM play.player_days WHERE tenant = 'acme'),
          (SELECT sum(sessions)::bigint FROM play.daily_players WHERE tenant = 'acme')],
    ARRAY[(SELECT sum(event_count)::bigint FROM play.sessions WHERE tenant = 'acme'),
          (SELECT sum(event_count)::bigint FROM play.session_metrics WHERE tenant = 'acme'),
          (SELECT sum(events)::bigint FROM play.players WHERE tenant = 'acme')],
    ARRAY[(SELECT count(*) FROM play.session_tasks WHERE tenant = 'acme'),
          (SELECT sum(sessions)::bigint FROM play.task_stats WHERE tenant = 'acme')],
    ARRAY[(SELECT count(*) FROM play.sessions WHERE tenant = 'acme'),
          (SELECT count(*) FROM play.event_log WHERE tenant = 'acme'),
          (SELECT count(*) FROM play.live_sessions WHERE tenant = 'acme'),
          (SELECT count(*) FROM play.quarantine WHERE tenant IS DISTINCT FROM 'mark'),
          (SELECT coalesce(sum(events), 0)::bigint FROM play.activity_by_minute WHERE tenant = 'acme'),
          (SELECT coalesce(sum(events), 0)::bigint FROM play.worker_outcomes WHERE tenant = 'acme'),
          (SELECT coalesce(sum(events), 0)::bigint FROM play.outcomes WHERE tenant = 'acme'),
          (SELECT sum(next_offset)::bigint FROM play.offsets WHERE projection <> 'mark')]";

/// Which views show a mark, three sets of equal figures, figures that grow.
type Seen = (Vec<bool>, Vec<i64>, Vec<i64>, Vec<i64>, Vec<i64>);

/// How a reader reads.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Each statement by itself.
    Statements,
    /// Three statements in a transaction that sees what others commit.
    Committed,
    /// Three statements in one snapshot.
    Repeatable,
    /// One snapshot that is older than the first look at a view.
    Older,
    /// Each view by itself, and the functions.
    Each,
}

#[derive(Default)]
struct Counts {
    readings: [AtomicU64; 5],
    /// Readings of the marked generation, and of the other.
    old: AtomicU64,
    new: AtomicU64,
}

/// Readers, each on a connection of its own.
pub(super) struct Readers {
    over: Arc<AtomicBool>,
    counts: Arc<Counts>,
    work: JoinSet<anyhow::Result<()>>,
}

/// What readers saw so far.
#[derive(Debug)]
pub(super) struct Saw {
    pub(super) old: u64,
    pub(super) new: u64,
    readings: [u64; 5],
}

impl Readers {
    /// `marked` are the conditions by which views tell their generation.
    pub(super) async fn start(url: &str, marked: &[String]) -> anyhow::Result<Self> {
        let (over, counts) = (Arc::<AtomicBool>::default(), Arc::<Counts>::default());
        let pool: PgPool = PgPoolOptions::new().max_connections(1).connect(url).await?;
        let each: Arc<[String]> =
            views(&pool).await?.into_iter().map(|(view, _)| format!("SELECT count(*) FROM play.{view}")).collect();
        pool.close().await;
        let all: Arc<str> = format!("SELECT ARRAY[{}], {FIGURES}", marked.join(", ")).into();
        let mut work = JoinSet::new();
        for kind in [Kind::Statements, Kind::Committed, Kind::Repeatable, Kind::Older, Kind::Each] {
            let connection = PgConnection::connect(url).await?;
            let reader = Reader {
                kind,
                connection,
                all: Arc::clone(&all),
                each: Arc::clone(&each),
                counts: Arc::clone(&counts),
                least: Vec::new(),
            };
            let over = Arc::clone(&over);
            work.spawn(async move { reader.run(&over).await.with_context(|| format!("one who reads: {kind:?}")) });
        }
        Ok(Self { over, counts, work })
    }

    pub(super) fn saw(&self) -> Saw {
        let number = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Saw {
            old: number(&self.counts.old),
            new: number(&self.counts.new),
            readings: self.counts.readings.each_ref().map(number),
        }
    }

    /// Waits until each kind has read some times more.
    pub(super) async fn see_more(&mut self) -> anyhow::Result<()> {
        let (before, began) = (self.saw().readings, Instant::now());
        while self.saw().readings.iter().zip(before).any(|(now, before)| *now < before + 3) {
            if let Some(ended) = self.work.try_join_next() {
                ended??;
                anyhow::bail!("a reader ended by itself");
            }
            ensure!(began.elapsed() < PATIENCE, "readers read no more: {:?}", self.saw());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<Saw> {
        self.over.store(true, Ordering::SeqCst);
        while let Some(outcome) = self.work.join_next().await {
            outcome??;
        }
        let saw = self.saw();
        ensure!(saw.old > 0 && saw.new > 0, "both generations were read: {saw:?}");
        Ok(saw)
    }
}

impl fmt::Display for Saw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new, readings: [statements, committed, repeatable, older, each] } = self;
        write!(
            f,
            "read all views in one statement {statements} times, in transactions {committed} times, in one snapshot \
             {repeatable} times, in an older one {older} times, one by one {each} times: {old} readings of the marked \
             generation and {new} of the other"
        )
    }
}

struct Reader {
    kind: Kind,
    connection: PgConnection,
    /// The statement that reads all views.
    all: Arc<str>,
    each: Arc<[String]>,
    counts: Arc<Counts>,
    /// What was read last of figures that never shrink.
    least: Vec<i64>,
}

impl Reader {
    async fn run(mut self, over: &AtomicBool) -> anyhow::Result<()> {
        while !over.load(Ordering::SeqCst) {
            match self.kind {
                Kind::Statements => drop(self.look().await?),
                Kind::Committed => self.transaction("BEGIN").await?,
                Kind::Repeatable => self.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ").await?,
                Kind::Older => {
                    self.run_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await?;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    self.look().await?;
                    self.run_sql("COMMIT").await?;
                }
                Kind::Each => {
                    for sql in &*self.each {
                        sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut self.connection).await?;
                    }
                    let funnel = "SELECT count(*) FROM play.funnel('demo', ARRAY['L0', 'L1']), play.layout()";
                    sqlx::query(funnel).execute(&mut self.connection).await?;
                }
            }
            self.counts.readings[self.kind as usize].fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn transaction(&mut self, begin: &'static str) -> anyhow::Result<()> {
        self.run_sql(begin).await?;
        let first = self.look().await?;
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let seen = self.look().await?;
            ensure!(seen.0 == first.0, "a mixture within a transaction");
            ensure!(matches!(self.kind, Kind::Committed) || seen == first, "{seen:?} after {first:?} in one snapshot");
        }
        self.run_sql("COMMIT").await
    }

    /// Reads all views at once and judges what they show.
    async fn look(&mut self) -> anyhow::Result<Seen> {
        let seen: Seen = sqlx::query_as(AssertSqlSafe(&*self.all)).fetch_one(&mut self.connection).await?;
        let (marked, one, two, three, growing) = &seen;
        let old = marked[0];
        ensure!(marked.iter().all(|each| *each == old), "a mixture within a statement, marks ({MARK}): {marked:?}");
        for figures in [one, two, three] {
            ensure!(figures.iter().all(|figure| *figure == figures[0]), "half of something: {seen:?}");
        }
        let shrunk = self.least.iter().zip(growing).any(|(before, now)| now < before);
        ensure!(!shrunk, "a gap: {growing:?} after {:?}", self.least);
        self.least.clone_from(growing);
        let count = if old { &self.counts.old } else { &self.counts.new };
        count.fetch_add(1, Ordering::SeqCst);
        Ok(seen)
    }

    async fn run_sql(&mut self, sql: &'static str) -> anyhow::Result<()> {
        sqlx::raw_sql(sql).execute(&mut self.connection).await?;
        Ok(())
    }
}
