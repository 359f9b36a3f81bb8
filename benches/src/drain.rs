//! Waits until a stage has done all that lies before it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::{AssertSqlSafe, PgPool};

use crate::process::{Process, Reading};
use crate::world::{Tables, World};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);
/// The same where a look is a pass over a row for every event.
const LOOK_AT_LARGE: Duration = Duration::from_millis(250);
/// A stage that does nothing for so long is stuck.
const STUCK: Duration = Duration::from_mins(1);

/// What the tables hold when all of a load has been projected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Sessions, each with a report.
    pub sessions: i64,
    /// Events of these reports; as many as the worker has counted as applied.
    pub events: i64,
}

/// Waits until the worker has committed all of play.events; what it had used by then.
///
/// # Errors
/// When it ends or is stuck.
pub async fn worker(world: &World, process: &mut Process) -> anyhow::Result<Reading> {
    let mut watch = Watch::new();
    loop {
        let progress = world.worker_progress().await?;
        let reading = process.reading()?;
        if progress.iter().all(|(committed, high)| committed >= high) {
            return Ok(reading);
        }
        process.lives()?;
        watch.saw(&progress)?;
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the tables hold the whole of a load; what the projector had used by then.
///
/// # Errors
/// When it ends, is stuck, or the tables hold more than was sent.
pub async fn projector(pool: &PgPool, tables: Tables, whole: Whole, process: &mut Process) -> anyhow::Result<Reading> {
    let mut watch = Watch::new();
    let wanted = Counted { sessions: whole.sessions, reported: whole.events, applied: whole.events };
    loop {
        let counted = count(pool, tables).await?;
        let logged = if tables.event_log && counted == wanted { event_log(pool, tables).await? } else { 0 };
        let reading = process.reading()?;
        if counted == wanted && (!tables.event_log || logged == whole.events) {
            return Ok(reading);
        }
        ensure!(
            counted.sessions <= wanted.sessions && counted.reported <= wanted.reported,
            "the tables hold {counted:?}, and what was sent is {wanted:?}"
        );
        process.lives()?;
        watch.saw(&(counted, logged))?;
        tokio::time::sleep(if logged > 0 { LOOK_AT_LARGE } else { LOOK }).await;
    }
}

/// What the tables hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
struct Counted {
    sessions: i64,
    reported: i64,
    applied: i64,
}

async fn count(pool: &PgPool, tables: Tables) -> anyhow::Result<Counted> {
    let schema = tables.schema;
    let sql = format!(
        "SELECT (SELECT count(*) FROM {schema}.sessions) AS sessions,
                (SELECT coalesce(sum(event_count), 0)::bigint FROM {schema}.sessions) AS reported,
                (SELECT coalesce(sum(events), 0)::bigint FROM {schema}.activity_by_minute) AS applied"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).fetch_one(pool).await?)
}

async fn event_log(pool: &PgPool, tables: Tables) -> anyhow::Result<i64> {
    let sql = format!("SELECT count(*) FROM {}.event_log", tables.schema);
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await?)
}

/// Tells a slow stage from a stuck one.
struct Watch {
    last: String,
    since: Instant,
}

impl Watch {
    fn new() -> Self {
        Self { last: String::new(), since: Instant::now() }
    }

    fn saw(&mut self, progress: &impl std::fmt::Debug) -> anyhow::Result<()> {
        let now = format!("{progress:?}");
        if now != self.last {
            *self = Self { last: now, since: Instant::now() };
        }
        ensure!(self.since.elapsed() < STUCK, "no progress for {STUCK:?}: {}", self.last);
        Ok(())
    }
}
