//! The read models, as tests look at them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// How long rows may take to come; generous, because machines are shared.
const PATIENCE: Duration = Duration::from_secs(90);

/// A reader of the tables.
#[derive(Clone, Debug)]
pub struct Tables {
    pool: PgPool,
}

impl Tables {
    /// A reader of the database at `url`.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new().max_connections(2).connect(url).await?;
        Ok(Self { pool })
    }

    /// One number. `sql` comes from the test itself.
    pub async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await.with_context(|| sql.to_owned())
    }

    /// The rows of a query, each as one JSON object. `sql` comes from the test itself.
    pub async fn rows(&self, sql: &str) -> anyhow::Result<Vec<Value>> {
        let query = format!("SELECT to_jsonb(r) FROM ({sql}) r");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&self.pool).await.with_context(|| sql.to_owned())
    }

    /// Waits until a query gives this number.
    pub async fn wait_for(&self, sql: &str, wanted: i64) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            // Right after a start the tables may not be there yet.
            let found = self.number(sql).await;
            if found.as_ref().is_ok_and(|number| *number == wanted) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                bail!("after {PATIENCE:?} `{sql}` gives {found:?}, not {wanted}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a query gives more than this number.
    pub async fn number_above(&self, sql: &str, floor: i64) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.number(sql).await? <= floor {
            ensure!(began.elapsed() < PATIENCE, "after {PATIENCE:?} `{sql}` gives no more than {floor}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The metrics of every session, by name; the columns that are no metrics are left out.
    pub async fn metrics(&self) -> anyhow::Result<BTreeMap<Uuid, Map<String, Value>>> {
        let rows: Vec<(Uuid, Value)> =
            sqlx::query_as("SELECT session_id, to_jsonb(m) FROM play.session_metrics m").fetch_all(&self.pool).await?;
        let known: Vec<&str> = schemas::metrics::DEFINITIONS.iter().map(|metric| metric.name).collect();
        rows.into_iter()
            .map(|(session, row)| {
                let Value::Object(mut row) = row else { bail!("a row is no object") };
                row.retain(|name, _| known.contains(&name.as_str()));
                Ok((session, row))
            })
            .collect()
    }
}

/// The first difference between two sets of metrics, in words; none when they are equal to the last bit.
pub fn difference(
    expected: &BTreeMap<Uuid, Map<String, Value>>,
    found: &BTreeMap<Uuid, Map<String, Value>>,
) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} sessions, not {}", found.len(), expected.len()));
    }
    for (session, metrics) in expected {
        let Some(row) = found.get(session) else { return Some(format!("session {session} is missing")) };
        for (name, value) in metrics {
            let equal = match (value.as_f64(), row.get(name).and_then(Value::as_f64)) {
                (Some(expected), Some(found)) => expected.to_bits() == found.to_bits(),
                _ => row.get(name) == Some(value),
            };
            if !equal {
                return Some(format!("session {session}: {name} is {:?}, not {value}", row.get(name)));
            }
        }
    }
    None
}
