//! A private Postgres, as local mode starts it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use playledger::folder::{Folder, LogKind};
use playledger::postgres;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// The private Postgres of a run.
pub struct Database {
    /// The server.
    pub server: postgres::Server,
    /// Connections to it.
    pub pool: PgPool,
    /// The process that all of its backends come from.
    pub pid: u32,
}

impl Database {
    /// Starts one in a folder of its own, with these settings over those of local mode.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(folder: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        let began = Instant::now();
        let folder = Folder::take(folder, LogKind::Embedded)?;
        let server = postgres::start_with(&folder, settings).await?;
        let pool = PgPoolOptions::new().max_connections(2).connect(server.url()).await?;
        let home = postgres::home_of(folder.path())?.context("Postgres runs and its folder is nowhere")?;
        let pid = postgres::running_under(&home)?.context("Postgres was started and does not run")?;
        eprintln!("Postgres is there after {:.1} s", began.elapsed().as_secs_f64());
        Ok(Self { server, pool, pid: u32::try_from(pid)? })
    }

    /// Ends it; its users must have ended.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.pool.close().await;
        self.server.stop(Duration::from_secs(20)).await
    }
}
