//! All read models made anew while reports go on coming.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use daemon::Shell;
use projector::rebuild::{Options, Outcome, rebuild};

use super::flow::told;
use super::{Bench, TABLES};
use crate::numbers::count;

/// How long it may take, in seconds for a million reports.
const AIM: f64 = 120.0;

impl Bench<'_> {
    /// Rebuilds what has been filled, beside new reports at a rate.
    pub(super) async fn rebuild(&self, rate: f64) -> anyhow::Result<()> {
        let process = self.world.projector(TABLES).await?;
        let config = self.config(TABLES.schema)?;
        let report = self.arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
        let report = tempfile::Builder::new().suffix(".json").tempfile_in(report)?;
        let options = Options { report: Some(report.path().to_owned()), ..Options::default() };
        // Those that come meanwhile are made anew, too.
        let reports = usize::try_from(self.offsets().await?.iter().sum::<i64>())?;
        let log = Arc::clone(&self.world.log);
        let work = Box::pin(async {
            let (began, shell) = (Instant::now(), Shell::detached());
            let outcome = rebuild(&config, &log, &shell, &options, Box::new(|line| eprintln!("{line}"))).await?;
            ensure!(matches!(outcome, Outcome::Switched(_)), "the rebuild ended with {outcome:?}");
            Ok(began.elapsed())
        });
        let (took, lasted) = self.beside(rate, 1_000_000_000, work).await?;
        println!(
            "rebuild of {reports} reports: {:.1} s (aim: {:.0}); meanwhile report → row at {rate:.0} reports/s: {} (aim: p99 3000)",
            lasted.as_secs_f64(),
            AIM * count(reports) / 1e6,
            told(&took)
        );
        process.stop().await
    }
}
