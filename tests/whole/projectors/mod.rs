//! Projectors as processes on a real broker and a real Postgres while things break: every table equals its recount
//! from the topics, whatever happened on the way.

mod away;
mod breaking;
mod cut;
mod flow;
mod full;
mod laid_out;
mod paused;
mod poison;
#[expect(dead_code, clippy::unwrap_used, reason = "another test's module, of which these need the clusters only")]
#[path = "../../../projector/tests/projector/postgres.rs"]
mod postgres;
mod rebuild_cut;
mod rebuild_stopped;
mod rebuilding;
mod rebuilt;
mod recount;
mod remade;
mod shared;
mod status;
mod stopped;
mod taken_back;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use playledger_tests::behind;
use playledger_tests::postgres_proxy::PostgresProxy;
use playledger_tests::tables::Tables;
use playledger_tests::world::Projectors;
use sqlx::postgres::PgPool;

use flow::Flow;
use postgres::{Cluster, Database, Fsync};
use recount::Counted;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(3);
const PARTITIONS: u32 = 4;
/// Topics that a projector reads without `--event-log`.
const TOPICS: [&str; 5] = ["sessions", "live", "activity", "quarantine", "outcomes"];
/// All partitions that a projector reads.
const ALL: u32 = PARTITIONS * 5;

/// Projectors, and a Postgres of this test's own with fsync on, which they reach through a proxy.
struct World {
    projectors: Projectors,
    proxy: PostgresProxy,
    /// Past the proxy.
    database: Database,
    tables: Tables,
    /// Last, so that it goes when nobody uses it any more.
    cluster: Cluster,
}

impl World {
    /// No projector as yet.
    async fn new() -> anyhow::Result<Self> {
        Self::on(&std::env::temp_dir(), "").await
    }

    /// The same with the cluster below `place`, and these lines of settings.
    async fn on(place: &Path, settings: &str) -> anyhow::Result<Self> {
        let cluster = tokio::task::block_in_place(|| Cluster::start_with(Fsync::On, place, settings));
        let database = Database::create(&cluster.url("postgres")).await;
        let proxy = PostgresProxy::before(cluster.socket())?;
        let projectors = Projectors::on(behind::shared(), PARTITIONS)?;
        let tables = Tables::open(&database.url).await?;
        Ok(Self { projectors, proxy, database, tables, cluster })
    }

    /// The database's URL as projectors know it.
    fn url(&self) -> String {
        self.proxy.url(self.name())
    }

    /// The database's name.
    fn name(&self) -> &str {
        self.database.url.split('?').next().and_then(|url| url.rsplit('/').next()).unwrap_or_default()
    }

    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    /// Starts projectors of these names and waits until they have shared the partitions.
    async fn start(&mut self, names: &[&str]) -> anyhow::Result<()> {
        let url = self.url();
        for name in names {
            self.projectors.launch(name, &url)?;
        }
        for name in names {
            self.projectors.ready(name)?;
        }
        for name in names {
            self.projectors.has(name, ALL / u32::try_from(names.len())?).await?;
        }
        Ok(())
    }

    /// Some hundred records a second.
    fn flow(&self, seed: u64) -> anyhow::Result<Flow> {
        Flow::begin(&self.projectors, seed, flow::FAST)
    }

    /// Some dozen records a second.
    fn slow_flow(&self, seed: u64) -> anyhow::Result<Flow> {
        Flow::begin(&self.projectors, seed, flow::SLOW)
    }

    /// Does something that blocks.
    fn blocking<T>(&self, what: impl FnOnce(&Cluster) -> T) -> T {
        tokio::task::block_in_place(|| what(&self.cluster))
    }

    /// Waits until the tables follow the topics to their ends, and compares all of them with a recount.
    async fn settle(&self, row: &str, flow: Flow) -> anyhow::Result<Counted> {
        let sent = flow.end().await?;
        self.follows().await?;
        let counted = recount::recount(&self.projectors, &self.tables).await?;
        println!("{row}: {sent}; {counted}");
        Ok(counted)
    }

    /// Waits until the offsets in the tables are the topics' ends.
    async fn follows(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        for topic in TOPICS {
            let name = self.projectors.topic(topic);
            loop {
                let standing = recount::behind(&self.projectors, &self.tables, &name).await;
                if matches!(standing, Ok(0)) {
                    break;
                }
                ensure!(began.elapsed() < PATIENCE, "after {PATIENCE:?} {name} is behind: {standing:?}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        Ok(())
    }

    /// The sum of a metric over projectors.
    async fn sum(&self, names: &[&str], metric: &str) -> anyhow::Result<u64> {
        let mut sum = 0;
        for name in names {
            sum += self.projectors.count(name, metric).await?;
        }
        Ok(sum)
    }
}
