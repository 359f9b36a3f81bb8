//! The projector on Kafka and Postgres: reports into all read models, and how long one takes to be seen.

mod reports;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use hdrhistogram::Histogram;
use schemas::topics::Topic;
use sqlx::AssertSqlSafe;

use crate::append::Append;
use crate::database::Database;
use crate::folder::new_folder;
use crate::numbers::{count, milliseconds};
use crate::process::{Process, Reading};
use crate::usage;
use crate::world::{Kind, PARTITIONS, PREFIX, Tables, World};
use reports::Reports;

/// The tables that are filled.
const TABLES: Tables = Tables { schema: "play", event_log: false };
/// What a server of its own would have: a cache for the tables that are written, and room for WAL between checkpoints.
const SETTINGS: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=4GB"];
/// Records that are handed over together.
const REQUEST: usize = 500;
/// Requests that wait for their acknowledgement at any time.
const IN_FLIGHT: usize = 40;
/// How often it is looked how far the tables are.
const LOOK: Duration = Duration::from_millis(20);
/// Tables that stand still for so long are stuck.
const STUCK: Duration = Duration::from_mins(2);
/// The aim in reports a second, and in processor time of the projector for a million of them.
const AIMS: (f64, f64) = (10_000.0, 20.0);

/// Figures of the projector on Kafka and Postgres
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    /// Reports of the topic that is read
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    reports: usize,
    /// Sessions that they are of
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    sessions: usize,
    /// How long reports come at a rate, in seconds
    #[arg(long, value_name = "S", default_value_t = 20)]
    seconds: u64,
    /// What to measure [default: all]
    #[arg(long = "part", value_name = "PART", value_enum)]
    parts: Vec<Part>,
    /// Where log and tables lie meanwhile [default: the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// One of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A full topic into all read models
    Models,
    /// From a report on the topic to its row, at half of that rate
    Latency,
}

/// Measures and prints.
///
/// # Errors
/// When a process fails; nothing is left behind then either.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let home = new_folder(arguments.folder.as_deref())?;
    let database = Database::start(&home.path().join("postgres"), &SETTINGS).await?;
    let world = World::new(Kind::Kafka, home.path().join("kafka"), database.server.url()).await?;
    let outcome = Bench { arguments, world: &world, database: &database }.all().await;
    world.close().await;
    database.stop().await?;
    outcome
}

struct Bench<'a> {
    arguments: &'a Arguments,
    world: &'a World,
    database: &'a Database,
}

impl Bench<'_> {
    async fn all(&self) -> anyhow::Result<()> {
        let latency = self.arguments.parts.is_empty() || self.arguments.parts.contains(&Part::Latency);
        let rate = self.models().await?;
        if latency {
            self.latency(rate / 2.0).await?;
        }
        Ok(())
    }

    /// Reads a full topic into all read models; answers with reports a second.
    async fn models(&self) -> anyhow::Result<f64> {
        let Arguments { reports: number, sessions, .. } = *self.arguments;
        let reports = Reports { sessions, first: 0, at_ms: daemon::Clock::system().now_ms() };
        let mut feed = Feed::new(self.world).await?;
        for from in (0..number).step_by(REQUEST) {
            feed.append(&reports, from..number.min(from + REQUEST)).await?;
        }
        feed.append.settle().await?;
        let mut process = self.world.projector(TABLES).await?;
        let (from, postgres) = (process.reading()?, usage::cpu_of_family(self.database.pid)?);
        let until = self.projected(&mut process, feed.ends).await?;
        let postgres = usage::cpu_of_family(self.database.pid)?.saturating_sub(postgres);
        let millions = count(number) / 1e6;
        let rate = count(number) / (until.at - from.at).as_secs_f64();
        println!(
            "{number} reports of {sessions} sessions into all read models: {rate:.0} reports/s (aim: {:.0}); projector {:.1} CPU-s/M \
             (aim: {:.0}), Postgres {:.1} CPU-s/M; projector {} MB at its peak",
            AIMS.0,
            until.cpu.saturating_sub(from.cpu).as_secs_f64() / millions,
            AIMS.1,
            postgres.as_secs_f64() / millions,
            process.peak_memory()? >> 20,
        );
        process.stop().await?;
        Ok(rate)
    }

    /// New sessions at a rate, and how long after its report was appended each has a row.
    async fn latency(&self, rate: f64) -> anyhow::Result<()> {
        const EVERY: Duration = Duration::from_millis(20);
        let process = self.world.projector(TABLES).await?;
        let first = self.arguments.sessions;
        let reports = Reports { sessions: usize::MAX, first, at_ms: daemon::Clock::system().now_ms() };
        let (mut feed, mut waits) = (Feed::new(self.world).await?, VecDeque::new());
        feed.ends = self.offsets().await?;
        let mut took: Histogram<u64> = Histogram::new(3)?;
        let (began, mut made) = (Instant::now(), 0);
        let how_long = Duration::from_secs(self.arguments.seconds);
        while began.elapsed() < how_long || !waits.is_empty() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of reports")]
            let due = (began.elapsed().min(how_long).as_secs_f64() * rate) as usize;
            if due > made {
                feed.append(&reports, made..due).await?;
                waits.push_back((feed.ends, Instant::now()));
                made = due;
            }
            // Rows and offsets are committed as one.
            let seen = self.offsets().await?;
            while let Some((_, since)) = waits
                .pop_front_if(|(ends, _): &mut (Ends, Instant)| ends.iter().zip(&seen).all(|(end, seen)| end <= seen))
            {
                took.record(u64::try_from(since.elapsed().as_micros())?)?;
            }
            ensure!(
                began.elapsed() < how_long + STUCK,
                "the tables stand still, {} requests before the end",
                waits.len()
            );
            tokio::time::sleep(EVERY).await;
        }
        feed.append.settle().await?;
        let at = |share| milliseconds(took.value_at_quantile(share));
        println!(
            "report → row at {rate:.0} reports/s: p50 {:.0} ms, p99 {:.0} ms of {} requests (aim: 300)",
            at(0.5),
            at(0.99),
            took.len()
        );
        process.stop().await
    }

    /// Waits until the tables have taken in all that was appended; what the projector had used by then.
    async fn projected(&self, process: &mut Process, ends: Ends) -> anyhow::Result<Reading> {
        let (mut last, mut since) = (Ends::default(), Instant::now());
        loop {
            let reading = process.reading()?;
            let done = self.offsets().await?;
            if done == ends {
                return Ok(reading);
            }
            process.lives()?;
            if done != last {
                (last, since) = (done, Instant::now());
            }
            ensure!(since.elapsed() < STUCK, "the tables stand still at {done:?} of {ends:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How far the tables have come in each partition of play.sessions.
    async fn offsets(&self) -> anyhow::Result<Ends> {
        let sql = format!("SELECT partition::int, next_offset FROM {}.offsets WHERE topic = $1", TABLES.schema);
        let rows: Vec<(i32, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(Topic::Sessions.name(PREFIX))
            .fetch_all(&self.database.pool)
            .await?;
        let mut ends = Ends::default();
        for (partition, next) in rows {
            ends[usize::try_from(partition)?] = next;
        }
        Ok(ends)
    }
}

/// The ends of play.sessions' partitions.
type Ends = [i64; PARTITIONS as usize];

/// Appends reports.
struct Feed {
    append: Append,
    topic: Arc<str>,
    /// Where each partition ends with what was appended.
    ends: Ends,
}

impl Feed {
    async fn new(world: &World) -> anyhow::Result<Self> {
        let append = Append::new(&*world.log, IN_FLIGHT).await?;
        Ok(Self { append, topic: Topic::Sessions.name(PREFIX).into(), ends: Ends::default() })
    }

    async fn append(&mut self, reports: &Reports, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let records: anyhow::Result<Vec<_>> =
            numbers.map(|number| reports.record(&self.topic, PARTITIONS, number)).collect();
        let records = records?;
        for record in &records {
            self.ends[usize::try_from(record.partition.partition)?] += 1;
        }
        self.append.append(records).await
    }
}
