//! Rows that came of records which the log has dropped: copied from the live generation, and marked.
//!
//! Which rows these are is told by their place in the log where they have one. Sessions and snapshots of running ones
//! have none: there it is the row that is missing, is older than the oldest record of its partition, and whose partition
//! has lost its beginning. Counts by minute are taken as they are for all time before the oldest record.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventlog::{EventLog, ReadRequest, Stretch, TopicPartition};
use schemas::topics::{self, Topic};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::fill::place;
use super::tables::{Table, listed};
use crate::store::OffsetRow;
use crate::topics::Topics;

/// What the log has dropped: a partition's beginning.
#[derive(Clone, Debug)]
struct Cut {
    partition: i32,
    /// The first offset that is left.
    low: i64,
    /// Time of the oldest record that is left; none where none is.
    oldest: Option<DateTime<Utc>>,
}

/// Beginnings that are gone, by topic.
pub(super) struct Cuts {
    by_topic: BTreeMap<Topic, (i32, Vec<Cut>)>,
}

impl Cuts {
    /// Asks the log.
    pub(super) async fn find(log: &dyn EventLog, known: &Topics, vector: &[OffsetRow]) -> anyhow::Result<Self> {
        let mut by_topic: BTreeMap<Topic, (i32, Vec<Cut>)> = BTreeMap::new();
        for row in vector {
            let (partition, Some(topic)) = (place(row), known.named(&row.topic)) else { continue };
            let low = log.offsets(&partition).await?.low;
            if low == 0 {
                continue;
            }
            let oldest = oldest(log, partition, low, row.next_offset).await?;
            let partitions = log.topic(&row.topic).await?.partitions;
            let (_, cuts) = by_topic.entry(topic).or_insert((partitions, Vec::new()));
            cuts.push(Cut { partition: row.partition, low, oldest });
        }
        Ok(Self { by_topic })
    }

    fn of(&self, topic: Topic) -> &[Cut] {
        self.by_topic.get(&topic).map_or(&[], |(_, cuts)| cuts)
    }

    /// Whether a row of this key and time is older than what its partition still has.
    fn gone(&self, topic: Topic, key: &str, at: DateTime<Utc>) -> bool {
        let Some((partitions, cuts)) = self.by_topic.get(&topic) else { return false };
        let partition = topics::partition(key.as_bytes(), *partitions);
        let cut = cuts.iter().find(|cut| cut.partition == partition);
        cut.is_some_and(|cut| cut.oldest.is_none_or(|oldest| at < oldest))
    }

    /// The time before which counts of a topic cannot be made again; none where all can.
    fn counts_until(&self, topic: Topic) -> Option<DateTime<Utc>> {
        self.of(topic).iter().map(|cut| cut.oldest.unwrap_or(DateTime::<Utc>::MAX_UTC)).max()
    }
}

/// Time of the first record of a partition.
async fn oldest(
    log: &dyn EventLog,
    partition: TopicPartition,
    low: i64,
    until: i64,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    if until <= low {
        return Ok(None);
    }
    let stretches = vec![Stretch { partition, from: low, until: Some(until) }];
    let mut reader = log.read(ReadRequest { stretches, read_committed: true }).await?;
    while let Some(batch) = reader.next().await? {
        if let Some(first) = batch.records.first() {
            return Ok(DateTime::from_timestamp_millis(first.timestamp_ms));
        }
    }
    Ok(None)
}

/// From where to where rows are copied.
pub(super) struct Copier<'a> {
    pub(super) tables: &'a [Table],
    pub(super) live: &'a str,
    pub(super) rebuilt: &'a str,
    /// Number of the live generation.
    pub(super) source: i64,
}

impl Copier<'_> {
    /// Copies all rows that the log cannot give; answers how many of each table.
    pub(super) async fn copy(&self, on: &mut PgConnection, cuts: &Cuts) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut copied = BTreeMap::new();
        self.sessions(on, cuts, &mut copied).await?;
        self.running(on, cuts, &mut copied).await?;
        for (table, topic, partition, offset) in [
            ("second_lives", Topic::Sessions, "report_partition", "report_offset"),
            ("quarantine", Topic::Quarantine, "partition", "offset"),
            ("event_log", Topic::Events, "partition", "offset"),
        ] {
            self.placed(on, cuts.of(topic), (table, partition, offset), &mut copied).await?;
        }
        for (table, topic) in [
            ("activity_by_minute", Topic::Activity),
            ("worker_outcomes", Topic::Activity),
            ("outcomes", Topic::Outcomes),
        ] {
            let Some(until) = cuts.counts_until(topic) else { continue };
            let (sql, Some(table)) = (
                self.marking(
                    table,
                    "o.minute < $1",
                    "UPDATE SET events = excluded.events WHERE n.events <> excluded.events",
                ),
                self.table(table),
            ) else {
                continue;
            };
            let done = sqlx::query(AssertSqlSafe(sql)).bind(until).execute(&mut *on).await?;
            note(&mut copied, &table.name, done.rows_affected());
        }
        copied.retain(|_, rows| *rows > 0);
        Ok(copied)
    }

    async fn sessions(
        &self,
        on: &mut PgConnection,
        cuts: &Cuts,
        copied: &mut BTreeMap<String, u64>,
    ) -> anyhow::Result<()> {
        if cuts.of(Topic::Sessions).is_empty() {
            return Ok(());
        }
        let (live, rebuilt) = (self.live, self.rebuilt);
        let missing = format!(
            "SELECT s.tenant, s.session_id, s.player_id, s.reported_at FROM {live}.sessions s
              WHERE NOT EXISTS (SELECT FROM {rebuilt}.sessions n WHERE n.tenant = s.tenant AND n.session_id = s.session_id)"
        );
        let missing: Vec<(String, Uuid, String, DateTime<Utc>)> =
            sqlx::query_as(AssertSqlSafe(missing)).fetch_all(&mut *on).await?;
        let gone = missing
            .into_iter()
            .filter(|(tenant, _, player, at)| cuts.gone(Topic::Sessions, &format!("{tenant}/{player}"), *at));
        let (tenants, sessions): (Vec<String>, Vec<Uuid>) = gone.map(|(tenant, session, ..)| (tenant, session)).unzip();
        if tenants.is_empty() {
            return Ok(());
        }
        for table in ["sessions", "session_metrics", "session_tasks", "session_evidence"] {
            self.named(on, table, (&tenants, &sessions), copied).await?;
        }
        // What hangs on all sessions of a player, a day or a task.
        sqlx::query(AssertSqlSafe(format!("SELECT {rebuilt}.recount()"))).execute(on).await?;
        Ok(())
    }

    async fn running(
        &self,
        on: &mut PgConnection,
        cuts: &Cuts,
        copied: &mut BTreeMap<String, u64>,
    ) -> anyhow::Result<()> {
        if cuts.of(Topic::Live).is_empty() {
            return Ok(());
        }
        let (live, rebuilt) = (self.live, self.rebuilt);
        let missing = format!(
            "SELECT l.tenant, l.session_id, l.last_event_at FROM {live}.live_sessions l WHERE NOT EXISTS
                 (SELECT FROM {rebuilt}.live_sessions n WHERE n.tenant = l.tenant AND n.session_id = l.session_id)"
        );
        let missing: Vec<(String, Uuid, DateTime<Utc>)> =
            sqlx::query_as(AssertSqlSafe(missing)).fetch_all(&mut *on).await?;
        let gone = missing.into_iter().filter(|(tenant, session, at)| {
            cuts.gone(Topic::Live, &format!("{tenant}/{}", session.as_hyphenated()), *at)
        });
        let keys: (Vec<String>, Vec<Uuid>) = gone.map(|(tenant, session, _)| (tenant, session)).unzip();
        self.named(on, "live_sessions", (&keys.0, &keys.1), copied).await
    }

    /// Copies the rows of these sessions.
    async fn named(
        &self,
        on: &mut PgConnection,
        table: &str,
        (tenants, sessions): (&[String], &[Uuid]),
        copied: &mut BTreeMap<String, u64>,
    ) -> anyhow::Result<()> {
        let these = "(o.tenant, o.session_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))";
        let sql = self.marking(table, these, "NOTHING");
        let done = sqlx::query(AssertSqlSafe(sql)).bind(tenants).bind(sessions).execute(on).await?;
        note(copied, table, done.rows_affected());
        Ok(())
    }

    /// Copies the rows whose place in the log is gone.
    async fn placed(
        &self,
        on: &mut PgConnection,
        cuts: &[Cut],
        (table, partition, offset): (&str, &str, &str),
        copied: &mut BTreeMap<String, u64>,
    ) -> anyhow::Result<()> {
        if cuts.is_empty() {
            return Ok(());
        }
        let (live, rebuilt) = (self.live, self.rebuilt);
        let partitions: Vec<i64> = cuts.iter().map(|cut| i64::from(cut.partition)).collect();
        let lows: Vec<i64> = cuts.iter().map(|cut| cut.low).collect();
        let these = format!(
            "EXISTS (SELECT FROM unnest($1::bigint[], $2::bigint[]) AS cut (partition, low)
                      WHERE o.\"{partition}\" = cut.partition AND o.\"{offset}\" < cut.low)"
        );
        if table == "event_log" {
            let days = format!(
                "SELECT {rebuilt}.event_log_days(array_agg(DISTINCT (o.received_at AT TIME ZONE 'UTC')::date))
                   FROM {live}.event_log o WHERE {these} HAVING count(*) > 0"
            );
            sqlx::query(AssertSqlSafe(days)).bind(&partitions).bind(&lows).execute(&mut *on).await?;
        }
        let sql = self.marking(table, &these, "NOTHING");
        let done = sqlx::query(AssertSqlSafe(sql)).bind(partitions).bind(lows).execute(on).await?;
        note(copied, table, done.rows_affected());
        Ok(())
    }

    /// A statement that copies rows `o` under a condition, and marks them.
    fn marking(&self, table: &str, condition: &str, conflict: &str) -> String {
        let Self { live, rebuilt, source, .. } = self;
        let (columns, key) = self.table(table).map_or((&[][..], &[][..]), |table| (&table.columns, &table.key));
        let row_key = key.iter().map(|name| format!("'{name}', \"{name}\"")).collect::<Vec<_>>().join(", ");
        let (list, keys) = (listed(columns, ""), listed(key, ""));
        format!(
            "WITH copied AS (
                INSERT INTO {rebuilt}.{table} AS n ({list}) SELECT {} FROM {live}.{table} o WHERE {condition}
                ON CONFLICT ({keys}) DO {conflict} RETURNING *
             )
             INSERT INTO {rebuilt}.copied_rows (model, tenant, row_key, source)
             SELECT '{table}', tenant, jsonb_build_object({row_key}), {source} FROM copied
             ON CONFLICT (model, row_key) DO UPDATE SET source = excluded.source, at = excluded.at",
            listed(columns, "o.")
        )
    }

    fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

fn note(copied: &mut BTreeMap<String, u64>, table: &str, rows: u64) {
    *copied.entry(table.to_owned()).or_default() += rows;
}
