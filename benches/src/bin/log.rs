//! How fast the logs are: appending, reading, committing.
//!
//! ```text
//! cargo run --release -p playledger-benches --bin log -- --kafka "$(…HOST:PORT…)"
//! ```
//!
//! `deploy/kafka/kafka start --dir DIR` starts a broker and prints where it listens. Without `--kafka`
//! only the embedded log is measured. Figures are of one run on one machine: whatever else it does
//! shows in them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use eventlog::embedded::EmbeddedLog;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use eventlog::{
    AppendError, AppendOptions, Cleanup, Commit, EventLog, GroupEvent, GroupOptions, Headers, NewRecord, ReadRequest,
    Stretch, TopicPartition, TopicSpec,
};
use hdrhistogram::Histogram;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PARTITIONS: i32 = 4;
/// Records that are handed over together, as a gateway's batch is.
const REQUEST: u32 = 100;
/// Requests whose outcome is waited for at any time.
const IN_FLIGHT: usize = 200;
/// Of so many input records one output record is made.
const ONE_IN: u32 = 10;

/// What to measure.
#[derive(Parser)]
struct Args {
    /// A Kafka to measure, as HOST:PORT.
    #[arg(long)]
    kafka: Option<String>,
    /// Records to append and to read.
    #[arg(long, default_value_t = 1_000_000)]
    records: u32,
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 300)]
    bytes: usize,
    /// Input records of one commit.
    #[arg(long, default_value_t = 20_000)]
    commit: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(brokers) = &args.kafka {
        println!("Kafka at {brokers}");
        let options = KafkaOptions { brokers: brokers.clone(), settings: vec![], client_id: "bench".into() };
        let topic = measure(Arc::new(KafkaLog::open(options)?), &args).await?;
        let (count, took) = read_bare(brokers, &topic)?;
        print("read by a bare consumer", count, took);
    } else {
        println!("Kafka is not measured: name one with --kafka HOST:PORT");
    }
    let folder = tempfile::tempdir()?;
    println!("Embedded log in {}", folder.path().display());
    measure(Arc::new(EmbeddedLog::open(folder.path().join("log.sqlite")).await?), &args).await?;
    Ok(())
}

/// Appends, reads and commits; the topic that was filled.
async fn measure(log: Arc<dyn EventLog>, args: &Args) -> anyhow::Result<String> {
    let run = uuid::Uuid::now_v7().simple().to_string();
    let (input, output) = (format!("bench-in-{run}"), format!("bench-out-{run}"));
    let spec = |name: &str| TopicSpec {
        name: name.to_owned(),
        partitions: PARTITIONS,
        replication: 1,
        cleanup: Cleanup::Delete { retention: None },
        max_message_bytes: 1 << 20,
    };
    log.ensure_topics(&[spec(&input), spec(&output)]).await?;
    append(&*log, &input, args).await?;
    let (count, took) = read(&*log, &input).await?;
    print("read", count, took);
    consume(&*log, &input, &output, args).await?;
    Ok(input)
}

async fn append(log: &dyn EventLog, topic: &str, args: &Args) -> anyhow::Result<()> {
    let appender =
        log.appender(AppendOptions { deadline: Duration::from_secs(30), ..AppendOptions::default() }).await?;
    let value: bytes::Bytes = b"{\"level\":7,\"attempt\":3},".iter().copied().cycle().take(args.bytes).collect();
    let headers = Headers::from_pairs([("event_id", [7; 16].as_slice()), ("fingerprint", &[9; 8])]);
    let mut latency = Histogram::<u64>::new(3)?;
    let mut open = VecDeque::new();
    let started = Instant::now();
    for request in 0..args.records / REQUEST {
        let partition = TopicPartition::new(topic, i32::try_from(request)? % PARTITIONS);
        let record = |i| NewRecord {
            partition: partition.clone(),
            key: bytes::Bytes::from(format!("tenant/{:08}", request * REQUEST + i)),
            value: Some(value.clone()),
            headers: headers.clone(),
            timestamp_ms: 1_700_000_000_000 + i64::from(request),
        };
        if open.len() == IN_FLIGHT {
            settle(&mut open, &mut latency).await?;
        }
        open.push_back((Instant::now(), appender.append((0..REQUEST).map(record).collect())?));
    }
    while !open.is_empty() {
        settle(&mut open, &mut latency).await?;
    }
    print("appended and acknowledged", u64::from(args.records / REQUEST * REQUEST), started.elapsed());
    quantiles("  an append of 100", &latency);
    Ok(())
}

async fn settle(open: &mut VecDeque<(Instant, eventlog::Pending)>, latency: &mut Histogram<u64>) -> anyhow::Result<()> {
    if let Some((since, pending)) = open.pop_front() {
        pending.kept().await.map_err(|error: AppendError| anyhow::anyhow!(error))?;
        latency.record(micros(since.elapsed()))?;
    }
    Ok(())
}

async fn read(log: &dyn EventLog, topic: &str) -> anyhow::Result<(u64, Duration)> {
    let mut stretches = Vec::new();
    for number in 0..PARTITIONS {
        let partition = TopicPartition::new(topic, number);
        let range = log.offsets(&partition).await?;
        stretches.push(Stretch { partition, from: range.low, until: Some(range.high) });
    }
    let started = Instant::now();
    let mut reader = log.read(ReadRequest { stretches, read_committed: true }).await?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(batch) = reader.next().await? {
        count += batch.records.len() as u64;
        bytes += batch.records.iter().filter_map(|record| record.value.as_ref()).map(bytes::Bytes::len).sum::<usize>();
    }
    std::hint::black_box(bytes);
    Ok((count, started.elapsed()))
}

/// The same by librdkafka's wrapper alone, to compare with.
fn read_bare(brokers: &str, topic: &str) -> anyhow::Result<(u64, Duration)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench-bare")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "1000000")
        .set("queued.max.messages.kbytes", "65536")
        .set("fetch.message.max.bytes", "4194304")
        .create()?;
    let mut list = TopicPartitionList::new();
    for number in 0..PARTITIONS {
        list.add_partition_offset(topic, number, Offset::Beginning)?;
    }
    let started = Instant::now();
    consumer.assign(&list)?;
    let (mut count, mut bytes, mut ended) = (0, 0, 0);
    while ended < PARTITIONS {
        match consumer.poll(Duration::from_secs(10)) {
            Some(Ok(message)) => {
                count += 1;
                bytes += message.payload().map_or(0, <[u8]>::len);
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => return Err(error.into()),
            None => bail!("the broker does not answer"),
        }
    }
    std::hint::black_box(bytes);
    Ok((count, started.elapsed()))
}

/// Reads as a member, makes one output of so many inputs, commits both: what a worker's log does.
async fn consume(log: &dyn EventLog, input: &str, output: &str, args: &Args) -> anyhow::Result<()> {
    let options = GroupOptions {
        group: format!("group-{input}"),
        instance: "bench-0".into(),
        topics: vec![input.to_owned()],
        transactional: true,
        read_committed: true,
        headers: true,
        commit_deadline: GroupOptions::COMMIT_DEADLINE,
    };
    let mut member = log.join(options).await?;
    let committer = member.committer();
    let target = u64::from(args.records / REQUEST * REQUEST);
    let (mut seen, mut gathered, mut commit) = (0_u64, 0, Commit::default());
    let mut latency = Histogram::<u64>::new(3)?;
    let mut started = Instant::now();
    while seen < target {
        match member.next().await? {
            GroupEvent::Assigned(share) => {
                started = Instant::now();
                for assignment in share {
                    member.fetch_from(&assignment.partition, assignment.committed.unwrap_or(0))?;
                }
            }
            GroupEvent::Records(batch) => {
                seen += batch.records.len() as u64;
                gathered += batch.records.len();
                let to = TopicPartition::new(output, batch.partition.partition);
                commit.outputs.extend(batch.records.iter().step_by(ONE_IN as usize).map(|record| NewRecord {
                    partition: to.clone(),
                    key: record.key.clone(),
                    value: record.value.clone(),
                    headers: Headers::new(),
                    timestamp_ms: record.timestamp_ms,
                }));
                commit.offsets.retain(|(partition, _)| *partition != batch.partition);
                commit.offsets.push((batch.partition, batch.next_offset));
            }
            GroupEvent::Revoked { .. } => bail!("the partitions were taken away"),
            GroupEvent::CaughtUp { .. } => {}
        }
        if gathered >= args.commit || seen >= target {
            let began = Instant::now();
            committer.commit(std::mem::take(&mut commit)).await.context("a commit")?;
            latency.record(micros(began.elapsed()))?;
            gathered = 0;
        }
    }
    print("consumed, 1 in 10 produced, committed", seen, started.elapsed());
    quantiles(&format!("  a commit of {}", args.commit), &latency);
    member.leave().await?;
    Ok(())
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn print(what: &str, records: u64, took: Duration) {
    println!("{what}: {records} records in {took:.2?}, {:.0}/s", records as f64 / took.as_secs_f64());
}

fn quantiles(what: &str, latency: &Histogram<u64>) {
    let at = |quantile| Duration::from_micros(latency.value_at_quantile(quantile));
    println!("{what}: p50 {:.1?}, p99 {:.1?}, max {:.1?}", at(0.5), at(0.99), Duration::from_micros(latency.max()));
}
