//! What the gateway is measured against: a producer of librdkafka and nothing around it, in a process of its
//! own, that sends the very records that a gateway left in the log.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use eventlog::{EventLog as _, ReadRequest, Record, Stretch, TopicPartition};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use serde::{Deserialize, Serialize};

use crate::process::program;
use crate::usage;

/// The name under which this program is that producer.
pub const BARE: &str = "bare-producer";

/// What is to be sent, and how fast.
#[derive(Parser, Clone, Debug)]
pub(super) struct Arguments {
    /// The cluster
    #[arg(long)]
    kafka: String,
    /// The topic whose records are sent
    #[arg(long)]
    from: String,
    /// The topic that they go to
    #[arg(long)]
    to: String,
    /// Partitions of both
    #[arg(long)]
    partitions: i32,
    /// Records a second; as fast as it can if absent
    #[arg(long)]
    rate: Option<f64>,
    /// Records that are handed over at once where there is a rate
    #[arg(long, default_value_t = 1)]
    batch: usize,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sent {
    /// Records that were acknowledged.
    pub(super) records: u64,
    /// Processor seconds of the whole process meanwhile.
    pub(super) cpu_s: f64,
    /// From the first record to the last acknowledgement.
    pub(super) took_s: f64,
    /// Half of the records were acknowledged within so many µs; 0 without a rate.
    pub(super) p50_us: u64,
    /// 99 of 100 were.
    pub(super) p99_us: u64,
}

impl Arguments {
    /// From one topic to another.
    pub(super) fn new(kafka: &str, [from, to]: [&str; 2], partitions: i32, paced: Option<(f64, usize)>) -> Self {
        let (rate, batch) = paced.map_or((None, 1), |(rate, batch)| (Some(rate), batch));
        Self { kafka: kafka.into(), from: from.into(), to: to.into(), partitions, rate, batch }
    }

    /// Does it in a process of its own.
    ///
    /// # Errors
    /// When that fails.
    pub(super) async fn run(&self) -> anyhow::Result<Sent> {
        let mut command = program(BARE)?;
        command.args(["--kafka", &self.kafka, "--from", &self.from, "--to", &self.to]);
        command.arg("--partitions").arg(self.partitions.to_string());
        if let Some(rate) = self.rate {
            command.arg("--rate").arg(rate.to_string()).arg("--batch").arg(self.batch.to_string());
        }
        let output = command.stderr(std::process::Stdio::inherit()).output().await?;
        ensure!(output.status.success(), "the bare producer ended with {}", output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The child's side.
pub fn main() -> ExitCode {
    let done = || -> anyhow::Result<String> {
        let arguments = Arguments::parse();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let records = runtime.block_on(read(&arguments))?;
        drop(runtime);
        Ok(serde_json::to_string(&produce(&arguments, &records)?)?)
    };
    match done() {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// All records of a topic, by partition.
async fn read(arguments: &Arguments) -> anyhow::Result<Vec<(i32, Record)>> {
    let options = KafkaOptions { brokers: arguments.kafka.clone(), client_id: "bare".into(), ..Default::default() };
    let log = KafkaLog::open(options)?;
    let mut stretches = Vec::new();
    for number in 0..arguments.partitions {
        let partition = TopicPartition::new(arguments.from.as_str(), number);
        let range = log.offsets(&partition).await?;
        stretches.push(Stretch { partition, from: range.low, until: Some(range.high) });
    }
    let mut reader = log.read(ReadRequest { stretches, read_committed: false }).await?;
    let mut by_partition = vec![Vec::new(); usize::try_from(arguments.partitions)?];
    while let Some(batch) = reader.next().await? {
        by_partition[usize::try_from(batch.partition.partition)?].extend(batch.records);
    }
    // As they come from a gateway: partitions in turns.
    let mut records = Vec::new();
    let mut parts: Vec<_> = (0..).zip(by_partition).map(|(number, part)| (number, part.into_iter())).collect();
    loop {
        let before = records.len();
        for (number, part) in &mut parts {
            records.extend(part.by_ref().take(10).map(|record| (*number, record)));
        }
        if records.len() == before {
            return Ok(records);
        }
    }
}

/// When each record was handed over, by its number, and what is known of the acknowledgements.
struct Told {
    began: Instant,
    handed_us: Vec<AtomicU64>,
    open: AtomicI64,
    failed: AtomicU64,
    waits: Mutex<Histogram<u64>>,
    paced: bool,
}

struct Context(Arc<Told>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let told = &self.0;
        if result.is_err() {
            told.failed.fetch_add(1, Ordering::Relaxed);
        }
        if told.paced {
            let now = u64::try_from(told.began.elapsed().as_micros()).unwrap_or(u64::MAX);
            // It grows with what it is given; any time fits.
            let _ = told.waits.lock().record(now.saturating_sub(told.handed_us[number].load(Ordering::Relaxed)));
        }
        told.open.fetch_sub(1, Ordering::AcqRel);
    }
}

fn produce(arguments: &Arguments, records: &[(i32, Record)]) -> anyhow::Result<Sent> {
    let paced = arguments.rate.is_some();
    let told = Arc::new(Told {
        began: Instant::now(),
        handed_us: records.iter().filter(|_| paced).map(|_| AtomicU64::new(0)).collect(),
        open: AtomicI64::new(i64::try_from(records.len())?),
        failed: AtomicU64::new(0),
        waits: Mutex::new(Histogram::new(3)?),
        paced,
    });
    let producer: ThreadedProducer<Context> =
        ThreadedProducer::from_config_and_context(&config(&arguments.kafka), Context(Arc::clone(&told)))?;
    // Where it is to send: asked for once, before the clock runs.
    producer.client().fetch_metadata(Some(&arguments.to), Duration::from_secs(10))?;
    let pid = std::process::id();
    let (cpu, began) = (usage::cpu(pid)?, Instant::now());
    for (turn, batch) in records.chunks(arguments.batch).enumerate() {
        if let Some(rate) = arguments.rate {
            #[expect(clippy::cast_precision_loss, reason = "a count of records")]
            let due = Duration::from_secs_f64((turn * arguments.batch) as f64 / rate);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
        for (place, (partition, record)) in batch.iter().enumerate() {
            hand_over(arguments, &producer, &told, turn * arguments.batch + place, *partition, record)?;
        }
    }
    while told.open.load(Ordering::Acquire) > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (took, cpu) = (began.elapsed(), usage::cpu(pid)?.saturating_sub(cpu));
    ensure!(told.failed.load(Ordering::Relaxed) == 0, "some records were not acknowledged");
    let waits = told.waits.lock();
    let at = |share| if paced { waits.value_at_quantile(share) } else { 0 };
    Ok(Sent {
        records: records.len() as u64,
        cpu_s: cpu.as_secs_f64(),
        took_s: took.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
    })
}

fn hand_over(
    arguments: &Arguments,
    producer: &ThreadedProducer<Context>,
    told: &Told,
    number: usize,
    partition: i32,
    record: &Record,
) -> anyhow::Result<()> {
    if told.paced {
        told.handed_us[number].store(u64::try_from(told.began.elapsed().as_micros())?, Ordering::Relaxed);
    }
    let value = record.value.as_ref().context("a record without a value")?;
    let mut outgoing = BaseRecord::with_opaque_to(&arguments.to, number)
        .partition(partition)
        .key(&record.key[..])
        .payload(&value[..])
        .timestamp(record.timestamp_ms)
        .headers(
            record
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) })),
        );
    loop {
        match producer.send(outgoing) {
            Ok(()) => return Ok(()),
            Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                std::thread::sleep(Duration::from_millis(1));
                outgoing = back;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// As a gateway's producer is set up.
fn config(kafka: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .set("batch.size", "1000000")
        .set("queue.buffering.max.messages", "1000000")
        .set("queue.buffering.max.kbytes", "262144");
    config
}
