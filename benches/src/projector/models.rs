//! A full topic into all read models.

use super::feed::Feed;
use super::reports::Reports;
use super::{Bench, TABLES};
use crate::numbers::count;

/// The aim in reports a second, and in processor time of the projector for a million of them.
const AIMS: (f64, f64) = (10_000.0, 20.0);

impl Bench<'_> {
    /// Reads a full topic into all read models; answers with reports a second.
    pub(super) async fn models(&self) -> anyhow::Result<f64> {
        let (number, sessions) = (self.arguments.reports, self.arguments.sessions);
        let reports = Reports { sessions, first: 0, at_ms: daemon::Clock::system().now_ms() };
        let mut feed = Feed::new(self.world).await?;
        feed.fill(&reports, 0..number).await?;
        let mut process = self.world.projector(TABLES).await?;
        let (from, postgres) = (process.reading()?, self.postgres()?);
        let until = self.projected(&mut process, feed.ends).await?;
        let postgres = self.postgres()?.saturating_sub(postgres);
        let millions = count(number) / 1e6;
        let rate = count(number) / (until.at - from.at).as_secs_f64();
        println!(
            "{number} reports of {sessions} sessions into all read models: {rate:.0} reports/s (aim: {:.0}); projector {:.1} CPU-s/M \
             (aim: {:.0}), Postgres {:.1} CPU-s/M; projector {} MB at its peak",
            AIMS.0,
            until.cpu.saturating_sub(from.cpu).as_secs_f64() / millions,
            AIMS.1,
            postgres.as_secs_f64() / millions,
            process.peak_memory()? >> 20,
        );
        process.stop().await?;
        self.updates().await?;
        Ok(rate)
    }

    /// Prints how many of each table's updates stayed within their page.
    async fn updates(&self) -> anyhow::Result<()> {
        let sql = "SELECT relname::text, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE n_tup_upd > 100 ORDER BY relname";
        // The server counts with a delay.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(sql).fetch_all(&self.database.pool).await?;
        for (table, updates, hot) in rows {
            println!("{table}: {updates} updates, {} % of them HOT", hot * 100 / updates);
        }
        Ok(())
    }
}
