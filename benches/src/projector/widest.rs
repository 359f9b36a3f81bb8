//! The widest model alone, and psql with the same rows ready.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use eventlog::{OffsetRange, ReadRequest, Stretch, TopicPartition};
use projector::decode::{Told, decode};
use projector::load::{Entry, Slice};
use projector::project::Changes;
use projector::store::{Store, Wanted};
use schemas::topics::Topic;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::Bench;
use super::feed::{Ends, Feed};
use super::reports::Reports;
use crate::folder::new_folder;
use crate::numbers::count;
use crate::usage;
use crate::world::{PARTITIONS, PREFIX};

/// Rows of the one model; one a session.
const SCHEMA: &str = "widest";
/// Records a transaction.
const LOAD: usize = 10_000;

impl Bench<'_> {
    /// Reads a report of each session into session_metrics and nothing else, then has psql write the same rows.
    pub(super) async fn widest(&self) -> anyhow::Result<()> {
        let rows = self.arguments.sessions;
        let reports = Reports { sessions: usize::MAX, first: 2_000_000_000, at_ms: daemon::Clock::system().now_ms() };
        let mut feed = Feed::new(self.world).await?;
        let from = feed.ends;
        feed.fill(&reports, 0..rows).await?;
        let (cpu, postgres, began) = (usage::cpu(std::process::id())?, self.postgres()?, Instant::now());
        let written = self.write(from, feed.ends).await?;
        let took = began.elapsed();
        ensure!(written == rows as u64, "{written} rows were written of {rows}");
        let millions = count(rows) / 1e6;
        let ours = count(rows) / took.as_secs_f64();
        println!(
            "session_metrics alone, 57 columns: {ours:.0} rows/s; projector's code {:.1} CPU-s/M, Postgres {:.1} CPU-s/M",
            usage::cpu(std::process::id())?.saturating_sub(cpu).as_secs_f64() / millions,
            self.postgres()?.saturating_sub(postgres).as_secs_f64() / millions,
        );
        let took = self.psql().await?;
        let theirs = count(rows) / took.as_secs_f64();
        println!(
            "the same rows ready for psql, COPY and INSERT … ON CONFLICT: {theirs:.0} rows/s; ratio {:.2} (aim: 0.7)",
            ours / theirs
        );
        Ok(())
    }

    async fn write(&self, from: Ends, ends: Ends) -> anyhow::Result<u64> {
        let config = self.config(SCHEMA)?;
        let store = Store::open(&config).await?;
        let (topic, log) = (Topic::Sessions.name(PREFIX), &self.world.log);
        let topic_id = log.topic(&topic).await?.id;
        let mut wanted = Vec::new();
        let mut stretches = Vec::new();
        for partition in 0..PARTITIONS {
            let place = TopicPartition::new(topic.as_str(), partition);
            let at = usize::try_from(partition)?;
            let range = OffsetRange { low: from[at], high: ends[at] };
            let topic_id = topic_id.clone();
            wanted.push(Wanted { topic: topic.clone(), topic_id, partition, range, may_skip: false });
            stretches.push(Stretch { partition: place, from: from[at], until: Some(ends[at]) });
        }
        let claims = store.claim(&wanted).await?;
        let epochs: Vec<i64> = claims.iter().map(|claim| claim.epoch).collect();
        let (loads, mut ready) = mpsc::channel(2);
        let mut reader = log.read(ReadRequest { stretches, read_committed: true }).await?;
        let read = tokio::spawn(async move {
            let mut load: Vec<Slice> = Vec::new();
            let mut seen = from;
            while let Some(batch) = reader.next().await? {
                let place = usize::try_from(batch.partition.partition)?;
                let mut entries = Vec::with_capacity(batch.records.len());
                for record in batch.records {
                    let told = decode(Topic::Sessions, &record).ok().context("a record of a later form")?;
                    entries.push(Entry::new(record, told));
                }
                match load.iter_mut().find(|slice| slice.partition == batch.partition) {
                    Some(slice) => {
                        slice.entries.extend(entries);
                        slice.next = batch.next_offset;
                    }
                    None => load.push(Slice {
                        epoch: epochs[place],
                        seen: seen[place],
                        next: batch.next_offset,
                        partition: batch.partition,
                        entries,
                    }),
                }
                seen[place] = batch.next_offset;
                if load.iter().map(|slice| slice.entries.len()).sum::<usize>() >= LOAD {
                    loads.send(std::mem::take(&mut load)).await?;
                }
            }
            loads.send(load).await?;
            anyhow::Ok(())
        });
        let mut written = 0;
        while let Some(load) = ready.recv().await {
            let metrics = load.iter().flat_map(|slice| &slice.entries).filter_map(|entry| match &entry.told {
                Told::Report(report) => Some(&**report),
                _ => None,
            });
            let changes = Changes { metrics: metrics.collect(), ..Changes::default() };
            if load.is_empty() {
                continue;
            }
            let mut transaction = store.begin(&load).await?;
            let rows = transaction.apply(&changes).await?;
            transaction.commit().await?;
            written += rows.iter().map(|(_, rows)| rows).sum::<u64>();
        }
        read.await??;
        Ok(written)
    }

    /// Has psql write the rows that are there into a table of the same layout.
    async fn psql(&self) -> anyhow::Result<Duration> {
        let folder = new_folder(self.arguments.folder.as_deref())?;
        let file = folder.path().join("rows");
        let file = file.to_str().context("the folder's name is no UTF-8")?;
        let data = format!("{SCHEMA}_g1");
        self.run_psql(&format!("\\copy {data}.session_metrics TO '{file}'")).await?;
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = to_regclass($1 || '.session_metrics') AND attnum > 2 ORDER BY attnum",
        )
        .bind(&data)
        .fetch_all(&self.database.pool)
        .await?;
        let set = columns.iter().map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ");
        self.run_psql(&format!(
            "CREATE TABLE {data}.ready (LIKE {data}.session_metrics INCLUDING ALL) WITH (fillfactor = 75)"
        ))
        .await?;
        let began = Instant::now();
        self.run_psql(&format!(
            "SET synchronous_commit = off;\nBEGIN;\nCREATE TEMP TABLE come (LIKE {data}.session_metrics);\n\\copy come FROM '{file}'\n\
             INSERT INTO {data}.ready SELECT * FROM come ON CONFLICT (tenant, session_id) DO UPDATE SET {set};\nCOMMIT"
        ))
        .await?;
        Ok(began.elapsed())
    }

    async fn run_psql(&self, text: &str) -> anyhow::Result<()> {
        let script = tempfile::NamedTempFile::new()?;
        std::fs::write(script.path(), text)?;
        let script: &Path = script.path();
        let mut command = Command::new("psql");
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.database.server.url(), "-f"]).arg(script);
        let output = command.output().await.context("psql")?;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}
