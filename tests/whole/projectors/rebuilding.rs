//! Rebuilds, rollbacks and prunes as processes, as tests of whole worlds run them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use playledger_tests::process::Process;
use sqlx::AssertSqlSafe;
use sqlx::postgres::Postgres;

use super::{PATIENCE, World};

/// One of them at work.
pub(super) struct Rebuilding(Process);

/// How one ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    /// What it printed.
    pub(super) told: String,
    /// What it said meanwhile.
    pub(super) said: Vec<String>,
}

impl World {
    /// Begins `projector` with these words, which reaches Postgres at `url`.
    pub(super) fn begin(&self, words: &[&str], url: &str) -> anyhow::Result<Rebuilding> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", words[0], COUNT.fetch_add(1, Ordering::Relaxed));
        let report = self.comparison().display().to_string();
        let mut words = words.to_vec();
        if words[0] == "rebuild" {
            words.extend(["--report", &report]);
        }
        Ok(Rebuilding(self.projectors.begin(&name, &words, url)?))
    }

    /// Where a rebuild writes its comparison.
    pub(super) fn comparison(&self) -> std::path::PathBuf {
        self.projectors.path("comparison.json")
    }

    /// Runs one to its end.
    pub(super) async fn run(&self, words: &[&str]) -> anyhow::Result<Ended> {
        self.begin(words, &self.url())?.ends().await
    }

    /// The generation that is shown.
    pub(super) async fn generation(&self) -> anyhow::Result<i64> {
        self.tables.number("SELECT generation FROM play.layout()").await
    }

    /// Waits until rows come into this generation, which is the shown one.
    pub(super) async fn goes_on_in(&self, generation: i64) -> anyhow::Result<()> {
        ensure!(self.generation().await? == generation, "generation {} is shown", self.generation().await?);
        let rows = format!("SELECT count(*) FROM play_g{generation}.sessions");
        self.tables.number_above(&rows, self.tables.number(&rows).await?).await
    }

    /// Takes a table away from everybody else, until the transaction ends.
    pub(super) async fn lock(&self, table: &str) -> anyhow::Result<sqlx::Transaction<'static, Postgres>> {
        let mut transaction = self.pool().begin().await?;
        let lock = AssertSqlSafe(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
        sqlx::query(lock).execute(&mut *transaction).await?;
        Ok(transaction)
    }

    /// Waits until somebody waits for a table.
    pub(super) async fn is_wanted(&self, table: &str) -> anyhow::Result<()> {
        let sql = format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass");
        self.tables.number_above(&sql, 0).await
    }

    /// Waits until the server has done with the sessions of rebuilds.
    pub(super) async fn has_done_with_rebuilds(&self) -> anyhow::Result<()> {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'playledger-rebuild'";
        self.tables.wait_for(sessions, 0).await
    }
}

impl Rebuilding {
    /// Waits until it says these words.
    pub(super) async fn says(&mut self, words: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.0.lines(words).is_empty() {
            let ended = self.0.ended()?;
            ensure!(
                ended.is_none() || !self.0.lines(words).is_empty(),
                "{ended:?} without {words:?}\n{}",
                self.0.last_lines()
            );
            ensure!(began.elapsed() < PATIENCE, "it does not say {words:?}\n{}", self.0.last_lines());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.0.signal(signal)
    }

    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.0.kill()
    }

    /// Waits until it ends by itself.
    pub(super) async fn ends(&mut self) -> anyhow::Result<Ended> {
        let began = Instant::now();
        while self.0.ended()?.is_none() {
            ensure!(began.elapsed() < PATIENCE, "it goes on after {PATIENCE:?}\n{}", self.0.last_lines());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (status, told) = self.0.end()?;
        Ok(Ended { code: status.code(), told, said: self.0.lines("") })
    }
}

impl Ended {
    /// Sees to it that it ended with this code and printed these words.
    pub(super) fn must(&self, code: i32, words: &str) -> anyhow::Result<()> {
        ensure!(self.code == Some(code) && self.told.contains(words), "not {code}, {words:?}: {self:#?}");
        Ok(())
    }

    /// Sees to it that it said these words meanwhile.
    pub(super) fn must_have_said(&self, words: &str) -> anyhow::Result<()> {
        ensure!(self.said.iter().any(|line| line.contains(words)), "it did not say {words:?}: {self:#?}");
        Ok(())
    }

    /// The longest time that it held projectors up, in ms.
    pub(super) fn held_up_ms(&self) -> anyhow::Result<u64> {
        let told = self.said.iter().filter_map(|line| line.strip_prefix("projectors were held up for "));
        let told = told.map(|rest| rest.trim_end_matches(" ms").parse::<u64>()).collect::<Result<Vec<_>, _>>()?;
        told.into_iter().max().with_context(|| format!("it held nobody up: {:?}", self.said))
    }
}
