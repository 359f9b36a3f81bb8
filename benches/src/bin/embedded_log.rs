//! How fast the embedded log appends durably, reads and commits, on this machine's disk.
//!
//! `cargo run --release -p playledger-benches --bin embedded_log -- --help`

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use clap::Parser;
use eventlog::embedded::EmbeddedLog;
use eventlog::{
    AppendOptions, Appender, Cleanup, Commit, EventLog, GroupEvent, GroupOptions, Headers, NewRecord, ReadRequest,
    Stretch, TopicPartition, TopicSpec,
};

use playledger_benches::usage::cpu;

/// Measures the embedded log.
#[derive(Debug, Parser)]
struct Args {
    /// Records to append.
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// Bytes of each value.
    #[arg(long, default_value_t = 300)]
    value_bytes: usize,
    /// Records handed over at once.
    #[arg(long, default_value_t = 500)]
    batch: usize,
    /// Callers that append at the same time.
    #[arg(long, default_value_t = 16)]
    callers: usize,
    /// Batches that a caller has in flight.
    #[arg(long, default_value_t = 4)]
    window: usize,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// Where the file goes; a temporary folder if absent.
    #[arg(long)]
    folder: Option<std::path::PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Arc::new(Args::parse());
    let temporary = tempfile::tempdir()?;
    let folder = args.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    let path = folder.join("bench-log.db");
    let log = EmbeddedLog::open(&path).await?;
    let spec = |name: &str| TopicSpec {
        name: name.to_owned(),
        partitions: args.partitions,
        replication: 1,
        cleanup: Cleanup::Delete { retention: None },
        max_message_bytes: 1 << 20,
    };
    log.ensure_topics(&[spec("events"), spec("outputs")]).await?;
    append(&log, &args).await?;
    sizes(&path)?;
    read(&log, &args).await?;
    consume(&log, &args).await?;
    one_by_one(&log).await?;
    log.close().await;
    Ok(())
}

/// Many callers append batches; each batch is acknowledged when the disk has it.
async fn append(log: &EmbeddedLog, args: &Arc<Args>) -> anyhow::Result<()> {
    let appender =
        log.appender(AppendOptions { deadline: Duration::from_secs(30), ..AppendOptions::default() }).await?;
    let meter = Meter::start()?;
    let mut callers = Vec::new();
    for caller in 0..args.callers {
        let (args, appender) = (Arc::clone(args), Arc::clone(&appender));
        callers.push(tokio::spawn(async move { append_as(caller, &args, appender).await }));
    }
    let mut waits = Vec::new();
    for caller in callers {
        waits.extend(caller.await??);
    }
    let records = waits.len() * args.batch;
    meter.report(
        &format!("append, {} callers, batches of {}, {} B", args.callers, args.batch, args.value_bytes),
        records,
    )?;
    report_waits(waits);
    Ok(())
}

async fn append_as(caller: usize, args: &Args, appender: Arc<dyn Appender>) -> anyhow::Result<Vec<Duration>> {
    let value = Bytes::from(vec![b'x'; args.value_bytes]);
    let topic: Arc<str> = Arc::from("events");
    let mut waits = Vec::new();
    let mut in_flight = std::collections::VecDeque::new();
    for round in 0..args.records / args.callers / args.batch {
        let record = |n: usize| NewRecord {
            partition: TopicPartition::new(
                Arc::clone(&topic),
                i32::try_from(caller + n).unwrap_or(0).checked_rem(args.partitions).unwrap_or(0),
            ),
            key: Bytes::from(format!("player-{caller}-{}", n % 50)),
            value: Some(value.clone()),
            headers: Headers::from_pairs([("event_id", b"0123456789abcdef".as_slice()), ("fingerprint", b"01234567")]),
            timestamp_ms: i64::try_from(round).unwrap_or(0),
        };
        in_flight.push_back((Instant::now(), appender.append((0..args.batch).map(record).collect())?));
        if in_flight.len() >= args.window
            && let Some((since, pending)) = in_flight.pop_front()
        {
            pending.kept().await?;
            waits.push(since.elapsed());
        }
    }
    for (since, pending) in in_flight {
        pending.kept().await?;
        waits.push(since.elapsed());
    }
    Ok(waits)
}

/// Reads everything back, all partitions by one reader.
async fn read(log: &EmbeddedLog, args: &Args) -> anyhow::Result<()> {
    let mut stretches = Vec::new();
    for number in 0..args.partitions {
        let partition = TopicPartition::new("events", number);
        let range = log.offsets(&partition).await?;
        stretches.push(Stretch { partition, from: range.low, until: Some(range.high) });
    }
    let meter = Meter::start()?;
    let mut reader = log.read(ReadRequest { stretches, read_committed: true }).await?;
    let (mut records, mut bytes) = (0, 0);
    while let Some(batch) = reader.next().await? {
        records += batch.records.len();
        bytes += batch.records.iter().filter_map(|record| record.value.as_ref()).map(Bytes::len).sum::<usize>();
    }
    anyhow::ensure!(bytes == records * args.value_bytes, "values came back with another length");
    meter.report("read", records)?;
    Ok(())
}

/// Consumes in a group and commits an output for every ten records, batch by batch.
async fn consume(log: &EmbeddedLog, args: &Args) -> anyhow::Result<()> {
    let options = GroupOptions {
        group: "bench".to_owned(),
        instance: "one".to_owned(),
        topics: vec!["events".to_owned()],
        transactional: true,
        read_committed: true,
        headers: true,
        commit_deadline: GroupOptions::COMMIT_DEADLINE,
    };
    let meter = Meter::start()?;
    let mut member = log.join(options).await?;
    let committer = member.committer();
    let (mut records, mut caught_up, mut waits) = (0, 0, Vec::new());
    while caught_up < args.partitions {
        match member.next().await? {
            GroupEvent::Assigned(assigned) => {
                for assignment in assigned {
                    member.fetch_from(&assignment.partition, assignment.committed.unwrap_or(0))?;
                }
            }
            GroupEvent::Records(batch) => {
                records += batch.records.len();
                let output = |record: &eventlog::Record| NewRecord {
                    partition: TopicPartition::new("outputs", batch.partition.partition),
                    key: record.key.clone(),
                    value: record.value.clone(),
                    headers: Headers::new(),
                    timestamp_ms: record.timestamp_ms,
                };
                let outputs = batch.records.iter().step_by(10).map(output).collect();
                let since = Instant::now();
                committer
                    .commit(Commit { outputs, offsets: vec![(batch.partition.clone(), batch.next_offset)] })
                    .await?;
                waits.push(since.elapsed());
            }
            GroupEvent::CaughtUp { .. } => caught_up += 1,
            GroupEvent::Revoked { .. } => anyhow::bail!("nobody else should want a share"),
        }
    }
    meter.report("consume and commit 1 in 10", records)?;
    report_waits(waits);
    Ok(())
}

/// One record at a time, waiting for each: what the disk's flush costs.
async fn one_by_one(log: &EmbeddedLog) -> anyhow::Result<()> {
    let appender = log.appender(AppendOptions { linger: Duration::ZERO, ..AppendOptions::default() }).await?;
    let meter = Meter::start()?;
    let mut waits = Vec::new();
    for n in 0..500 {
        let record = NewRecord {
            partition: TopicPartition::new("outputs", 0),
            key: Bytes::from_static(b"key"),
            value: Some(Bytes::from_static(&[b'x'; 300])),
            headers: Headers::new(),
            timestamp_ms: n,
        };
        let since = Instant::now();
        appender.append(vec![record])?.kept().await?;
        waits.push(since.elapsed());
    }
    meter.report("append one by one", waits.len())?;
    report_waits(waits);
    Ok(())
}

/// Wall and processor time since a start.
struct Meter {
    since: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> anyhow::Result<Self> {
        Ok(Self { since: Instant::now(), cpu: cpu(std::process::id())? })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a bench fit a double")]
    fn report(&self, what: &str, records: usize) -> anyhow::Result<()> {
        let (seconds, cpu) = (self.since.elapsed().as_secs_f64(), cpu(std::process::id())?.saturating_sub(self.cpu));
        let records = records as f64;
        println!(
            "{what}: {records} records in {seconds:.2} s: {:.0}/s; {:.2} CPU-seconds a million",
            records / seconds,
            cpu.as_secs_f64() / records * 1e6
        );
        Ok(())
    }
}

fn report_waits(mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let quantile = |thousandths: usize| waits.get(waits.len() * thousandths / 1000).copied().unwrap_or_default();
    println!("  waited: p50 {:.1?}, p99 {:.1?}, longest {:.1?}", quantile(500), quantile(990), quantile(999));
}

fn sizes(path: &Path) -> anyhow::Result<()> {
    let wal = path.with_extension("db-wal");
    let size = |path: &Path| std::fs::metadata(path).map(|found| found.len() >> 20);
    println!("  file {} MB, write-ahead log {} MB", size(path).context("the file")?, size(&wal).unwrap_or(0));
    Ok(())
}
