//! One sweep over all models and tenants, in transactions of bounded size.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use schemas::games::{Model, Retention};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::event_log::{self, Range, before_all_days, midnight, range};
use super::sessions::{self, Cut};
use super::{Removed, tenants, timed};
use crate::config::SchemaName;
use crate::error::StoreError;
use crate::metrics;
use crate::store::connections::within;
use crate::store::{Store, layout};

/// How long a removal waits for loads under way: the next ones wait behind it.
const LOADS: &str = "BEGIN; SET LOCAL lock_timeout = '3s'";
/// How long a step may take: the server may have vanished without a word.
const STEP: Duration = Duration::from_mins(1);
/// Loads get at least this between two steps, and as much as the step took.
const PAUSE: Duration = Duration::from_millis(20);
/// Each turn is one schema's.
const TURN: &str = "SELECT pg_try_advisory_lock(hashtextextended('playledger/keeper/' || $1, 0))";
const OVER: &str = "SELECT pg_advisory_unlock(hashtextextended('playledger/keeper/' || $1, 0))";

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that were removed; without those that went with a day's table.
    pub rows: u64,
    /// Tables of days of event_log that were made ahead.
    pub made: u64,
    /// Tables of days that were dropped.
    pub dropped: u64,
    /// Whether something was left for the next one, because somebody read the event log.
    pub left: bool,
}

/// Takes the turn of looking after a schema, if nobody has it; the connection keeps it.
pub(crate) async fn take_turn(on: &mut PgConnection, schema: &SchemaName) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(TURN).bind(schema.as_str()).fetch_one(on).await?)
}

impl Store {
    /// Removes what the settings keep no longer by this time, in ms since the epoch, and makes the tables of the next days of
    /// event_log where it is `ahead`. The server's clock counts where it is behind: whose clock is wrong removes
    /// nothing that is to be kept. None where another projector is at it.
    ///
    /// # Errors
    /// [`StoreError::Away`] also when loads under way did not end in time: what was done stands.
    pub async fn sweep(&self, now_ms: i64, ahead: bool) -> Result<Option<Swept>, StoreError> {
        self.noted(self.try_sweep(now_ms, ahead).await)
    }

    async fn try_sweep(&self, now_ms: i64, ahead: bool) -> Result<Option<Swept>, StoreError> {
        let mut on = self.connections.take().await?;
        if !within(STEP, "a sweep's turn", take_turn(&mut on, &self.schema)).await? {
            self.connections.give_back(on);
            return Ok(None);
        }
        let server: DateTime<Utc> = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut on).await?;
        let now = server.min(DateTime::from_timestamp_millis(now_ms).unwrap_or(server));
        let mut sweep = Sweep { store: self, on, now, swept: Swept::default(), step: Instant::now() };
        if ahead {
            sweep.make_ahead().await?;
        }
        sweep.sessions().await?;
        for model in [Model::Quarantine, Model::Activity, Model::Live] {
            sweep.timed(model).await?;
        }
        sweep.event_log().await?;
        let Sweep { mut on, swept, .. } = sweep;
        sqlx::query(OVER).bind(self.schema.as_str()).execute(&mut on).await?;
        self.connections.give_back(on);
        Ok(Some(swept))
    }
}

struct Sweep<'a> {
    store: &'a Store,
    on: PgConnection,
    now: DateTime<Utc>,
    swept: Swept,
    /// When the step under way began.
    step: Instant,
}

impl Sweep<'_> {
    fn retention(&self) -> &Retention {
        self.store.games.retention()
    }

    /// Up to when a tenant's rows of a model go; none where they are kept for ever.
    fn target(&self, tenant: &str, model: Model) -> Option<DateTime<Utc>> {
        let age = self.retention().of(tenant, model)?;
        let target = DateTime::from_timestamp_millis(self.now.timestamp_millis().saturating_sub(age))?;
        // Days go whole.
        Some(if model == Model::EventLog { midnight(target.date_naive()) } else { target })
    }

    /// The tenants of whose rows of a model something may go, each with its target.
    async fn targets(&mut self, model: Model, tables: &[&str]) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let mut whose: Vec<String> = self.retention().named(model).map(|tenant| tenant.as_str().to_owned()).collect();
        if self.retention().of_all(model).is_some() {
            for table in tables {
                whose.extend(tenants(&mut self.on, table).await?);
            }
            if model == Model::Quarantine {
                // What is nobody's.
                whose.push(String::new());
            }
            whose.sort_unstable();
            whose.dedup();
        }
        Ok(whose.into_iter().filter_map(|tenant| Some((tenant.clone(), self.target(&tenant, model)?))).collect())
    }

    /// Begins a step: no load is under way in it.
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.step = Instant::now();
        let Store { schema, generation, place, .. } = self.store;
        let on = &mut self.on;
        let begin = async {
            sqlx::raw_sql(LOADS).execute(&mut *on).await?;
            layout::check(on, schema, *generation, *place).await?;
            sqlx::raw_sql("LOCK TABLE offsets IN SHARE ROW EXCLUSIVE MODE").execute(on).await?;
            Ok(())
        };
        within(STEP, "a step of a sweep", begin).await
    }

    /// Ends a step, and lets loads go on.
    async fn end(&mut self, removed: Removed) -> Result<(), StoreError> {
        sqlx::raw_sql("COMMIT").execute(&mut self.on).await?;
        for (table, rows) in removed {
            self.swept.rows += rows;
            metrics::removed(table, rows);
        }
        tokio::time::sleep(self.step.elapsed().max(PAUSE)).await;
        Ok(())
    }

    /// Ends a step that came to nothing, if it was somebody who reads that kept it from going on.
    async fn give_way(&mut self, error: StoreError) -> Result<(), StoreError> {
        if error.sqlstate() != "55P03" {
            return Err(error);
        }
        sqlx::raw_sql("ROLLBACK").execute(&mut self.on).await?;
        self.swept.left = true;
        Ok(())
    }

    async fn sessions(&mut self) -> Result<(), StoreError> {
        for (tenant, target) in self.targets(Model::Sessions, &["sessions", "second_lives"]).await? {
            loop {
                let next = within(STEP, "a sweep", sessions::next(&mut self.on, &tenant, target)).await?;
                let cut = match next {
                    Cut::Done => break,
                    Cut::At(cut) => cut,
                    Cut::Last => target,
                };
                self.begin().await?;
                let removed = within(STEP, "a removal", sessions::remove(&mut self.on, &tenant, cut)).await?;
                self.end(removed).await?;
                if next == Cut::Last {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn timed(&mut self, model: Model) -> Result<(), StoreError> {
        let tables: Vec<&str> = timed::tables(model).iter().map(|(table, ..)| *table).collect();
        for (tenant, target) in self.targets(model, &tables).await? {
            while let Some(cut) = within(STEP, "a sweep", timed::next(&mut self.on, model, &tenant, target)).await? {
                self.begin().await?;
                let removed = within(STEP, "a removal", timed::remove(&mut self.on, model, &tenant, cut)).await?;
                self.end(removed).await?;
            }
        }
        Ok(())
    }

    async fn event_log(&mut self) -> Result<(), StoreError> {
        self.delete_from(before_all_days()).await?;
        let today = self.now.date_naive();
        for day in event_log::days(&mut self.on).await? {
            // Whoever's rows come late finds the table of the day before still there.
            if day + Days::new(1) >= today {
                break;
            }
            let present = within(STEP, "a sweep", event_log::present(&mut self.on, range(day))).await?;
            if self.wanted(&present, day) {
                self.delete_from(range(day)).await?;
            } else {
                self.drop_day(day).await?;
            }
        }
        Ok(())
    }

    /// Whether one of these tenants keeps a day.
    fn wanted(&self, present: &[String], day: NaiveDate) -> bool {
        present.iter().any(|tenant| !self.gone(tenant, range(day).1))
    }

    /// Whether a tenant keeps nothing that arrived before this time.
    fn gone(&self, tenant: &str, before: DateTime<Utc>) -> bool {
        self.target(tenant, Model::EventLog).is_some_and(|target| before <= target)
    }

    /// Deletes the rows of a range of those tenants that want them no longer.
    async fn delete_from(&mut self, range: Range) -> Result<(), StoreError> {
        for tenant in within(STEP, "a sweep", event_log::present(&mut self.on, range)).await? {
            let mut all = !self.gone(&tenant, range.1);
            while !all {
                self.begin().await?;
                let rows;
                (rows, all) = within(STEP, "a removal", event_log::delete(&mut self.on, &tenant, range)).await?;
                self.end(vec![("event_log", rows)]).await?;
            }
        }
        Ok(())
    }

    async fn drop_day(&mut self, day: NaiveDate) -> Result<(), StoreError> {
        self.begin().await?;
        // Something may have come before the step began.
        let present = within(STEP, "a sweep", event_log::present(&mut self.on, range(day))).await?;
        if self.wanted(&present, day) {
            sqlx::raw_sql("ROLLBACK").execute(&mut self.on).await?;
            return Ok(());
        }
        match within(STEP, "dropping a day", event_log::drop_day(&mut self.on, day, &present)).await {
            Ok(dropped) => {
                self.end(Removed::new()).await?;
                self.swept.dropped += u64::from(dropped);
                metrics::days_dropped(u64::from(dropped));
                Ok(())
            }
            Err(error) => self.give_way(error).await,
        }
    }

    async fn make_ahead(&mut self) -> Result<(), StoreError> {
        let Store { schema, generation, place, .. } = self.store;
        sqlx::raw_sql("BEGIN").execute(&mut self.on).await?;
        layout::check(&mut self.on, schema, *generation, *place).await?;
        match within(STEP, "making days", event_log::make_ahead(&mut self.on, self.now.date_naive())).await {
            Ok(made) => {
                sqlx::raw_sql("COMMIT").execute(&mut self.on).await?;
                self.swept.made = made;
                metrics::days_made(made);
                Ok(())
            }
            Err(error) => self.give_way(error).await,
        }
    }
}
