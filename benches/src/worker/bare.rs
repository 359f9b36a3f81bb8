//! What the worker is measured against: a consumer of librdkafka that reads the same topic and parses every
//! record with `serde_json` into types, in a process of its own. It keeps nothing and writes nothing.

use std::borrow::Cow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::process::program;
use crate::usage;

/// The name under which this program is that consumer.
pub const BARE: &str = "bare-consumer";

/// What is to be read.
#[derive(Parser, Clone, Debug)]
pub(super) struct Arguments {
    /// The cluster
    #[arg(long)]
    kafka: String,
    /// The topic
    #[arg(long)]
    topic: String,
    /// Its partitions
    #[arg(long)]
    partitions: i32,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Read {
    /// Records that were parsed.
    pub(super) records: u64,
    /// Processor seconds of the whole process.
    pub(super) cpu_s: f64,
    /// Seconds from the first record to the last.
    pub(super) took_s: f64,
}

/// A record as anyone would write it down who reads play.events.
#[derive(Debug, Deserialize)]
struct Line<'a> {
    tenant: &'a str,
    game: &'a str,
    received_at: &'a str,
    #[serde(borrow)]
    event: Event<'a>,
}

#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct Event<'a> {
    event_id: Uuid,
    session_id: Uuid,
    player_id: &'a str,
    seq: Option<u64>,
    event_type: &'a str,
    timestamp: &'a str,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Debug, Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    task_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    outcome: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    latency_ms: Option<u64>,
    score: Option<f64>,
    difficulty: Option<f64>,
}

impl Arguments {
    /// A topic.
    pub(super) fn new(kafka: &str, topic: &str, partitions: i32) -> Self {
        Self { kafka: kafka.into(), topic: topic.into(), partitions }
    }

    /// Does it in a process of its own.
    ///
    /// # Errors
    /// When that fails.
    pub(super) async fn run(&self) -> anyhow::Result<Read> {
        let mut command = program(BARE)?;
        command.args(["--kafka", &self.kafka, "--topic", &self.topic]);
        command.arg("--partitions").arg(self.partitions.to_string());
        let output = command.stderr(std::process::Stdio::inherit()).output().await?;
        ensure!(output.status.success(), "the bare consumer ended with {}", output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The child's side.
pub fn main() -> ExitCode {
    match consume(&Arguments::parse()).and_then(|read| Ok(serde_json::to_string(&read)?)) {
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

fn consume(arguments: &Arguments) -> anyhow::Result<Read> {
    let consumer: BaseConsumer = config(&arguments.kafka).create()?;
    let (mut list, mut left) = (TopicPartitionList::new(), 0);
    for partition in 0..arguments.partitions {
        list.add_partition_offset(&arguments.topic, partition, Offset::Beginning)?;
        let (low, high) = consumer.fetch_watermarks(&arguments.topic, partition, Duration::from_secs(10))?;
        left += high - low;
    }
    consumer.assign(&list)?;
    let (mut began, mut records) = (None, 0_u64);
    // What was read goes into something that is printed, so that the compiler leaves none of it out.
    let mut sum = 0_u64;
    while left > 0 {
        let message = consumer.poll(Duration::from_secs(10)).context("no record within 10 s")??;
        began.get_or_insert_with(Instant::now);
        let line: Line<'_> = serde_json::from_slice(message.payload().context("a record without a value")?)?;
        sum = sum.wrapping_add(weigh(&line));
        records += 1;
        left -= 1;
    }
    eprintln!("checksum {sum:x}");
    let took_s = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
    Ok(Read { records, cpu_s: usage::cpu(std::process::id())?.as_secs_f64(), took_s })
}

/// A number that all of it goes into.
fn weigh(line: &Line<'_>) -> u64 {
    let Line { tenant, game, received_at, event } = line;
    let Event { event_id, session_id, player_id, seq, event_type, timestamp, data } = event;
    let texts = [tenant, game, received_at, player_id, event_type, timestamp].map(|text| text.len() as u64);
    let ids = event_id.as_u64_pair().0 ^ session_id.as_u64_pair().1;
    let data = data.as_ref().map_or(0, |data| {
        let texts = [&data.task_id, &data.outcome, &data.reason];
        let texts: u64 = texts.iter().map(|text| text.as_ref().map_or(0, |text| text.len() as u64)).sum();
        let numbers = data.score.unwrap_or(0.0).to_bits() ^ data.difficulty.unwrap_or(0.0).to_bits();
        texts ^ numbers ^ data.latency_ms.unwrap_or(0)
    });
    texts.iter().sum::<u64>() ^ ids ^ data ^ seq.unwrap_or(0)
}

/// As a worker's consumer is set up, without its group.
fn config(kafka: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "1000000")
        .set("queued.max.messages.kbytes", "65536")
        .set("fetch.min.bytes", "65536")
        .set("fetch.wait.max.ms", "25")
        .set("check.crcs", "true")
        .set("isolation.level", "read_committed");
    config
}
