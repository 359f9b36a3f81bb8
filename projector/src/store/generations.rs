//! Generations of the data beside each other: which there are, how one is laid out and dropped.
//!
//! - `switch`: how one is held still, and how the views move.
//! - `snapshots`: transactions that would read a generation as it was before.

mod snapshots;
mod switch;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::Instant;

use super::connections::{CONNECT, connect, within};
use super::laid::OffsetRow;
use super::layout::Lasts;
use super::{layout, offsets, options, retention};
use crate::config::{Config, SchemaName};
use crate::error::StoreError;

pub(crate) use switch::{Held, same};

/// How long a server may take to notice that an earlier rebuild has ended.
const LINGERS: Duration = Duration::from_secs(5);
/// How often it is asked for meanwhile.
const AGAIN: Duration = Duration::from_millis(50);

/// What a generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The views show it.
    Shown,
    /// The views showed it once.
    Kept,
    /// A rebuild fills it.
    Filling,
}

/// One generation of the data.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    pub(crate) number: i64,
    pub(crate) role: Role,
    /// Release and settings that fill it; none where the tables do not say.
    pub(crate) made_by: Option<String>,
    /// When the views left it, in µs since the epoch.
    pub(crate) left_us: Option<i64>,
}

/// The generations of a schema.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    options: PgConnectOptions,
    schema: SchemaName,
}

/// Keeps other rebuilds out for as long as it is held.
pub(crate) struct Turn {
    _connection: PgConnection,
}

impl Generations {
    pub(crate) fn of(config: &Config) -> Result<Self, StoreError> {
        let options = options(&config.database_url)?.application_name("playledger-rebuild");
        Ok(Self { options, schema: config.schema.clone() })
    }

    pub(crate) fn data(&self, generation: i64) -> String {
        self.schema.data(generation)
    }

    pub(crate) async fn connect(&self) -> Result<PgConnection, StoreError> {
        within(CONNECT, "a connection", connect(&self.options)).await
    }

    /// Keeps other rebuilds out.
    pub(crate) async fn take_turn(&self) -> Result<Turn, StoreError> {
        let mut connection = self.connect().await?;
        let lock = "SELECT pg_try_advisory_lock(hashtextextended('playledger/rebuild/' || $1, 0))";
        let until = Instant::now() + LINGERS;
        loop {
            if sqlx::query_scalar(lock).bind(self.schema.as_str()).fetch_one(&mut connection).await? {
                return Ok(Turn { _connection: connection });
            }
            if Instant::now() > until {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err(StoreError::Fatal(format!("another rebuild, rollback or prune of the schema {} is under way", self.schema)))
    }

    /// Keeps the keepers out for as long as the connection lasts, if none is at it.
    pub(crate) async fn take_keepers_turn(&self, on: &mut PgConnection) -> Result<bool, StoreError> {
        retention::take_turn(on, &self.schema).await
    }

    /// All that there are, by number.
    pub(crate) async fn all(&self, on: &mut PgConnection) -> Result<Vec<Generation>, StoreError> {
        let shown = layout::shown_generation(on, &self.schema).await?;
        let names: Vec<String> = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE $1")
            .bind(format!("{}\\_g%", self.schema.as_str().replace('_', "\\_")))
            .fetch_all(&mut *on)
            .await?;
        let prefix = self.data_prefix();
        let mut all = Vec::new();
        for number in names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse::<i64>().ok()) {
            let (made_by, left_us) = self.told(on, number).await?;
            let role = match left_us {
                _ if shown == Some(number) => Role::Shown,
                Some(_) => Role::Kept,
                None => Role::Filling,
            };
            all.push(Generation { number, role, made_by, left_us });
        }
        all.sort_by_key(|generation| generation.number);
        Ok(all)
    }

    fn data_prefix(&self) -> String {
        format!("{}_g", self.schema)
    }

    /// What the table `generation` says; nothing where a rebuild was killed before it laid one out.
    async fn told(&self, on: &mut PgConnection, number: i64) -> Result<(Option<String>, Option<i64>), StoreError> {
        let table = format!("{}.generation", self.data(number));
        let laid: bool =
            sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(&table).fetch_one(&mut *on).await?;
        if !laid {
            return Ok((None, None));
        }
        let told = format!("SELECT made_by, (extract(epoch FROM shown_until) * 1000000)::bigint FROM {table}");
        let row: Option<(String, Option<i64>)> = sqlx::query_as(AssertSqlSafe(told)).fetch_optional(on).await?;
        Ok(row.map_or((None, None), |(made_by, left_us)| (Some(made_by), left_us)))
    }

    /// Lays out a generation that is to be filled, or one that is to be shown again.
    pub(crate) async fn lay(&self, number: i64, made_by: &str) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        layout::lock(&mut connection, &self.schema, Lasts::Session).await?;
        layout::lay_beside(&mut connection, &self.schema, number).await?;
        let data = self.data(number);
        let note = format!("INSERT INTO {data}.generation (made_by) VALUES ($1) ON CONFLICT DO NOTHING");
        sqlx::query(AssertSqlSafe(note)).bind(made_by).execute(&mut connection).await?;
        release(connection).await
    }

    /// How far a generation follows the log.
    pub(crate) async fn vector(&self, on: &mut PgConnection, number: i64) -> Result<Vec<OffsetRow>, StoreError> {
        let mut rows = offsets::rows(on, &self.data(number)).await?;
        rows.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(rows)
    }

    /// Lets the server count what is in a generation, for good plans.
    pub(crate) async fn analyze(&self, on: &mut PgConnection, number: i64) -> Result<(), StoreError> {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT oid::regclass::text FROM pg_class
              WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p') AND NOT relispartition",
        )
        .bind(self.data(number))
        .fetch_all(&mut *on)
        .await?;
        for table in tables {
            sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE {table}"))).execute(&mut *on).await?;
        }
        Ok(())
    }

    /// Drops a generation, unless the views show it.
    pub(crate) async fn drop(&self, number: i64) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        layout::lock(&mut connection, &self.schema, Lasts::Session).await?;
        if layout::shown_generation(&mut connection, &self.schema).await? == Some(number) {
            return Err(StoreError::Fatal(format!("the views show generation {number}: it is not dropped")));
        }
        let sql = format!("DROP SCHEMA {} CASCADE", self.data(number));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        release(connection).await
    }
}

/// Said, since a server may notice some time later that a connection is closed.
async fn release(mut connection: PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql("ROLLBACK; SELECT pg_advisory_unlock_all()").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
